//! Rules for structural schemas: every value has one type, declared outside of logical operators.
//!
//! Texts and sorting follow upstream's `ValidateStructural`.

use serde_json::json;

use super::pattern;
use super::props::Props;
use crate::status::FieldError;

/// Position of a schema; it decides which keywords are required.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    Root,
    Item,
    Field,
}

/// Members that only the structural part may have, with the texts of the refusal.
const FORBIDDEN_IN_VALIDATION: [(&str, &str); 11] = [
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
];

/// Members that count as soon as they are there, even if empty.
const FORBIDDEN_WHEN_PRESENT: [&str; 2] = ["x-kubernetes-list-type", "x-kubernetes-map-type"];

/// All violations, sorted by their texts.
pub(super) fn check(schema: Props<'_>, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    check_node(schema, Level::Root, path, &mut errors);
    check_completeness(schema, Some(schema), path, path, &mut errors);
    errors.sort_by_cached_key(ToString::to_string);
    errors
}

fn check_node(schema: Props<'_>, level: Level, path: &str, errors: &mut Vec<FieldError>) {
    if schema.kind() == "array" && schema.schema("items").is_none() {
        errors.push(FieldError::required(format!("{path}.items"), "must be specified"));
    }
    if let Some(items) = schema.schema("items") {
        check_node(items, Level::Item, &format!("{path}.items"), errors);
    }
    for (name, property) in schema.named("properties") {
        check_node(property, Level::Field, &format!("{path}.properties[{name}]"), errors);
    }
    if schema.get("additionalProperties").is_some() {
        let path = format!("{path}.additionalProperties");
        if level == Level::Root {
            errors.push(FieldError::forbidden(path.clone(), "must not be used at the root"));
        }
        if let Some(values) = schema.schema("additionalProperties") {
            check_node(values, Level::Field, &path, errors);
        }
    }
    for extension in ["x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"] {
        if schema.is_int_or_string() && schema.flag(extension) {
            let detail = "must be false if x-kubernetes-int-or-string is true";
            errors.push(FieldError::invalid(format!("{path}.{extension}"), &json!(true), detail));
        }
    }
    let skip = Skip { any_of: is_int_or_string(schema), first_all_of: first_all_of_is_int_or_string(schema) };
    check_validation(schema, skip, path, errors);
    check_type(schema, level, path, errors);
    check_object_fields(schema, level, path, errors);
}

fn check_type(schema: Props<'_>, level: Level, path: &str, errors: &mut Vec<FieldError>) {
    let kind = schema.kind();
    let path = format!("{path}.type");
    if schema.is_embedded() && kind != "object" {
        let detail = "must be object if x-kubernetes-embedded-resource is true";
        errors.push(match kind {
            "" => FieldError::required(path.clone(), detail),
            _ => FieldError::invalid(path.clone(), &json!(kind), detail),
        });
    } else if kind.is_empty() && !schema.is_int_or_string() && !schema.preserves_unknown() {
        let detail = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        errors.push(FieldError::required(path.clone(), detail));
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        errors.push(FieldError::invalid(path, &json!(kind), "must be object at the root"));
    }
}

/// `apiVersion`, `kind` and `metadata` are what they are; a schema may say little about them.
fn check_object_fields(schema: Props<'_>, level: Level, path: &str, errors: &mut Vec<FieldError>) {
    let is_resource = level == Level::Root || schema.is_embedded();
    if is_resource {
        for (name, kind) in [("kind", "string"), ("apiVersion", "string"), ("metadata", "object")] {
            if let Some(property) = schema.property(name).filter(|property| property.kind() != kind) {
                let path = format!("{path}.properties[{name}].type");
                errors.push(FieldError::invalid(path, &json!(property.kind()), format!("must be {kind}")));
            }
        }
    }
    if let (Level::Root, Some(metadata)) = (level, schema.property("metadata"))
        && !restricts_names_only(metadata)
    {
        errors.push(FieldError::forbidden(
            format!("{path}.properties[metadata]"),
            "must not specify anything other than name and generateName, but metadata is implicitly specified",
        ));
    }
    if schema.is_embedded() {
        if schema.get("additionalProperties").is_some() {
            let detail = "must not be used if x-kubernetes-embedded-resource is set";
            errors.push(FieldError::forbidden(format!("{path}.additionalProperties"), detail));
        }
        if !schema.preserves_unknown() && !schema.has("properties") {
            errors.push(FieldError::required(
                format!("{path}.properties"),
                "must not be empty if x-kubernetes-embedded-resource is true without \
                 x-kubernetes-preserve-unknown-fields",
            ));
        }
    }
}

