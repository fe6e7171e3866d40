//! JSON merge patches that turn one status into another.
//!
//! A merge patch keeps fields that it does not mention. A counter that became zero is left out of a status, so the
//! patch must remove it with `null`. Pure: sends nothing.

use portolan_object::Object;
use portolan_runtime::client::Patch;
use serde_json::{Value, json};

/// The patch of the status subresource that turns the status of `object` into `status`.
pub(crate) fn status_patch(object: &Object, status: &Value) -> Patch {
    let present = object.0.get("status").unwrap_or(&Value::Null);
    Patch::Merge(json!({ "status": difference(present, status) }))
}

/// A merge patch: changed fields, and `null` for missing ones, at every level of objects.
pub(crate) fn difference(old: &Value, new: &Value) -> Value {
    let mut patch = serde_json::Map::new();
    for (field, value) in new.as_object().into_iter().flatten() {
        match (old.get(field), value) {
            (Some(present), _) if present == value => {}
            // A merge would keep entries of the old map that the new one lacks.
            (Some(present @ Value::Object(_)), Value::Object(_)) => {
                patch.insert(field.clone(), difference(present, value));
            }
            _ => drop(patch.insert(field.clone(), value.clone())),
        }
    }
    for field in old.as_object().into_iter().flat_map(|old| old.keys()) {
        if new.get(field).is_none() {
            patch.insert(field.clone(), Value::Null);
        }
    }
    Value::Object(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences() {
        let cases = [
            ("nothing", json!({ "a": 1 }), json!({ "a": 1 }), json!({})),
            ("changed and new", json!({ "a": 1 }), json!({ "a": 2, "b": 3 }), json!({ "a": 2, "b": 3 })),
            ("missing", json!({ "a": 1, "b": 2 }), json!({ "a": 1 }), json!({ "b": null })),
            (
                "missing inside",
                json!({ "m": { "x": 1, "y": 2 } }),
                json!({ "m": { "x": 1 } }),
                json!({ "m": { "x": 1, "y": null } }),
            ),
        ];
        for (name, old, new, want) in cases {
            assert_eq!(difference(&old, &new), want, "{name}");
        }
    }
}
