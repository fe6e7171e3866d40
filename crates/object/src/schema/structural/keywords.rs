//! The rules for single keywords: which are supported, and what list and map types require.
//!
//! Texts and order follow upstream's `ValidateCustomResourceDefinitionOpenAPISchema`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::props::Props;
use crate::schema::field_path;
use crate::status::FieldError;

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
const REASONS: [&str; 4] =
    ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
const UNSUPPORTED: [&str; 6] = ["id", "patternProperties", "definitions", "dependencies", "$ref", "$schema"];

/// Whether the schema or a part of it has a keyword that makes it impossible to read as structural.
pub(super) fn has_unsupported(schema: Props<'_>) -> bool {
    let is_unsupported = UNSUPPORTED.iter().any(|name| schema.has(name))
        || schema.get("additionalItems").is_some()
        || !schema.list("items").is_empty();
    is_unsupported || parts(schema, "").any(|(part, _)| has_unsupported(part))
}

/// All violations in the schema and its parts.
pub(super) fn check(schema: Props<'_>, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    check_node(schema, path, Place { is_root: true, ..Place::default() }, &mut errors);
    errors
}

/// Position of a schema.
#[derive(Clone, Copy, Default)]
struct Place<'a> {
    is_root: bool,
    is_in_metadata: bool,
    /// Why there may be no default; empty when there may.
    no_default: &'a str,
}

/// The schemas directly inside a schema, with their paths.
fn parts<'a>(schema: Props<'a>, path: &str) -> impl Iterator<Item = (Props<'a>, String)> {
    let mut parts = Vec::new();
    for name in ["additionalProperties", "not", "items"] {
        parts.extend(schema.schema(name).map(|part| (part, format!("{path}.{name}"))));
    }
    for name in ["properties", "definitions"] {
        parts.extend(schema.named(name).map(|(key, part)| (part, format!("{path}.{name}[{key}]"))));
    }
    for name in ["allOf", "oneOf", "anyOf", "items"] {
        let schemas = schema.schemas(name).enumerate();
        parts.extend(schemas.map(|(at, part)| (part, format!("{path}.{name}[{at}]"))));
    }
    parts.into_iter()
}

fn check_node(schema: Props<'_>, path: &str, place: Place<'_>, errors: &mut Vec<FieldError>) {
    check_support(schema, path, place, errors);
    if schema.flag("uniqueItems") {
        errors.push(FieldError::forbidden(
            format!("{path}.uniqueItems"),
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        ));
    }
    let restricts_others =
        schema.get("additionalProperties").is_some_and(|values| *values != Value::Bool(true));
    if restricts_others && schema.has("properties") {
        errors.push(FieldError::forbidden(
            format!("{path}.additionalProperties"),
            "additionalProperties and properties are mutual exclusive",
        ));
    }
    let is_resource = place.is_root || schema.is_embedded();
    for (part, part_path) in parts(schema, path) {
        let below = Place { is_root: false, ..place };
        let metadata_field = ["metadata", "apiVersion", "kind"]
            .into_iter()
            .find(|name| is_resource && part_path.ends_with(&format!(".properties[{name}]")));
        let below = match metadata_field {
            Some(name) if place.is_root => {
                Place { is_in_metadata: true, no_default: root_reason(name), ..below }
            }
            Some(_) => Place { is_in_metadata: true, ..below },
            None if place.is_in_metadata && part_path.ends_with(".additionalProperties") => {
                Place { no_default: " inside additionalProperties applying to object metadata", ..below }
            }
            None => below,
        };
        check_node(part, &part_path, below, errors);
    }
    check_extensions(schema, path, errors);
    check_list_map(schema, path, errors);
    check_list_keys(schema, path, errors);
    for (at, rule) in schema.list("x-kubernetes-validations").iter().enumerate() {
        check_rule(Props(rule), schema, &format!("{path}.x-kubernetes-validations[{at}]"), errors);
    }
}

fn root_reason(field: &str) -> &'static str {
    match field {
        "metadata" => " in top-level metadata",
        "apiVersion" => " in top-level apiVersion",
        _ => " in top-level kind",
    }
}

