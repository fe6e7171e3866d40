//! Paths in the protobuf form of OpenAPI v2: the messages `PathItem`, `Operation` and `Parameter`.

use serde_json::Value;

use super::{any, boolean, message, text};

/// The fields of a `PathItem` with operations.
const OPERATIONS: [(u64, &str); 7] =
    [(2, "get"), (3, "put"), (4, "post"), (5, "delete"), (6, "options"), (7, "head"), (8, "patch")];

/// An entry of `Paths`: a path in the form of version 2.
pub fn named_path(path: &str, item: &Value) -> Vec<u8> {
    let mut entry = Vec::new();
    text(&mut entry, 1, path);
    message(&mut entry, 2, &path_item(item));
    let mut out = Vec::new();
    message(&mut out, 2, &entry);
    out
}

fn path_item(item: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    for (field, method) in OPERATIONS {
        if let Some(described) = item.get(method) {
            message(&mut out, field, &operation(described));
        }
    }
    parameters(&mut out, 9, item);
    out
}

fn operation(operation: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(id) = operation.get("operationId").and_then(Value::as_str) {
        text(&mut out, 5, id);
    }
    parameters(&mut out, 8, operation);
    message(&mut out, 9, &responses(operation));
    for (keyword, value) in operation.as_object().into_iter().flatten() {
        if keyword.starts_with("x-") {
            let mut extension = Vec::new();
            text(&mut extension, 1, keyword);
            message(&mut extension, 2, &any(value));
            message(&mut out, 13, &extension);
        }
    }
    out
}

/// The descriptions of the responses, by code.
fn responses(operation: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    for (code, response) in operation.get("responses").and_then(Value::as_object).into_iter().flatten() {
        let (mut described, mut value, mut named) = (Vec::new(), Vec::new(), Vec::new());
        text(&mut described, 1, response.get("description").and_then(Value::as_str).unwrap_or_default());
        message(&mut value, 1, &described);
        text(&mut named, 1, code);
        message(&mut named, 2, &value);
        message(&mut out, 1, &named);
    }
    out
}

/// The `ParametersItem` of each parameter in the path or the query.
fn parameters(out: &mut Vec<u8>, field: u64, owner: &Value) {
    for parameter in owner.get("parameters").and_then(Value::as_array).into_iter().flatten() {
        // The number of the message, and of two of its fields.
        let (kind, kind_of_value, unique_items) = match parameter.get("in").and_then(Value::as_str) {
            Some("query") => (3, 6, 20),
            Some("path") => (4, 5, 19),
            _ => continue,
        };
        let mut described = Vec::new();
        if parameter.get("required") == Some(&Value::Bool(true)) {
            boolean(&mut described, 1, true);
        }
        for (field, keyword) in [(2, "in"), (3, "description"), (4, "name"), (kind_of_value, "type")] {
            if let Some(value) = parameter.get(keyword).and_then(Value::as_str) {
                text(&mut described, field, value);
            }
        }
        if parameter.get("uniqueItems") == Some(&Value::Bool(true)) {
            boolean(&mut described, unique_items, true);
        }
        let (mut other_than_body, mut any_parameter, mut item) = (Vec::new(), Vec::new(), Vec::new());
        message(&mut other_than_body, kind, &described);
        message(&mut any_parameter, 2, &other_than_body);
        message(&mut item, 1, &any_parameter);
        message(out, field, &item);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The bytes are those of gnostic-models for the same path.
    #[test]
    fn paths_are_messages_of_gnostic() {
        let item = json!({
            "parameters": [{ "in": "path", "name": "name", "required": true, "type": "string", "uniqueItems": true }],
            "patch": {
                "operationId": "p",
                "parameters": [{ "in": "query", "name": "dryRun", "type": "string", "uniqueItems": true }],
                "responses": { "200": { "description": "OK" } },
                "x-k": { "kind": "A" },
            },
        });
        let want = b"\x12}\x0a\x09/a/{name}\x12pBM*\x01pB \x0a\x1e\x12\x1c\x1a\x1a\x12\x05query\"\x06dryRun2\x06string\
            \xa0\x01\x01J\x0f\x0a\x0d\x0a\x03200\x12\x06\x0a\x04\x0a\x02OKj\x15\x0a\x03x-k\x12\x0e\x12\x0c{\"kind\":\"A\"}\
            J\x1f\x0a\x1d\x12\x1b\"\x19\x08\x01\x12\x04path\"\x04name*\x06string\x98\x01\x01";
        assert_eq!(named_path("/a/{name}", &item), want);
    }
}
