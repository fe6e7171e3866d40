//! Ownership after an ordinary write: create, update, and every kind of patch but apply.

use serde_json::Value;

use super::Writer;
use super::managers::{Managers, Operation};
use super::root::compare_objects;
use crate::builtin;
use crate::key::GroupVersion;
use crate::schema::Schema;

/// Sets `metadata.managedFields` of `new`, the object that is about to be stored in place of `old`.
///
/// The writer becomes the only owner of each path with a changed value, and removed paths are
/// owned by no manager. A client may send `managedFields`, which then replace the stored ones; an empty list, or
/// a list with one empty entry, clears them. Once cleared, ordinary writes do not track anything until the next
/// apply. Above ten entries of ordinary writes the oldest are merged into one of `ancient-changes`.
///
/// # Cost
/// A comparison of the two objects, plus what the changed parts take; entries that a write does not touch are
/// neither read nor copied when the client sends them back unchanged.
///
/// # Source
/// `managedfields` of apimachinery.
pub fn update(old: Option<&Value>, new: &mut Value, schema: Schema<'_>, writer: Writer<'_>) {
    let mut managers = match old {
        // What is sent through a subresource cannot change the entries.
        Some(old) if !writer.subresource.is_empty() => {
            remove_sent(new);
            Managers::stored(old)
        }
        _ => Managers::of_write(old, new),
    };
    if managers.is_empty() && old.is_some() {
        return;
    }
    let changes = match old {
        Some(old) => compare_objects(old, new, schema, writer.scope),
        None => compare_objects(&empty(new), new, schema, writer.scope),
    };
    if !changes.is_empty() {
        managers.release(&changes.all(), None);
        let api_version = new.get("apiVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
        managers.claim(writer.identity(Operation::Update, &api_version), changes.touched, writer.now);
        managers.cap();
    }
    managers.write(new);
}

/// What a new object is compared with: structs that an object without content has as well have no owner.
fn empty(new: &Value) -> Value {
    let text = |field: &str| new.get(field).and_then(Value::as_str).unwrap_or_default();
    let version: Option<GroupVersion> = text("apiVersion").parse().ok();
    version.and_then(|version| builtin::zero(&version.kind(text("kind")))).unwrap_or_default()
}

fn remove_sent(new: &mut Value) {
    if let Some(metadata) = new.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
}