fn check_support(schema: Props<'_>, path: &str, place: Place<'_>, errors: &mut Vec<FieldError>) {
    let kind = schema.kind();
    if !kind.is_empty() && !TYPES.contains(&kind) {
        errors.push(FieldError::not_supported(format!("{path}.type"), &json!(kind), &TYPES));
    }
    if schema.get("default").is_some() && !place.no_default.is_empty() {
        errors.push(FieldError::forbidden(
            format!("{path}.default"),
            format!("must not be set{}", place.no_default),
        ));
    }
    for name in UNSUPPORTED.iter().filter(|name| **name != "$schema" && schema.has(name)) {
        errors.push(FieldError::forbidden(format!("{path}.{name}"), format!("{name} is not supported")));
    }
    if schema.get("additionalItems").is_some() {
        errors.push(FieldError::forbidden(
            format!("{path}.additionalItems"),
            "additionalItems is not supported",
        ));
    }
    if kind == "null" {
        let detail = "type cannot be set to null, use nullable as an alternative";
        errors.push(FieldError::forbidden(format!("{path}.type"), detail));
    }
    if !schema.list("items").is_empty() {
        let detail = "items must be a schema object and not an array";
        errors.push(FieldError::forbidden(format!("{path}.items"), detail));
    }
    if place.is_in_metadata && schema.is_embedded() {
        let path = format!("{path}.x-kubernetes-embedded-resource");
        errors.push(FieldError::forbidden(path, "must not be used inside of resource meta"));
    }
}

fn check_extensions(schema: Props<'_>, path: &str, errors: &mut Vec<FieldError>) {
    if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(false)) {
        let path = format!("{path}.x-kubernetes-preserve-unknown-fields");
        errors.push(FieldError::invalid(path, &json!(false), "must be true or undefined"));
    }
    let extensions = [
        ("x-kubernetes-map-type", "object", &["atomic", "granular"][..]),
        ("x-kubernetes-list-type", "array", &["atomic", "set", "map"][..]),
    ];
    for (name, kind, allowed) in extensions {
        let Some(value) = schema.get(name) else { continue };
        if schema.kind() != kind {
            let (path, detail) = (format!("{path}.type"), format!("must be {kind} if {name} is specified"));
            errors.push(match schema.kind() {
                "" => FieldError::required(path, &detail),
                found => FieldError::invalid(path, &json!(found), detail),
            });
        } else if *value == "set" {
            check_set_items(schema, path, errors);
        }
        if !allowed.contains(&value.as_str().unwrap_or_default()) {
            errors.push(FieldError::not_supported(format!("{path}.{name}"), value, allowed));
        }
    }
}

/// Elements of a set are compared whole, so they must be atomic.
fn check_set_items(schema: Props<'_>, path: &str, errors: &mut Vec<FieldError>) {
    let Some(items) = schema.schema("items") else { return };
    let (name, is_atomic) = match items.kind() {
        "array" => {
            ("x-kubernetes-list-type", matches!(items.str_field("x-kubernetes-list-type"), "" | "atomic"))
        }
        "object" => ("x-kubernetes-map-type", items.str_field("x-kubernetes-map-type") == "atomic"),
        _ => return,
    };
    if !is_atomic {
        let found = items.get("x-kubernetes-list-type").unwrap_or(&Value::Null);
        let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
        errors.push(FieldError::invalid(format!("{path}.items.{name}"), found, detail));
    }
}

fn check_list_map(schema: Props<'_>, path: &str, errors: &mut Vec<FieldError>) {
    let list_type = schema.get("x-kubernetes-list-type").and_then(Value::as_str);
    let keys = schema.get("x-kubernetes-list-map-keys").unwrap_or(&Value::Null);
    let keys_path = format!("{path}.x-kubernetes-list-map-keys");
    if schema.has("x-kubernetes-list-map-keys") && list_type != Some("map") {
        let (path, detail) = (
            format!("{path}.x-kubernetes-list-type"),
            "must be map if x-kubernetes-list-map-keys is non-empty",
        );
        errors.push(match list_type {
            None => FieldError::required(path, detail),
            Some(found) => FieldError::invalid(path, &json!(found), detail),
        });
    }
    if list_type != Some("map") {
        return;
    }
    if !schema.has("x-kubernetes-list-map-keys") {
        errors.push(FieldError::required(
            keys_path.clone(),
            "must not be empty if x-kubernetes-list-type is map",
        ));
    }
    let Some(items) = schema.schema("items") else {
        let detail = "must have a schema if x-kubernetes-list-type is map";
        errors.push(FieldError::required(format!("{path}.items"), detail));
        return;
    };
    if items.kind() != "object" {
        let detail = "must be object if parent array's x-kubernetes-list-type is map";
        errors.push(FieldError::invalid(format!("{path}.items.type"), &json!(items.kind()), detail));
        return;
    }
    let mut seen = BTreeSet::new();
    for key in schema.texts("x-kubernetes-list-map-keys") {
        match items.property(key) {
            Some(property) if matches!(property.kind(), "array" | "object") => {
                let detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                let path = format!("{path}.items.properties[{key}].type");
                errors.push(FieldError::invalid(path, &json!(items.kind()), detail));
            }
            Some(_) => {}
            None => {
                let detail = "entries must all be names of item properties";
                errors.push(FieldError::invalid(keys_path.clone(), keys, detail));
            }
        }
        if !seen.insert(key) {
            errors.push(FieldError::invalid(keys_path.clone(), keys, "must not contain duplicate entries"));
        }
    }
}

