//! Schemas and paths of OpenAPI v3 in the form of OpenAPI v2, which older tools read: Terraform, `kubectl explain
//! --output=plaintext-openapiv2`, `kubectl --dry-run=server` up to 1.26.
//!
//! Version 2 has no `oneOf`, `anyOf`, `not` and `nullable`, and a reference stands alone. As in kube-apiserver, defaults are
//! left out (apiextensions-apiserver pkg/controller/openapi/v2/conversion.go, kube-openapi pkg/handler/default_pruning.go).

mod paths;
mod protobuf;

use serde_json::{Map, Value, json};

pub use paths::path_item;
pub use protobuf::{document, named_definition, named_path};

/// Keywords that version 2 does not have, or that are not published in it.
const DROPPED: [&str; 6] = ["oneOf", "anyOf", "allOf", "not", "nullable", "default"];
/// Keywords with schemas by name.
const MAPS: [&str; 1] = ["properties"];
/// Keywords with one schema.
const NESTED: [&str; 2] = ["items", "additionalProperties"];

/// The definition of a schema.
pub fn definition(schema: &Value) -> Value {
    let Some(source) = schema.as_object() else { return schema.clone() };
    let mut made = Map::new();
    for (keyword, value) in source.iter().filter(|(keyword, _)| !DROPPED.contains(&keyword.as_str())) {
        let value = match (keyword.as_str(), value) {
            ("$ref", Value::String(reference)) => json!(moved(reference)),
            (keyword, Value::Object(map)) if MAPS.contains(&keyword) => {
                Value::Object(map.iter().map(|(name, schema)| (name.clone(), definition(schema))).collect())
            }
            (keyword, schema) if NESTED.contains(&keyword) => definition(schema),
            (_, other) => other.clone(),
        };
        made.insert(keyword.clone(), value);
    }
    // A reference with a description is an `allOf` of one in version 3.
    let wrapped = source.get("allOf").and_then(Value::as_array).filter(|all| all.len() == 1);
    if let Some(reference) = wrapped.and_then(|all| all[0].get("$ref")).and_then(Value::as_str) {
        made.insert("$ref".to_owned(), json!(moved(reference)));
    }
    if source.contains_key("oneOf") && !made.contains_key("type") && made.contains_key("format") {
        made.insert("type".to_owned(), json!("string"));
    }
    drop_what_clients_cannot_read(source, &mut made);
    Value::Object(made)
}

fn moved(reference: &str) -> String {
    reference.replacen("#/components/schemas/", "#/definitions/", 1)
}

/// kubectl cannot read a type that may be null, unknown fields beside known ones, and lists without items.
fn drop_what_clients_cannot_read(source: &Map<String, Value>, made: &mut Map<String, Value>) {
    let is_true = |keyword: &str| source.get(keyword) == Some(&Value::Bool(true));
    let preserves = is_true("x-kubernetes-preserve-unknown-fields");
    let is_nullable = is_true("nullable");
    if is_nullable || preserves {
        made.remove("items");
        made.remove("properties");
    }
    let kind = made.get("type").and_then(Value::as_str).unwrap_or_default();
    let is_bare_list = kind == "array" && !made.contains_key("items");
    if is_nullable || is_bare_list || (preserves && kind == "object") || is_true("x-kubernetes-int-or-string")
    {
        made.remove("type");
    }
    let nullable: Vec<&String> = source
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(_, schema)| schema["nullable"] == true)
        .map(|(name, _)| name)
        .collect();
    if let Some(required) = made.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| !nullable.iter().any(|nullable| name == nullable.as_str()));
        if required.is_empty() {
            made.remove("required");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_have_the_form_of_version_2() {
        let cases = [
            (
                "a reference with a description",
                json!({ "allOf": [{ "$ref": "#/components/schemas/a.B" }], "description": "x", "default": {} }),
                json!({ "$ref": "#/definitions/a.B", "description": "x" }),
            ),
            (
                "a number or a word",
                json!({ "oneOf": [{ "type": "integer" }, { "type": "string" }], "format": "int-or-string" }),
                json!({ "type": "string", "format": "int-or-string" }),
            ),
            (
                "nested schemas",
                json!({ "type": "object", "required": ["a", "n"], "properties": {
                    "a": { "type": "array", "items": { "type": "string", "default": "" } },
                    "n": { "type": "string", "nullable": true } } }),
                json!({ "type": "object", "required": ["a"], "properties": {
                    "a": { "type": "array", "items": { "type": "string" } }, "n": {} } }),
            ),
            (
                "unknown fields",
                json!({ "type": "object", "properties": { "a": {} }, "x-kubernetes-preserve-unknown-fields": true }),
                json!({ "x-kubernetes-preserve-unknown-fields": true }),
            ),
            ("a list of anything", json!({ "type": "array" }), json!({})),
        ];
        for (name, schema, want) in cases {
            assert_eq!(definition(&schema), want, "{name}");
        }
    }
}
