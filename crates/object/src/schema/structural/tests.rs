use serde_json::json;

use super::*;
use crate::schema::Shape;

const PATH: &str = "schema";

fn errors(schema: &Value) -> Vec<String> {
    let errors = compile(schema, PATH).err().unwrap_or_default();
    errors.iter().map(ToString::to_string).collect()
}

/// A root object with the property `spec`.
fn spec(schema: Value) -> Value {
    json!({"type": "object", "properties": {"spec": schema}})
}

/// Name, schema, and the texts of all refusals.
type Refusal<'a> = (&'a str, Value, &'a [&'a str]);

fn assert_refusals(cases: &[Refusal<'_>]) {
    for (name, schema, want) in cases {
        assert_eq!(errors(schema), *want, "{name}");
    }
}

#[test]
fn types_are_required() {
    assert_refusals(&[
        ("no type at the root", json!({}), &["schema.type: Required value: must not be empty at the root"]),
        (
            "no type of a field",
            spec(json!({})),
            &["schema.properties[spec].type: Required value: must not be empty for specified object fields"],
        ),
        (
            "no type of elements",
            spec(json!({"type": "array", "items": {}})),
            &[
                "schema.properties[spec].items.type: Required value: must not be empty for specified array items",
            ],
        ),
        (
            "list without elements",
            spec(json!({"type": "array"})),
            &["schema.properties[spec].items: Required value: must be specified"],
        ),
        (
            "type inside of a logical operator",
            spec(json!({"type": "object", "anyOf": [{"type": "object"}]})),
            &["schema.properties[spec].anyOf[0].type: Forbidden: must be empty to be structural"],
        ),
        (
            "property that is only validated",
            json!({"type": "object", "properties": {"spec": {"type": "object"}},
                "anyOf": [{"properties": {"spec": {"properties": {"a": {"minimum": 1}}}}}]}),
            &["schema.properties[spec].properties[a]: Required value: because it is defined in \
               schema.anyOf[0].properties[spec].properties[a]"],
        ),
    ]);
}

#[test]
fn shapes_are_consistent() {
    assert_refusals(&[
        (
            "properties and free names",
            spec(
                json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}}),
            ),
            &[
                "schema.properties[spec].additionalProperties: Forbidden: additionalProperties and properties are \
               mutual exclusive",
            ],
        ),
        (
            "restricted metadata",
            json!({"type": "object", "properties": {"metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}}}),
            &[
                "schema.properties[metadata]: Forbidden: must not specify anything other than name and generateName, \
               but metadata is implicitly specified",
            ],
        ),
        (
            "default out of range",
            spec(json!({"type": "integer", "maximum": 10, "default": 99})),
            &[
                "schema.properties[spec].default: Invalid value: 99:  in body should be less than or equal to 10",
            ],
        ),
        (
            "default with unknown fields",
            spec(json!({"type": "object", "properties": {"a": {"type": "string"}}, "default": {"b": 1}})),
            &["schema.properties[spec].default: Invalid value: {\"b\":1}: must not have unknown fields"],
        ),
        (
            "unique items",
            spec(json!({"type": "array", "items": {"type": "string"}, "uniqueItems": true})),
            &[
                "schema.properties[spec].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime \
               complexity becomes quadratic",
            ],
        ),
        (
            "list map without keys",
            spec(json!({"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"})),
            &["schema.properties[spec].x-kubernetes-list-map-keys: Required value: must not be empty if \
               x-kubernetes-list-type is map"],
        ),
    ]);
}

#[test]
fn keywords_are_those_of_upstream() {
    assert_refusals(&[
        (
            "list map with an optional key",
            spec(json!({
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a"],
                "items": {"type": "object", "properties": {"a": {"type": "string"}}},
            })),
            &["schema.properties[spec].items.properties[a].default: Required value: this property is in \
               x-kubernetes-list-map-keys, so it must have a default or be a required property"],
        ),
        (
            "unsupported keyword",
            spec(json!({"type": "object", "$ref": "#/x"})),
            &["schema.properties[spec].$ref: Forbidden: $ref is not supported"],
        ),
        (
            "unknown type",
            spec(json!({"type": "text"})),
            &[
                "schema.properties[spec].type: Unsupported value: \"text\": supported values: \"array\", \"boolean\", \
               \"integer\", \"number\", \"object\", \"string\"",
            ],
        ),
        (
            "embedded resource without fields",
            spec(json!({"type": "object", "x-kubernetes-embedded-resource": true})),
            &["schema.properties[spec].properties: Required value: must not be empty if \
               x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"],
        ),
        (
            "rule without text",
            spec(json!({"type": "object", "x-kubernetes-validations": [{"rule": " "}]})),
            &[
                "schema.properties[spec].x-kubernetes-validations[0].rule: Required value: rule is not specified",
            ],
        ),
    ]);
}

#[test]
fn patterns_must_compile() {
    let error = errors(&spec(json!({"type": "string", "pattern": "("})));
    assert!(
        error[0]
            .starts_with("schema.properties[spec].pattern: Invalid value: \"(\": must be a valid regular")
    );
}

#[test]
fn structural_forms_are_accepted() {
    let cases = [
        (
            "integer or string",
            json!({"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]}),
        ),
        ("anything", json!({"x-kubernetes-preserve-unknown-fields": true})),
        ("free names", json!({"type": "object", "additionalProperties": {"type": "string"}})),
        (
            "embedded resource",
            json!({"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true}),
        ),
        (
            "logic",
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "oneOf": [{"required": ["a"]}]}),
        ),
    ];
    for (name, schema) in cases {
        assert_eq!(errors(&spec(schema)), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn every_object_has_type_and_metadata() {
    let name = json!({"type": "object", "properties": {"name": {"type": "string", "maxLength": 3}}});
    let schema = json!({"type": "object", "properties": {"metadata": name, "spec": {"type": "object"}}});
    let compiled = compile(&schema, PATH).expect("structural");
    let root = compiled.schema();
    assert_eq!(root.property("kind").expect("a kind").node().shape, Shape::String);
    let metadata = root.property("metadata").expect("metadata");
    assert!(
        metadata
            .property("ownerReferences")
            .and_then(Schema::items)
            .expect("items")
            .property("uid")
            .is_some()
    );
    let name = metadata.property("name").expect("a name").node();
    assert_eq!(name.checks.as_ref().and_then(|checks| checks.max_length), Some(3));
}

#[test]
fn unknown_formats_are_warned_about() {
    let schema = spec(json!({"type": "string", "format": "fancy"}));
    assert_eq!(compile(&schema, PATH).expect("structural").warnings, ["unrecognized format \"fancy\""]);
    let schema = spec(json!({"type": "integer", "format": "int32"}));
    assert_eq!(compile(&schema, PATH).expect("structural").warnings, Vec::<String>::new());
}