fn restricts_names_only(metadata: Props<'_>) -> bool {
    let fields = metadata.0.as_object().into_iter().flatten();
    fields.filter(|(name, _)| metadata.has(name)).all(|(name, _)| match name.as_str() {
        "type" | "default" => true,
        "properties" => {
            metadata.named("properties").all(|(name, _)| name == "name" || name == "generateName")
        }
        _ => false,
    })
}

/// The two forms of an integer-or-string that may repeat types inside of validation.
#[derive(Clone, Copy, Default)]
struct Skip {
    any_of: bool,
    first_all_of: bool,
}

fn is_int_or_string(schema: Props<'_>) -> bool {
    let forms = [json!({"type": "integer"}), json!({"type": "string"})];
    schema.list("anyOf") == forms
}

fn first_all_of_is_int_or_string(schema: Props<'_>) -> bool {
    schema.schemas("allOf").next().is_some_and(is_int_or_string)
}

fn check_validation(schema: Props<'_>, skip: Skip, path: &str, errors: &mut Vec<FieldError>) {
    for operator in ["anyOf", "allOf", "oneOf"] {
        if operator == "anyOf" && skip.any_of {
            continue;
        }
        for (index, nested) in schema.schemas(operator).enumerate() {
            let skip =
                Skip { any_of: operator == "allOf" && index == 0 && skip.first_all_of, first_all_of: false };
            check_nested(nested, skip, &format!("{path}.{operator}[{index}]"), errors);
        }
    }
    if let Some(nested) = schema.schema("not") {
        check_nested(nested, Skip::default(), &format!("{path}.not"), errors);
    }
    let text = schema.str_field("pattern");
    if let Err(error) = pattern::compile(text) {
        let detail = format!("must be a valid regular expression, but isn't: {error}");
        errors.push(FieldError::invalid(format!("{path}.pattern"), &json!(text), detail));
    }
}

fn check_nested(schema: Props<'_>, skip: Skip, path: &str, errors: &mut Vec<FieldError>) {
    check_validation(schema, skip, path, errors);
    if let Some(items) = schema.schema("items") {
        check_nested(items, Skip::default(), &format!("{path}.items"), errors);
    }
    for (name, property) in schema.named("properties") {
        check_nested(property, Skip::default(), &format!("{path}.properties[{name}]"), errors);
    }
    for (name, detail) in FORBIDDEN_IN_VALIDATION {
        let counts = schema.has(name)
            || (matches!(name, "default" | "additionalProperties") && is_there(schema, name));
        if counts {
            errors.push(FieldError::forbidden(format!("{path}.{name}"), detail));
        }
    }
    for name in FORBIDDEN_WHEN_PRESENT.iter().filter(|name| is_there(schema, name)) {
        errors.push(FieldError::forbidden(format!("{path}.{name}"), "must be undefined to be structural"));
    }
    if schema.property("metadata").is_some() {
        let path = format!("{path}.properties[metadata]");
        errors.push(FieldError::forbidden(path, "must not be specified in a nested context"));
    }
}

fn is_there(schema: Props<'_>, name: &str) -> bool {
    schema.get(name).is_some()
}

/// Fields that value validation mentions have to be specified outside of it, too.
fn check_completeness(
    validation: Props<'_>,
    structure: Option<Props<'_>>,
    path: &str,
    validation_path: &str,
    errors: &mut Vec<FieldError>,
) {
    let mut nested: Vec<(Props<'_>, String)> = Vec::new();
    nested.extend(validation.schema("not").map(|schema| (schema, format!("{validation_path}.not"))));
    for operator in ["allOf", "anyOf", "oneOf"] {
        let schemas = validation.schemas(operator).enumerate();
        nested.extend(schemas.map(|(at, schema)| (schema, format!("{validation_path}.{operator}[{at}]"))));
    }
    for (schema, validation_path) in nested {
        check_nested_completeness(schema, structure, path, &validation_path, errors);
    }
}

fn check_nested_completeness(
    validation: Props<'_>,
    structure: Option<Props<'_>>,
    path: &str,
    validation_path: &str,
    errors: &mut Vec<FieldError>,
) {
    let Some(known) = structure else {
        errors.push(FieldError::required(path, &format!("because it is defined in {validation_path}")));
        return;
    };
    check_completeness(validation, structure, path, validation_path, errors);
    if let Some(items) = validation.schema("items") {
        let paths = (format!("{path}.items"), format!("{validation_path}.items"));
        check_nested_completeness(items, known.schema("items"), &paths.0, &paths.1, errors);
    }
    for (name, property) in validation.named("properties") {
        let paths = (format!("{path}.properties[{name}]"), format!("{validation_path}.properties[{name}]"));
        check_nested_completeness(property, known.property(name), &paths.0, &paths.1, errors);
    }
}
