//! Editing manifests of any kind by field path.

use portolan_object::Object;
use serde_json::{Map, Value};

/// Copies the value at `path` from `observed`, creating the maps above it; nothing if `observed` has none.
pub(super) fn copy(manifest: &mut Object, observed: &Object, path: &[&str]) {
    let Some(value) = observed.at(path) else { return };
    let Some((last, parents)) = path.split_last() else { return };
    let mut target = &mut manifest.0;
    for name in parents {
        let Some(map) = target.as_object_mut() else { return };
        target = map.entry(*name).or_insert_with(|| Value::Object(Map::new()));
    }
    if let Some(map) = target.as_object_mut() {
        map.insert((*last).to_owned(), value.clone());
    }
}

/// The map at `path`.
pub(super) fn map_at<'a>(value: &'a mut Value, path: &[&str]) -> Option<&'a mut Map<String, Value>> {
    path.iter().try_fold(value, |value, name| value.get_mut(name))?.as_object_mut()
}

/// Removes annotations.
pub(super) fn remove_annotations(object: &mut Object, keys: &[&str]) {
    if let Some(annotations) = map_at(&mut object.0, &["metadata", "annotations"]) {
        annotations.retain(|key, _| !keys.contains(&key.as_str()));
    }
}
