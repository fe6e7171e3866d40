//! JSON merge patches that turn one status into another.
//!
//! Every controller that writes a status uses this, for a merge patch keeps fields that it does not mention: a counter
//! that is zero, and so left out, would stay what it was. Never sends anything.

use serde_json::Value;

/// A merge patch of the top level: changed fields, and null for those that are gone.
pub(crate) fn difference(old: &Value, new: &Value) -> Value {
    let mut patch = serde_json::Map::new();
    for (field, value) in new.as_object().into_iter().flatten() {
        match (old.get(field), value) {
            (Some(present), _) if present == value => {}
            // A merge would keep members of the old map that are gone from the new one.
            (Some(Value::Object(present)), Value::Object(wanted)) => {
                let mut inner: serde_json::Map<String, Value> = wanted.clone();
                let gone = present.keys().filter(|key| !wanted.contains_key(*key));
                inner.extend(gone.map(|key| (key.clone(), Value::Null)));
                patch.insert(field.clone(), Value::Object(inner));
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
    use serde_json::json;

    #[test]
    fn differences() {
        let cases = [
            ("nothing", json!({ "a": 1 }), json!({ "a": 1 }), json!({})),
            ("changed and new", json!({ "a": 1 }), json!({ "a": 2, "b": 3 }), json!({ "a": 2, "b": 3 })),
            ("gone", json!({ "a": 1, "b": 2 }), json!({ "a": 1 }), json!({ "b": null })),
            (
                "gone inside",
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
