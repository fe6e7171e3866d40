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