/// Keys of a list must always be there, or elements could not be told apart.
fn check_list_keys(schema: Props<'_>, path: &str, errors: &mut Vec<FieldError>) {
    let (list_type, Some(items)) = (schema.str_field("x-kubernetes-list-type"), schema.schema("items"))
    else {
        return;
    };
    if !matches!(list_type, "set" | "map") {
        return;
    }
    if items.flag("nullable") {
        let detail = format!("cannot be nullable when x-kubernetes-list-type is {list_type}");
        errors.push(FieldError::forbidden(format!("{path}.items.nullable"), detail));
    }
    if list_type == "set" {
        return;
    }
    for key in schema.texts("x-kubernetes-list-map-keys") {
        let Some(property) = items.property(key) else { continue };
        let path = format!("{path}.items.properties[{key}]");
        if !items.texts("required").any(|name| name == key) && property.get("default").is_none() {
            let detail = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            errors.push(FieldError::required(format!("{path}.default"), detail));
        }
        if property.flag("nullable") {
            let detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            errors.push(FieldError::forbidden(format!("{path}.nullable"), detail));
        }
    }
}

/// The form of a validation rule; its expression is compiled elsewhere.
fn check_rule(rule: Props<'_>, schema: Props<'_>, path: &str, errors: &mut Vec<FieldError>) {
    let (text, message) = (rule.str_field("rule"), rule.str_field("message"));
    let has_breaks = |text: &str| text.trim().contains(['\n', '\r']);
    let is_blank = |text: &str| !text.is_empty() && text.trim().is_empty();
    if text.trim().is_empty() {
        errors.push(FieldError::required(format!("{path}.rule"), "rule is not specified"));
    } else if is_blank(message) {
        errors.push(FieldError::invalid(
            format!("{path}.message"),
            &json!(message),
            "must be non-empty if specified",
        ));
    } else if has_breaks(message) {
        errors.push(FieldError::invalid(
            format!("{path}.message"),
            &json!(message),
            "must not contain line breaks",
        ));
    } else if has_breaks(text) && message.is_empty() {
        let detail = "message must be specified if rule contains line breaks";
        errors.push(FieldError::required(format!("{path}.message"), detail));
    }
    if is_blank(rule.str_field("messageExpression")) {
        let detail = "messageExpression must be non-empty if specified";
        errors.push(FieldError::required(format!("{path}.messageExpression"), detail));
    }
    if let Some(reason) =
        rule.get("reason").filter(|reason| !REASONS.contains(&reason.as_str().unwrap_or_default()))
    {
        errors.push(FieldError::not_supported(format!("{path}.reason"), reason, &REASONS));
    }
    let field_path = rule.str_field("fieldPath");
    if is_blank(field_path) {
        let detail = "must be non-empty if specified";
        errors.push(FieldError::invalid(format!("{path}.fieldPath"), &json!(field_path), detail));
    }
    if field_path.contains(['\n', '\r']) {
        let detail = "must not contain line breaks";
        errors.push(FieldError::invalid(format!("{path}.fieldPath"), &json!(field_path), detail));
    }
    if !field_path.is_empty() && !leads_to_a_field(schema, field_path) {
        let detail = "must be a valid path";
        errors.push(FieldError::invalid(format!("{path}.fieldPath"), &json!(field_path), detail));
    }
}

/// Whether a path such as `.spec['a.b']` leads to a part of the schema.
fn leads_to_a_field(schema: Props<'_>, path: &str) -> bool {
    let Some(names) = field_path::parse(path) else { return false };
    let part = names.iter().try_fold(schema, |schema, name| match schema.has("properties") {
        true => schema.property(name),
        false => schema.schema("additionalProperties"),
    });
    part.is_some()
}
