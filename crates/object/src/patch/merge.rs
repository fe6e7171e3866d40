//! JSON merge patch (RFC 7386).

use serde_json::{Map, Value};

use super::{PatchError, json_type};

/// Merges `patch` into `document`: maps merge, null removes, anything else replaces.
///
/// Values of the patch lose their null fields at every depth, in lists too, as upstream's library
/// does it.
///
/// # Errors
/// [`PatchError::Malformed`] when the patch is not a map; the document is then unchanged.
pub fn merge_patch(document: &mut Value, patch: &Value) -> Result<(), PatchError> {
    let Value::Object(patch) = patch else {
        let found = json_type(patch);
        return Err(PatchError::Malformed(match patch {
            Value::Null => "Invalid JSON Patch".to_owned(),
            _ => format!(
                "error decoding patch: json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
            ),
        }));
    };
    match document {
        Value::Object(fields) => merge(fields, patch),
        other => *other = Value::Object(without_nulls(patch)),
    }
    Ok(())
}

fn merge(document: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, change) in patch {
        match (document.get_mut(key), change) {
            (_, Value::Null) => {
                document.remove(key);
            }
            (Some(Value::Object(fields)), Value::Object(changes)) => merge(fields, changes),
            (Some(current), _) => *current = copy(change),
            (None, _) => {
                document.insert(key.clone(), copy(change));
            }
        }
    }
}

fn copy(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(without_nulls(fields)),
        Value::Array(elements) => Value::Array(elements.iter().map(copy).collect()),
        scalar => scalar.clone(),
    }
}

fn without_nulls(fields: &Map<String, Value>) -> Map<String, Value> {
    fields
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.clone(), copy(value)))
        .collect()
}

/// The merge patch that turns `old` into `new`: changed fields, and `null` for fields that `new` lacks. Empty if nothing
/// differs. A merge patch cannot write `null`, so a field that is `null` counts as absent.
pub fn difference(old: &Value, new: &Value) -> Value {
    let none = Map::new();
    let (old, new) = (old.as_object().unwrap_or(&none), new.as_object().unwrap_or(&none));
    Value::Object(difference_of_maps(old, new))
}

fn difference_of_maps(old: &Map<String, Value>, new: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    for (field, wanted) in new.iter().filter(|(_, wanted)| !wanted.is_null()) {
        match (old.get(field), wanted) {
            (Some(Value::Object(present)), Value::Object(wanted)) => {
                let inner = difference_of_maps(present, wanted);
                if !inner.is_empty() {
                    patch.insert(field.clone(), Value::Object(inner));
                }
            }
            (Some(present), _) if *present == copy(wanted) => {}
            _ => drop(patch.insert(field.clone(), copy(wanted))),
        }
    }
    let is_gone = |field: &str| new.get(field).is_none_or(Value::is_null);
    let gone = old.iter().filter(|(field, present)| !present.is_null() && is_gone(field));
    patch.extend(gone.map(|(field, _)| (field.clone(), Value::Null)));
    patch
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn merges() {
        // The examples of RFC 7386, appendix A, that start from a map, then the vectors of the contract.
        let cases = [
            ("RFC 1", json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            ("RFC 2", json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            ("RFC 3", json!({"a": "b"}), json!({"a": null}), json!({})),
            ("RFC 4", json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            ("RFC 5", json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            ("RFC 6", json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                "RFC 7",
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            ("RFC 8", json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            ("RFC 13", json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            ("RFC 15", json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
            (
                "MP1",
                json!({"containers": [{"name": "x", "image": "i"}, {"name": "y"}]}),
                json!({"containers": [{"name": "x", "image": "only"}]}),
                json!({"containers": [{"name": "x", "image": "only"}]}),
            ),
            ("MP2", json!({"replicas": 0}), json!({"replicas": null}), json!({})),
            (
                "MP3",
                json!({"labels": {"l1": "a"}}),
                json!({"labels": {"l1": null, "l2": "b"}}),
                json!({"labels": {"l2": "b"}}),
            ),
            ("MP3 all", json!({"labels": {"l1": "a"}}), json!({"labels": null}), json!({})),
            (
                "MP10",
                json!({"matchLabels": {"a": "b"}}),
                json!({"matchLabels": {"c": "d"}}),
                json!({"matchLabels": {"a": "b", "c": "d"}}),
            ),
            (
                "nulls in lists",
                json!({}),
                json!({"a": [{"b": null, "c": 1}, null]}),
                json!({"a": [{"c": 1}, null]}),
            ),
        ];
        for (name, mut document, patch, want) in cases {
            merge_patch(&mut document, &patch).unwrap();
            assert_eq!(document, want, "{name}");
        }
    }

    #[test]
    fn a_difference_is_the_patch_from_one_to_the_other() {
        let cases = [
            ("nothing", json!({ "a": 1 }), json!({ "a": 1 }), json!({})),
            ("changed and new", json!({ "a": 1 }), json!({ "a": 2, "b": 3 }), json!({ "a": 2, "b": 3 })),
            ("missing", json!({ "a": 1, "b": 2 }), json!({ "a": 1 }), json!({ "b": null })),
            (
                "deep inside",
                json!({ "m": { "n": { "x": 1, "y": 2, "z": 3 } } }),
                json!({ "m": { "n": { "x": 1, "y": 3 } } }),
                json!({ "m": { "n": { "y": 3, "z": null } } }),
            ),
            ("lists as a whole", json!({ "l": [1, 2] }), json!({ "l": [1] }), json!({ "l": [1] })),
            ("another type", json!({ "a": { "b": 1 } }), json!({ "a": 1 }), json!({ "a": 1 })),
            ("a null is absent", json!({ "a": 1 }), json!({ "a": null, "b": null }), json!({ "a": null })),
            ("absent is a null", json!({ "a": null }), json!({}), json!({})),
            ("nulls in lists", json!({ "l": [{}] }), json!({ "l": [{ "a": null }] }), json!({})),
            ("no map", Value::Null, json!({ "a": 1 }), json!({ "a": 1 })),
        ];
        for (name, old, new, want) in cases {
            let patch = difference(&old, &new);
            assert_eq!(patch, want, "{name}");
            let mut patched = old;
            merge_patch(&mut patched, &patch).unwrap();
            assert_eq!(difference(&patched, &new), json!({}), "{name}");
        }
    }

    #[test]
    fn mp4_a_list_is_no_merge_patch() {
        let mut document = json!({"a": 1});
        let status = merge_patch(&mut document, &json!([1])).unwrap_err().to_status();
        assert_eq!(
            (status.code, status.message.as_str()),
            (
                400,
                "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"
            )
        );
        assert_eq!(document, json!({"a": 1}));
    }
}
