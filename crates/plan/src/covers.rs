//! Comparing an object with a wanted one, in spite of what an API server fills in and leaves out.
//!
//! An API server returns defaults that no client wrote, and leaves out zeros that a client wrote. Which zeros it leaves
//! out depends on the field: Go's `omitempty` drops `paused: false`, but a pointer keeps `replicas: 0`. Therefore:
//!
//! - A field that only the actual object has never matters.
//! - For built-in kinds the schema says which zeros are left out. Lists and maps that are empty always count as absent,
//!   because the storage encoding cannot tell them apart. Quantities and times are compared by value.
//! - For other kinds absent equals `null`, `""`, `[]` and `{}`. `false` and `0` must be there: API servers store
//!   custom resources as they were written.
//! - `metadata` has the same schema for all kinds. A label or annotation must be there even if it is empty.

use portolan_object::schema::{Schema, Shape, decode};
use portolan_object::{Object, builtin};
use serde_json::Value;

/// Whether `actual` has everything that `wanted` sets.
pub fn covers(actual: &Object, wanted: &Object) -> bool {
    if let Some(schema) = builtin::schema(&wanted.group_version_kind()) {
        return is_covered(&actual.0, &wanted.0, Some(schema));
    }
    let Some(fields) = wanted.0.as_object() else { return actual.0 == wanted.0 };
    fields.iter().all(|(name, wanted)| {
        let schema = (name == "metadata").then(builtin::object_meta);
        match actual.0.get(name) {
            Some(actual) => is_covered(actual, wanted, schema),
            None => is_left_out(wanted, name, None),
        }
    })
}

/// Whether two objects say the same: each has everything that the other sets. An API server that normalised one of them makes
/// no difference.
pub fn agree(one: &Object, other: &Object) -> bool {
    one == other || covers(one, other) && covers(other, one)
}

/// Whether the metadata of `actual` has everything that the metadata of `wanted` sets.
pub fn covers_metadata(actual: &Object, wanted: &Object) -> bool {
    match (actual.0.get("metadata"), wanted.0.get("metadata")) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(actual), Some(wanted)) => is_covered(actual, wanted, Some(builtin::object_meta())),
    }
}

fn is_covered(actual: &Value, wanted: &Value, schema: Option<Schema<'_>>) -> bool {
    match (actual, wanted) {
        (Value::Object(actual), Value::Object(wanted)) => wanted.iter().all(|(name, wanted)| {
            let property = schema.and_then(|schema| schema.property(name));
            match actual.get(name).filter(|actual| !actual.is_null()) {
                Some(actual) => is_covered(actual, wanted, property),
                None => is_left_out(wanted, name, schema),
            }
        }),
        (Value::Array(actual), Value::Array(wanted)) => {
            let items = schema.and_then(Schema::items);
            actual.len() == wanted.len()
                && actual.iter().zip(wanted).all(|(actual, wanted)| is_covered(actual, wanted, items))
        }
        (actual, wanted) => actual == wanted || is_same_amount(actual, wanted, schema),
    }
}

/// Whether an API server leaves a field out that has this value; `schema` is that of the object around it.
fn is_left_out(value: &Value, name: &str, schema: Option<Schema<'_>>) -> bool {
    let is_empty = match value {
        Value::Null => return true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    let Some(schema) = schema else { return is_empty };
    match &schema.node().shape {
        Shape::Object(_) => {}
        Shape::Map(_) => return false,
        _ => return is_empty,
    }
    let Some(property) = schema.property(name) else { return is_empty };
    match (&property.node().shape, value) {
        (Shape::Array(_) | Shape::Map(_) | Shape::Any, _) => is_empty,
        _ => drops_zero(schema, name) && is_zero(value, property),
    }
}

/// Whether Go leaves the field out of JSON when it is zero.
fn drops_zero(schema: Schema<'_>, name: &str) -> bool {
    schema.node().native.as_ref().is_some_and(|native| native.omitted_zeros.contains(name))
}

fn is_zero(value: &Value, schema: Schema<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.iter().all(|(name, value)| is_left_out(value, name, Some(schema))),
    }
}

