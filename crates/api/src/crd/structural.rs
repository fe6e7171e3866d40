//! From what schemars says about a type to the structural schema that an API server accepts.
//!
//! No references, no unions with null, no alternatives that name types: each node has one type. Fields are required
//! unless they are left out when empty; see [`crate::schema`] for the exceptions.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use crate::schema::{DEFAULT, DEFAULTED, OPTIONAL};

/// The structural schema of a kind.
pub(super) fn schema_of<T: JsonSchema>() -> Value {
    // Defaults are known to the reading side, required fields to the writing side. Of the defaults only the marked
    // ones are the API's; every other field just has some value in Rust when it is absent.
    let generate = |settings: SchemaSettings| {
        let settings = settings.with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        });
        Schema::to_value(settings.into_generator().into_root_schema_for::<T>())
    };
    let mut written = generate(SchemaSettings::openapi3().for_serialize());
    let read = generate(SchemaSettings::openapi3().for_deserialize());
    straighten(&mut written, &read);
    written
}

/// Makes a node and everything below it structural.
fn straighten(node: &mut Value, read: &Value) {
    unwrap_optional(node);
    let read = &unwrapped(read);
    merge_alternatives(node);
    let Some(map) = node.as_object_mut() else { return };
    for keyword in [
        "title",
        "$schema",
        "definitions",
        "components",
        "$defs",
        "nullable",
        "additionalItems",
        "propertyNames",
    ] {
        map.remove(keyword);
    }
    if map.get("additionalProperties").is_some_and(Value::is_boolean) {
        map.remove("additionalProperties");
    }
    tidy_format(map);
    if !map.contains_key("type") && !map.contains_key("x-kubernetes-int-or-string") {
        // Any JSON value.
        map.insert("x-kubernetes-preserve-unknown-fields".to_owned(), json!(true));
    }
    let mut optional = Vec::new();
    if let Some(properties) = map.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, property) in properties.iter_mut() {
            let read_property = &read["properties"][name];
            let marks = take_marks(property);
            straighten(property, read_property);
            if let Some(property) = property.as_object_mut() {
                property.remove("default");
                let of_the_type = marks.defaulted.then(|| read_property["default"].clone());
                if let Some(default) = marks.default.clone().or(of_the_type) {
                    property.insert("default".to_owned(), default);
                }
            }
            if marks.optional || marks.defaulted {
                optional.push(name.clone());
            }
        }
    }
    require_others(map, &optional);
    if let Some(items) = map.get_mut("items") {
        straighten(items, &read["items"]);
    }
    if let Some(values) = map.get_mut("additionalProperties") {
        straighten(values, &read["additionalProperties"]);
    }
}

struct Marks {
    optional: bool,
    defaulted: bool,
    /// A default that the Rust type does not have: the API server's.
    default: Option<Value>,
}

fn take_marks(property: &mut Value) -> Marks {
    let mut take = |mark: &str| property.as_object_mut().and_then(|map| map.remove(mark));
    Marks { optional: take(OPTIONAL).is_some(), defaulted: take(DEFAULTED).is_some(), default: take(DEFAULT) }
}

/// An `Option` says so by an alternative, or a second type; whether a field is there is said by `required`.
fn unwrap_optional(node: &mut Value) {
    *node = unwrapped(node);
}

fn unwrapped(node: &Value) -> Value {
    let mut node = node.clone();
    if let Some(types) = node["type"].as_array() {
        let named = types.iter().find(|kind| *kind != "null").cloned();
        node["type"] = named.unwrap_or(Value::Null);
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        let Some(alternatives) = node.get(keyword).and_then(Value::as_array) else { continue };
        let is_null =
            |alternative: &&Value| alternative["type"] == "null" || alternative["enum"] == json!([null]);
        let is_optional = alternatives.iter().any(|alternative| is_null(&alternative));
        let mut rest = alternatives.iter().filter(|alternative| !is_null(alternative));
        if let (true, Some(only), None) = (is_optional || keyword == "allOf", rest.next(), rest.next()) {
            let only = unwrapped(only);
            if let Some(map) = node.as_object_mut() {
                map.remove(keyword);
                for (name, value) in only.as_object().into_iter().flatten() {
                    map.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
        }
    }
    node
}

/// An enum with documented variants comes as one alternative per variant.
fn merge_alternatives(node: &mut Value) {
    let Some(alternatives) = node.get("oneOf").and_then(Value::as_array) else { return };
    let value = |alternative: &Value| match (&alternative["const"], alternative["enum"].as_array()) {
        (Value::Null, Some(values)) => values.clone(),
        (Value::Null, None) => Vec::new(),
        (constant, _) => vec![constant.clone()],
    };
    let values: Vec<Value> = alternatives.iter().flat_map(value).collect();
    if values.is_empty() {
        return;
    }
    if let Some(map) = node.as_object_mut() {
        map.remove("oneOf");
        map.insert("type".to_owned(), json!("string"));
        map.entry("enum").or_insert(Value::Array(values));
    }
}

/// Formats of Rust's integers that OpenAPI does not know.
fn tidy_format(map: &mut Map<String, Value>) {
    let format = map.get("format").and_then(Value::as_str).unwrap_or_default();
    match format {
        "uint8" | "uint16" | "uint32" | "uint" => {
            map.insert("format".to_owned(), json!("int32"));
        }
        "uint64" => {
            map.insert("format".to_owned(), json!("int64"));
        }
        _ => {}
    }
}

fn require_others(map: &mut Map<String, Value>, optional: &[String]) {
    let Some(required) = map.get_mut("required").and_then(Value::as_array_mut) else { return };
    required.retain(|name| !optional.iter().any(|optional| name == optional));
    if required.is_empty() {
        map.remove("required");
    }
}
