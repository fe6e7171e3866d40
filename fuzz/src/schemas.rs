//! Schemas of custom resources, and their validation rules.

use portolan_object::Interrupt;
use portolan_object::schema::{rules, structural};
use serde_json::{Value, json};

/// `openAPIV3Schema` of a CustomResourceDefinition.
pub(crate) fn crd_schema(data: &[u8]) {
    let Ok(schema) = serde_json::from_slice::<Value>(data) else { return };
    let _ = structural::compile(&schema, "spec.validation.openAPIV3Schema");
}

/// `x-kubernetes-validations[].rule`, estimated, and evaluated on an object with more elements than its schema promises.
/// It never costs more than an object may.
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
                "text": { "type": "string" },
            },
            "x-kubernetes-validations": [{ "rule": rule }],
        } },
    });
    let Ok(structural) = structural::compile(&schema, "schema") else { return };
    let compilation = rules::compile(&structural, "schema");
    let items: Vec<String> = (0..30).map(|at| format!("i{at}")).collect();
    let object = json!({ "spec": { "name": "web", "count": 2, "items": items, "text": "ab".repeat(200) } });
    let outcome =
        compilation.rules.evaluate(&object, Some(&object), structural.schema(), &Interrupt::never());
    assert!(outcome.cost <= rules::OBJECT_COST_LIMIT, "cost {}", outcome.cost);
}