/// Whether two texts of a quantity or a time mean the same, such as `0.5` and `500m`.
fn is_same_amount(actual: &Value, wanted: &Value, schema: Option<Schema<'_>>) -> bool {
    let Some(schema) = schema else { return false };
    let normal = |value: &Value| {
        let mut value = value.clone();
        decode::decode(&mut value, schema, decode::Source::Json).ok().map(|()| value)
    };
    normal(actual).is_some_and(|actual| Some(actual) == normal(wanted))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn built_in_kinds_follow_their_schema() {
        let deployment = |spec: Value| {
            Object(json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": spec }))
        };
        let pod = |spec: Value| json!({ "template": { "spec": spec } });
        let container = |fields: Value| pod(json!({ "containers": [fields] }));
        let cases = [
            (
                "defaults do not count",
                json!({ "replicas": 1, "paused": true }),
                json!({ "replicas": 1 }),
                true,
            ),
            ("another value", json!({ "replicas": 1 }), json!({ "replicas": 2 }), false),
            ("a dropped false", json!({}), json!({ "paused": false }), true),
            ("a dropped number", json!({}), json!({ "minReadySeconds": 0 }), true),
            ("a dropped text", pod(json!({})), pod(json!({ "hostname": "" })), true),
            ("a false deep inside", pod(json!({})), pod(json!({ "hostNetwork": false })), true),
            (
                "a false in a list",
                container(json!({ "volumeMounts": [{ "name": "a" }] })),
                container(json!({ "volumeMounts": [{ "name": "a", "readOnly": false }] })),
                true,
            ),
            ("but not a true", json!({}), json!({ "paused": true }), false),
            ("a pointer keeps its zero", json!({}), json!({ "replicas": 0 }), false),
            ("a pointer keeps an empty struct", pod(json!({})), pod(json!({ "affinity": {} })), false),
            ("an empty list", container(json!({})), container(json!({ "env": [] })), true),
            ("an empty map", pod(json!({})), pod(json!({ "nodeSelector": {} })), true),
            ("an entry of a map", pod(json!({})), pod(json!({ "nodeSelector": { "a": "" } })), false),
            (
                "an empty entry of a map",
                pod(json!({ "nodeSelector": { "b": "" } })),
                pod(json!({ "nodeSelector": { "a": "" } })),
                false,
            ),
            ("a null", json!({}), json!({ "replicas": null }), true),
            (
                "a quantity in another notation",
                container(json!({ "resources": { "limits": { "cpu": "500m", "memory": "1Gi" } } })),
                container(json!({ "resources": { "limits": { "cpu": 0.5, "memory": "1024Mi" } } })),
                true,
            ),
            (
                "another quantity",
                container(json!({ "resources": { "limits": { "cpu": "500m" } } })),
                container(json!({ "resources": { "limits": { "cpu": "600m" } } })),
                false,
            ),
            ("a longer list", pod(json!({ "containers": [{}, {}] })), container(json!({})), false),
        ];
        for (name, actual, wanted, want) in cases {
            assert_eq!(covers(&deployment(actual), &deployment(wanted)), want, "{name}");
        }
    }

    #[test]
    fn what_an_api_server_normalises_is_no_difference() {
        let workload = |replicas: Value, container: Value| {
            Object(json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "a" },
                "spec": { "replicas": replicas, "template": { "spec": { "containers": [container] } } } }))
        };
        let service = |port: Value| {
            Object(json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "a" },
                "spec": { "ports": [port] } }))
        };
        let one = |container: Value| workload(json!(1), container);
        let limits = |cpu: Value| one(json!({ "name": "a", "resources": { "limits": { "cpu": cpu } } }));
        let cases = [
            ("quantities", limits(json!("1")), limits(json!("1000m")), true),
            ("quantities as numbers", limits(json!("1")), limits(json!(1)), true),
            ("other quantities", limits(json!("1")), limits(json!("1001m")), false),
            (
                "empty and absent",
                one(json!({ "name": "a" })),
                one(json!({ "name": "a", "env": [], "tty": false })),
                true,
            ),
            ("a null", one(json!({ "name": "a" })), one(json!({ "name": "a", "command": null })), true),
            ("another value", workload(json!(1), json!({})), workload(json!(2), json!({})), false),
            (
                "a port number is not a name",
                service(json!({ "port": 80, "targetPort": 80 })),
                service(json!({ "port": 80, "targetPort": "80" })),
                false,
            ),
            ("one more field", one(json!({ "name": "a", "image": "b" })), one(json!({ "name": "a" })), false),
        ];
        for (name, first, second, want) in cases {
            assert_eq!(agree(&first, &second), want, "{name}");
            assert_eq!(agree(&second, &first), want, "{name}, the other way round");
        }
        let defaulted = service(json!({ "port": 80, "protocol": "TCP", "targetPort": 80 }));
        assert!(covers(&defaulted, &service(json!({ "port": 80 }))), "a protocol is the server's default");
    }

    #[test]
    fn other_kinds_keep_their_zeros() {
        let widget = |spec: Value| {
            Object(json!({ "apiVersion": "example.io/v1", "kind": "Widget", "metadata": {}, "spec": spec }))
        };
        let cases = [
            ("defaults do not count", json!({ "a": 1, "b": 2 }), json!({ "a": 1 }), true),
            (
                "nor do they inside lists",
                json!({ "l": [{ "a": 1, "b": 2 }] }),
                json!({ "l": [{ "a": 1 }] }),
                true,
            ),
            ("another value", json!({ "a": 1 }), json!({ "a": 2 }), false),
            ("a missing value", json!({}), json!({ "a": 2 }), false),
            (
                "empty and absent are the same",
                json!({}),
                json!({ "a": {}, "b": [], "c": null, "d": "" }),
                true,
            ),
            ("false and zero are not", json!({}), json!({ "a": false }), false),
            ("lists count", json!({ "l": [1, 2] }), json!({ "l": [1] }), false),
        ];
        for (name, actual, wanted, want) in cases {
            assert_eq!(covers(&widget(actual), &widget(wanted)), want, "{name}");
        }
    }

    #[test]
    fn labels_count_in_every_kind() {
        let widget = |labels: Value| {
            Object(
                json!({ "apiVersion": "example.io/v1", "kind": "Widget", "metadata": { "labels": labels } }),
            )
        };
        assert!(covers(&widget(json!({ "a": "1", "b": "2" })), &widget(json!({ "a": "1" }))));
        assert!(!covers(&widget(json!({})), &widget(json!({ "a": "" }))));
        assert!(!covers_metadata(&widget(json!({})), &widget(json!({ "a": "" }))));
        assert!(covers_metadata(&widget(json!({ "a": "" })), &widget(json!({ "a": "" }))));
    }
}
