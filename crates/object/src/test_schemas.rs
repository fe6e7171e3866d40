//! Small schemas for the tests of this crate, cut down from the published ones.
//!
//! They are written as OpenAPI with the Kubernetes extensions and read by the few lines below, so that the tests
//! of merging do not depend on the code that reads real schemas.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::schema::{ListKind, Node, NodeId, Schema, SchemaSet, Shape};

/// A schema that stands on its own.
pub(crate) struct TestSchema {
    set: SchemaSet,
    root: NodeId,
}

impl TestSchema {
    pub(crate) fn read(schema: &Value) -> Self {
        let mut set = SchemaSet::default();
        let root = push(&mut set, schema);
        Self { set, root }
    }

    pub(crate) fn view(&self) -> Schema<'_> {
        self.set.view(self.root)
    }
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
    let patch = text("patch").unwrap_or_default();
    set.push(Node {
        shape,
        default: schema.get("default").cloned(),
        list,
        atomic: schema.get("atomic").is_some(),
        patch_merge: patch.contains("merge"),
        patch_retain_keys: patch.contains("retainKeys"),
        patch_merge_key: text("key").map(Into::into),
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

/// A list that merges by `key` in strategic patches and by `keys` in apply.
fn keyed(key: &str, keys: &str, patch: &str, properties: Value) -> Value {
    json!({"type": "array", "items": object(properties), "patch": patch, "key": key, "list": keys})
}

fn metadata() -> Value {
    object(json!({
        "name": string(), "namespace": string(), "uid": string(), "resourceVersion": string(),
        "generation": {"type": "integer"}, "creationTimestamp": string(), "selfLink": string(),
        "labels": strings(), "annotations": strings(),
        "finalizers": {"type": "array", "items": string(), "patch": "merge", "list": "set"},
        "ownerReferences": keyed("uid", "uid", "merge", json!({
            "uid": string(), "name": string(), "kind": string(), "apiVersion": string()
        })),
        "managedFields": {"type": "array", "items": {}},
    }))
}

fn kind(properties: Value) -> TestSchema {
    let mut schema = object(json!({"apiVersion": string(), "kind": string(), "metadata": metadata()}));
    for (name, property) in properties.as_object().into_iter().flatten() {
        schema["properties"][name] = property.clone();
    }
    TestSchema::read(&schema)
}

fn pod_spec() -> Value {
    let container = json!({
        "name": string(), "image": string(),
        "command": {"type": "array", "items": string()},
        "args": {"type": "array", "items": string()},
        "ports": keyed("containerPort", "containerPort,protocol", "merge", json!({
            "name": string(), "containerPort": {"type": "integer"},
            "protocol": {"type": "string", "default": "TCP"},
        })),
        "env": keyed("name", "name", "merge", json!({"name": string(), "value": string()})),
        "volumeMounts": keyed("mountPath", "mountPath", "merge", json!({
            "mountPath": string(), "name": string()
        })),
    });
    object(json!({
        "containers": keyed("name", "name", "merge", container),
        "imagePullSecrets": keyed("name", "name", "merge", json!({"name": string()})),
        "volumes": keyed("name", "name", "merge,retainKeys", json!({
            "name": string(),
            "emptyDir": object(json!({})),
            "configMap": object(json!({"name": string()})),
            "secret": object(json!({"secretName": string()})),
        })),
        "hostAliases": keyed("ip", "ip", "merge", json!({
            "ip": string(), "hostnames": {"type": "array", "items": string()}
        })),
        "tolerations": {"type": "array", "items": object(json!({"key": string(), "operator": string()}))},
        "nodeSelector": {"additionalProperties": string(), "atomic": true},
    }))
}

/// `apps/v1` Deployment.
pub(crate) fn deployment() -> TestSchema {
    let selector = json!({"properties": {"matchLabels": strings()}, "atomic": true});
    kind(json!({
        "spec": object(json!({
            "replicas": {"type": "integer"},
            "paused": {"type": "boolean"},
            "selector": selector,
            "strategy": {
                "patch": "retainKeys",
                "properties": {"type": string(), "rollingUpdate": object(json!({"maxSurge": {"type": "int-or-string"}}))},
            },
            "template": object(json!({"metadata": metadata(), "spec": pod_spec()})),
        })),
        "status": object(json!({"replicas": {"type": "integer"}})),
    }))
}

/// `v1` ConfigMap.
pub(crate) fn config_map() -> TestSchema {
    kind(json!({"data": strings(), "immutable": {"type": "boolean"}}))
}

/// `v1` Service.
pub(crate) fn service() -> TestSchema {
    kind(json!({"spec": object(json!({
        "type": string(), "clusterIP": string(), "selector": {"additionalProperties": string(), "atomic": true},
        "ports": keyed("port", "port,protocol", "merge", json!({
            "name": string(), "port": {"type": "integer"}, "targetPort": {"type": "int-or-string"},
            "protocol": {"type": "string", "default": "TCP"},
        })),
    }))}))
}

/// A custom resource with every kind of list and map.
pub(crate) fn custom() -> TestSchema {
    kind(json!({
        "spec": object(json!({
            "list": keyed("", "name", "", json!({"name": string(), "value": string()})),
            "set": {"type": "array", "items": string(), "list": "set"},
            "atomic": {"type": "array", "items": string()},
            "amap": {"additionalProperties": string(), "atomic": true},
            "map": strings(),
            "any": {},
            "text": string(),
            "number": {"type": "integer"},
        })),
        "status": object(json!({"phase": string(), "count": {"type": "integer"}})),
    }))
}
