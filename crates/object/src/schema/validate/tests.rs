use serde_json::json;

use super::*;
use crate::schema::structural::{self, Structural};

fn compiled(spec: Value) -> Structural {
    let schema = json!({"type": "object", "properties": {"spec": spec}});
    structural::compile(&schema, "schema").expect("structural")
}

fn validate(value: &Value, schema: Schema<'_>) -> Vec<FieldError> {
    super::validate(value, None, schema, &Interrupt::never())
}

fn texts(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

fn widget() -> Structural {
    compiled(json!({"type": "object", "required": ["color"], "properties": {
        "color": {"type": "string", "enum": ["red", "green", "blue"]},
        "replicas": {"type": "integer", "minimum": 0, "maximum": 10, "format": "int32"},
        "ratio": {"type": "number", "exclusiveMinimum": true, "minimum": 0.5, "multipleOf": 0.25},
        "note": {"type": "string", "minLength": 2, "maxLength": 8, "pattern": "^[a-z\u{e4}]*$"},
        "since": {"type": "string", "format": "date-time"},
        "port": {"x-kubernetes-int-or-string": true, "pattern": "^[a-z]+$"},
        "list": {"type": "array", "minItems": 1, "maxItems": 2, "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}},
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "labels": {"type": "object", "maxProperties": 1, "additionalProperties": {"type": "string"}},
        "free": {"x-kubernetes-preserve-unknown-fields": true},
        "tmpl": {"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true},
        "either": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
            "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        "any": {"type": "integer", "anyOf": [{"minimum": 10}, {"maximum": 1}], "not": {"enum": [42]}},
        "all": {"type": "integer", "allOf": [{"minimum": 1}, {"multipleOf": 2}]},
    }}))
}

/// Name, `spec`, and the texts of all errors. A color is added where there is none, but for the case that lacks it.
type Invalid<'a> = (&'a str, Value, &'a [&'a str]);

fn assert_errors(cases: &[Invalid<'_>]) {
    let schema = widget();
    for (name, spec, want) in cases {
        let mut spec = spec.clone();
        if *name != "required" && spec.get("color").is_none() {
            spec["color"] = json!("red");
        }
        assert_eq!(texts(&validate(&json!({"spec": spec}), schema.schema())), *want, "{name}");
    }
}

#[test]
fn fields_and_numbers_are_checked() {
    assert_errors(&[
        ("required", json!({}), &["spec.color: Required value"]),
        (
            "enum",
            json!({"color": "pink"}),
            &[r#"spec.color: Unsupported value: "pink": supported values: "red", "green", "blue""#],
        ),
        (
            "type and enum",
            json!({"color": 5}),
            &[
                r#"spec.color: Invalid value: "integer": spec.color in body must be of type string: "integer""#,
                r#"spec.color: Unsupported value: 5: supported values: "red", "green", "blue""#,
            ],
        ),
        (
            "maximum",
            json!({"replicas": 11}),
            &["spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10"],
        ),
        ("whole number with a fraction of zero", json!({"replicas": 1.0}), &[]),
        (
            "exclusive minimum and multiple",
            json!({"ratio": 0.3}),
            &[
                "spec.ratio: Invalid value: 0.3: spec.ratio in body should be a multiple of 0.25",
                "spec.ratio: Invalid value: 0.3: spec.ratio in body should be greater than 0.5",
            ],
        ),
        (
            "too long in code points",
            json!({"note": "\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}"}),
            &["spec.note: Too long: may not be more than 8 bytes"],
        ),
    ]);
}

#[test]
fn texts_and_formats_are_checked() {
    assert_errors(&[
        ("eight code points", json!({"note": "\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}"}), &[]),
        (
            "too short",
            json!({"note": "a"}),
            &[r#"spec.note: Invalid value: "a": spec.note in body should be at least 2 chars long"#],
        ),
        (
            "pattern",
            json!({"note": "A1"}),
            &["spec.note: Invalid value: \"A1\": spec.note in body should match '^[a-z\u{e4}]*$'"],
        ),
        (
            "format",
            json!({"since": "yesterday"}),
            &[
                r#"spec.since: Invalid value: "yesterday": spec.since in body must be of type date-time: "yesterday""#,
            ],
        ),
        (
            "number where a format is declared",
            json!({"since": 5}),
            &[r#"spec.since: Invalid value: "int64": spec.since in body must be of type date-time: "int64""#],
        ),
        ("integer or string", json!({"port": 8080}), &[]),
        (
            "neither integer nor string",
            json!({"port": true}),
            &[
                r#"spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean""#,
            ],
        ),
    ]);
}

#[test]
fn lists_and_maps_are_checked() {
    assert_errors(&[
        (
            "list",
            json!({"list": []}),
            &["spec.list: Invalid value: 0: spec.list in body should have at least 1 items"],
        ),
        (
            "duplicate key and too many",
            json!({"list": [{"name": "a"}, {"name": "a"}, {}]}),
            &[
                "spec.list[2].name: Required value",
                "spec.list: Too many: 3: must have at most 2 items",
                r#"spec.list[1]: Duplicate value: {"name":"a"}"#,
            ],
        ),
        ("duplicate element", json!({"set": ["a", "a", "a"]}), &[r#"spec.set[1]: Duplicate value: "a""#]),
        (
            "map",
            json!({"labels": {"a": 1, "b": "x"}}),
            &[
                "spec.labels: Too many: 2: must have at most 1 item",
                r#"spec.labels.a: Invalid value: "integer": spec.labels.a in body must be of type string: "integer""#,
            ],
        ),
        ("anything", json!({"free": [1, {"a": null}]}), &[]),
        (
            "embedded resource",
            json!({"tmpl": {"kind": ""}}),
            &[
                "spec.tmpl.apiVersion: Required value",
                r#"spec.tmpl.kind: Invalid value: "": must not be empty"#,
            ],
        ),
        (
            "none of one",
            json!({"either": {}}),
            &[
                r#"<nil>: Invalid value: "": "spec.either" must validate one and only one schema (oneOf). Found none valid"#,
                "spec.either.a: Required value",
            ],
        ),
    ]);
}

#[test]
fn alternatives_are_checked() {
    assert_errors(&[
        (
            "both of one",
            json!({"either": {"a": "", "b": ""}}),
            &[
                r#"<nil>: Invalid value: "": "spec.either" must validate one and only one schema (oneOf). Found 2 valid alternatives"#,
            ],
        ),
        (
            "none of any",
            json!({"any": 5}),
            &[
                r#"<nil>: Invalid value: "": "spec.any" must validate at least one schema (anyOf)"#,
                "spec.any: Invalid value: 5: spec.any in body should be greater than or equal to 10",
            ],
        ),
        (
            "not",
            json!({"any": 42}),
            &[r#"<nil>: Invalid value: "": "spec.any" must not validate the schema (not)"#],
        ),
        (
            "some of all",
            json!({"all": 3}),
            &[
                "spec.all: Invalid value: 3: spec.all in body should be a multiple of 2",
                r#"<nil>: Invalid value: "": "spec.all" must validate all the schemas (allOf)"#,
            ],
        ),
    ]);
}

#[test]
fn what_stays_as_it_was_is_not_blamed() {
    let schema = widget();
    let old = json!({"spec": {"color": "pink", "replicas": 99, "list": [{"name": "a"}, {}]}});
    let new = json!({"spec": {"color": "pink", "replicas": 98, "list": [{"name": "b"}, {}]}});
    let errors = super::validate(&new, Some(&old), schema.schema(), &Interrupt::never());
    assert_eq!(
        texts(&errors),
        ["spec.replicas: Invalid value: 98: spec.replicas in body should be less than or equal to 10"]
    );
}

#[test]
fn unchecked_rules_are_mentioned() {
    let rule = json!([{"rule": "true"}]);
    let schema = compiled(json!({"type": "object", "required": ["a"], "x-kubernetes-validations": rule,
        "properties": {"a": {"type": "integer", "minimum": 1}}}));
    let errors = validate(&json!({"spec": {}}), schema.schema());
    assert!(blocks_rules(&errors));
    assert_eq!(
        texts(&errors)[1],
        "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; \
         correct the existing errors to complete validation"
    );
    assert_eq!(
        validate(&json!({"spec": {"a": 0}}), schema.schema()).len(),
        1,
        "rules are checked after a range error"
    );
}

#[test]
fn metadata_is_not_validated_here() {
    let value = json!({"metadata": {"ownerReferences": [{}], "labels": {"a": 1}}, "spec": {"color": "red"}});
    assert_eq!(validate(&value, widget().schema()), []);
}
