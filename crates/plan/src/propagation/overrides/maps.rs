//! Changes of labels and annotations.

use portolan_api::policy::{MapOverrider, OverrideOperator};
use portolan_object::Object;
use serde_json::{Map, Value};

/// Adds, replaces or removes entries; replace and remove touch only what is there.
pub(super) fn apply(object: &mut Object, field: &str, overrider: &MapOverrider) {
    let metadata = object.metadata_mut();
    if overrider.operator != OverrideOperator::Add && !metadata.contains_key(field) {
        return;
    }
    let entries = metadata.entry(field).or_insert_with(|| Value::Object(Map::new()));
    let Some(entries) = entries.as_object_mut() else { return };
    for (key, value) in &overrider.value {
        let present = entries.contains_key(key);
        match overrider.operator {
            OverrideOperator::Remove => {
                entries.remove(key);
            }
            OverrideOperator::Replace if !present => {}
            OverrideOperator::Add | OverrideOperator::Replace => {
                entries.insert(key.clone(), Value::String(value.clone()));
            }
        }
    }
}
