//! Schemas for the tests of this crate: a built-in kind by name, and a custom one with every kind of list and map.
//!
//! The custom one is read by the few lines below, so that the tests of merging do not depend on the code that reads
//! CustomResourceDefinitions.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::builtin;
use crate::key::GroupVersion;
use crate::schema::{ListKind, Node, NodeId, Schema, SchemaSet, Shape};

/// Reads a schema written as OpenAPI, with short names for the Kubernetes extensions.
pub(crate) fn read(schema: &Value) -> (SchemaSet, NodeId) {
    let mut set = SchemaSet::default();
    let root = push(&mut set, schema);
    (set, root)
}

fn push(set: &mut SchemaSet, schema: &Value) -> NodeId {
    let text = |name: &str| schema.get(name).and_then(Value::as_str);
    let shape = match (text("type"), schema.get("properties"), schema.get("additionalProperties")) {
        (_, Some(properties), _) => {
            let properties = properties.as_object().into_iter().flatten();
            let nodes = properties.map(|(name, property)| (name.as_str().into(), push(set, property)));
            Shape::Object(nodes.collect::<BTreeMap<Box<str>, NodeId>>())
        }
        (_, _, Some(values)) => Shape::Map(push(set, values)),
        (Some("array"), ..) => Shape::Array(push(set, &schema["items"])),
        (Some("string"), ..) => Shape::String,
        (Some("integer"), ..) => Shape::Integer,
        (Some("boolean"), ..) => Shape::Boolean,
        (Some("int-or-string"), ..) => Shape::IntOrString,
        _ => Shape::Any,
    };
    let list = match text("list") {
        Some("set") => ListKind::Set,
        None | Some("atomic") => ListKind::Atomic,
        Some(keys) => ListKind::Map(keys.split(',').map(Into::into).collect()),
    };
    set.push(Node {
        shape,
        default: schema.get("default").cloned(),
        list,
        atomic: schema.get("atomic").is_some(),
        ..Node::default()
    })
}

fn string() -> Value {
    json!({"type": "string"})
}

fn strings() -> Value {
    json!({"additionalProperties": string()})
}

fn object(properties: Value) -> Value {
    json!({ "properties": properties })
}

/// A list with elements that apply identifies by `keys`.
fn keyed(keys: &str, properties: Value) -> Value {
    json!({"type": "array", "items": object(properties), "list": keys})
}

/// The schema of a built-in kind.
pub(crate) fn built_in(api_version: &str, kind: &str) -> Schema<'static> {
    let group_version: GroupVersion = api_version.parse().unwrap();
    builtin::schema(&group_version.kind(kind)).expect("the kind is built in")
}

/// A custom resource with every kind of list and map.
pub(crate) fn custom() -> Schema<'static> {
    CUSTOM.0.view(CUSTOM.1)
}

static CUSTOM: LazyLock<(SchemaSet, NodeId)> = LazyLock::new(|| {
    read(&object(json!({
        "apiVersion": string(),
        "kind": string(),
        "metadata": {},
        "spec": object(json!({
            "list": keyed("name", json!({"name": string(), "value": string()})),
            "set": {"type": "array", "items": string(), "list": "set"},
            "atomic": {"type": "array", "items": string()},
            "amap": {"additionalProperties": string(), "atomic": true},
            "map": strings(),
            "any": {},
            "text": string(),
            "number": {"type": "integer"},
        })),
        "status": object(json!({"phase": string(), "count": {"type": "integer"}})),
    })))
});
