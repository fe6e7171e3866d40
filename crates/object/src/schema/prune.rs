//! Unknown fields: finding them in built-in kinds, dropping them from custom resources.
//!
//! Paths are those of field validation (sigs.k8s.io/json and structural-schema pruning), in alphabetical order of the
//! fields.

use serde_json::{Map, Value};

use super::path::Path;
use super::{Schema, Shape};
use crate::builtin;

#[cfg(test)]
mod tests;

/// Fields that every object has, whatever its schema lists.
const OBJECT_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Paths that are told; an object may have any number of unknown fields below a long key.
const MAX_PATHS: usize = 100;
/// Bytes of those paths. A single one may be longer.
const MAX_PATH_BYTES: usize = 64 << 10;

/// The paths of fields that the schema does not have, the first hundred.
pub fn unknown_fields(value: &Value, schema: Schema<'_>) -> Vec<String> {
    let mut found = Vec::new();
    collect(value, schema, &mut Path::default(), &mut found);
    found
}

fn collect(value: &Value, schema: Schema<'_>, path: &mut Path, found: &mut Vec<String>) {
    match (value, &schema.node().shape) {
        (Value::Object(map), Shape::Object(_) | Shape::Map(_)) => {
            for (name, value) in map {
                match schema.property(name) {
                    Some(property) => {
                        let mark = path.enter(name);
                        collect(value, property, path, found);
                        path.leave(mark);
                    }
                    None if schema.node().preserve_unknown => {}
                    None => note(found, path, name),
                }
            }
        }
        (Value::Array(list), Shape::Array(_)) => {
            let Some(items) = schema.items() else { return };
            for (index, element) in list.iter().enumerate() {
                let mark = path.enter_index(index);
                collect(element, items, path, found);
                path.leave(mark);
            }
        }
        _ => {}
    }
}

fn note(paths: &mut Vec<String>, path: &Path, name: &str) {
    if paths.len() < MAX_PATHS && paths.iter().map(String::len).sum::<usize>() < MAX_PATH_BYTES {
        paths.push(path.child(name));
    }
}

/// Drops from a custom resource what its schema does not have, and answers the first hundred paths of what was dropped.
///
/// The root and embedded resources keep `apiVersion` and `kind`, and their `metadata` is pruned as `ObjectMeta`.
/// Below `x-kubernetes-preserve-unknown-fields` unknown fields stay, while properties that are listed there still
/// drop theirs.
pub fn prune(value: &mut Value, schema: Schema<'_>) -> Vec<String> {
    let mut pruner = Pruner { path: Path::default(), dropped: Vec::new() };
    match value {
        Value::Object(map) => pruner.object(map, Some(schema), true),
        other => pruner.value(other, Some(schema)),
    }
    pruner.dropped
}

/// Prunes a value that is a part of an object.
pub(super) fn prune_part(value: &mut Value, schema: Schema<'_>) {
    Pruner { path: Path::default(), dropped: Vec::new() }.value(value, Some(schema));
}

struct Pruner {
    path: Path,
    dropped: Vec<String>,
}

impl Pruner {
    /// `None` means that nothing is known below here, so that every field of an object goes.
    fn value(&mut self, value: &mut Value, schema: Option<Schema<'_>>) {
        match value {
            Value::Object(map) => {
                let is_resource = schema.is_some_and(|schema| schema.node().embedded_resource);
                self.object(map, schema, is_resource);
            }
            Value::Array(list) => {
                let preserves = schema.is_some_and(|schema| schema.node().preserve_unknown);
                let items = schema.and_then(Schema::items);
                if items.is_none() && preserves {
                    return;
                }
                for (index, element) in list.iter_mut().enumerate() {
                    let mark = self.path.enter_index(index);
                    self.value(element, items);
                    self.path.leave(mark);
                }
            }
            _ => {}
        }
    }

    fn object(&mut self, map: &mut Map<String, Value>, schema: Option<Schema<'_>>, is_resource: bool) {
        let preserves = schema.is_some_and(|schema| schema.node().preserve_unknown);
        map.retain(|name, value| {
            if is_resource && OBJECT_FIELDS.contains(&name.as_str()) {
                if name == "metadata" {
                    let mark = self.path.enter(name);
                    self.value(value, Some(builtin::object_meta()));
                    self.path.leave(mark);
                }
                return true;
            }
            match schema.and_then(|schema| schema.property(name)) {
                Some(property) => {
                    let mark = self.path.enter(name);
                    self.value(value, Some(property));
                    self.path.leave(mark);
                    true
                }
                None if preserves => true,
                None => {
                    note(&mut self.dropped, &self.path, name);
                    false
                }
            }
        });
    }
}
