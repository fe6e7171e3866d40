//! Schemas of custom resources, and their validation rules.

use portolan_object::schema::{rules, structural};
use serde_json::{Value, json};

/// `openAPIV3Schema` of a CustomResourceDefinition.
pub(crate) fn crd_schema(data: &[u8]) {
    let Ok(schema) = serde_json::from_slice::<Value>(data) else { return };
    let _ = structural::compile(&schema, "spec.validation.openAPIV3Schema");
}

/// `x-kubernetes-validations[].rule`, compiled, and evaluated on a small object.
pub(crate) fn cel(data: &[u8]) {
    let Ok(rule) = std::str::from_utf8(data) else { return };
    let schema = json!({
        "type": "object",
        "properties": { "spec": {
            "type": "object",
            "properties": {
                "name": { "type": "string", "maxLength": 20 },
                "count": { "type": "integer" },
                "items": { "type": "array", "maxItems": 3, "items": { "type": "string", "maxLength": 5 } },
            },
            "x-kubernetes-validations": [{ "rule": rule }],
        } },
    });
    let Ok(structural) = structural::compile(&schema, "schema") else { return };
    let compilation = rules::compile(&structural, "schema");
    let object = json!({ "spec": { "name": "web", "count": 2, "items": ["a", "b"] } });
    compilation.rules.evaluate(&object, Some(&object), structural.schema());
}
