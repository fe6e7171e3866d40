//! Whether a present object equals the desired one, apart from defaults of its API server.
//!
//! Both forms of import use this to avoid needless writes, which would wake every watcher.

use portolan_api::kubernetes::{Service, ServicePort, View};
use portolan_object::Object;
use serde_json::Value;

use super::derived_service::FOREIGN_FIELDS;
use super::http_probe;
use super::usage::Usage;
use crate::covers::covers_metadata;

/// Whether a derived Service equals `wanted`. Fields without a default must be absent if they are not wanted.
pub(super) fn same_service(actual: &Object, wanted: &Object) -> bool {
    let (Ok(present), Ok(desired)) = (Service::read(actual), Service::read(wanted)) else { return false };
    let (present, desired) = (present.spec, desired.spec);
    // The API server defaults these fields, so an absent one may have any value.
    let is_same_or_default = |present: &str, desired: &str| desired.is_empty() || present == desired;
    let timeout = desired.session_affinity_config.client_ip.timeout_seconds;
    is_same_or_default(present.kind, desired.kind)
        && is_same_or_default(present.session_affinity, desired.session_affinity)
        && (timeout.is_none() || present.session_affinity_config.client_ip.timeout_seconds == timeout)
        && is_same_or_default(present.internal_traffic_policy, desired.internal_traffic_policy)
        && is_same_or_default(present.ip_family_policy, desired.ip_family_policy)
        && present.traffic_distribution == desired.traffic_distribution
        && FOREIGN_FIELDS.iter().all(|field| is_unset(actual.at(&["spec", field])))
        && present.ports.iter().map(copied_fields).eq(desired.ports.iter().map(copied_fields))
        && covers_metadata(actual, wanted)
}

/// Whether a field is absent, or has the value that an absent field has.
fn is_unset(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => true,
        Some(Value::Array(list)) => list.is_empty(),
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Number(number)) => number.as_i64() == Some(0),
        Some(Value::Bool(true)) => false,
    }
}

/// The fields of a port that a derived Service copies from its import.
fn copied_fields<'a>(port: &ServicePort<'a>) -> (&'a str, i64, Option<&'a str>, Option<&'a str>) {
    let set = |text: Option<&'a str>| text.filter(|text| !text.is_empty());
    (port.name, port.port, set(port.protocol), set(port.app_protocol))
}

/// Whether an imported slice equals `wanted`. Endpoints and ports must be equal, so that removed fields, such as a zone,
/// are removed here too; other fields of the metadata may be added.
pub(super) fn same_slice(actual: &Object, wanted: &Object) -> bool {
    let same = |name: &str| present_field(actual, name) == present_field(wanted, name);
    same("endpoints")
        && same("ports")
        && same("addressType")
        && Usage::of_slice(actual) == Usage::of_slice(wanted)
        && http_probe::is_same(actual, wanted)
        && covers_metadata(actual, wanted)
}

/// A field of the object; `null` and an empty list count as absent.
fn present_field<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    let is_empty = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    object.0.get(name).filter(|value| !is_empty(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(spec: Value) -> Object {
        Object(json!({ "metadata": { "name": "derived-web", "labels": { "a": "b" } }, "spec": spec }))
    }

    #[test]
    fn derived_services() {
        let port = json!({ "port": 80, "protocol": "TCP" });
        let wanted = json!({ "type": "ClusterIP", "ports": [port], "sessionAffinity": "None" });
        let cases = [
            ("the same", wanted.clone(), wanted.clone(), true),
            (
                "with defaults of the API server",
                json!({ "type": "ClusterIP", "clusterIP": "10.0.0.1", "internalTrafficPolicy": "Cluster",
                        "ipFamilyPolicy": "SingleStack", "sessionAffinity": "None",
                        "ports": [{ "port": 80, "protocol": "TCP", "targetPort": 80 }] }),
                wanted.clone(),
                true,
            ),
            (
                "a port without a name",
                json!({ "ports": [{ "port": 80 }] }),
                json!({ "ports": [{ "name": "", "port": 80 }] }),
                true,
            ),
            (
                "another port",
                json!({ "ports": [{ "port": 81 }] }),
                json!({ "ports": [{ "port": 80 }] }),
                false,
            ),
            ("a port more", json!({ "ports": [port, { "port": 81 }] }), json!({ "ports": [port] }), false),
            (
                "an unwanted appProtocol",
                json!({ "ports": [{ "port": 80, "appProtocol": "http" }] }),
                json!({ "ports": [{ "port": 80 }] }),
                false,
            ),
            (
                "an unwanted traffic distribution",
                json!({ "trafficDistribution": "PreferClose" }),
                json!({}),
                false,
            ),
            ("a foreign selector", json!({ "selector": { "app": "other" } }), json!({}), false),
            ("a foreign address", json!({ "externalIPs": ["10.12.0.200"] }), json!({}), false),
            ("endpoints that are not ready", json!({ "publishNotReadyAddresses": true }), json!({}), false),
            (
                "zeros",
                json!({ "publishNotReadyAddresses": false, "selector": {}, "externalIPs": [] }),
                json!({}),
                true,
            ),
            ("another type", json!({ "type": "NodePort" }), json!({ "type": "ClusterIP" }), false),
            (
                "another timeout",
                json!({ "sessionAffinityConfig": { "clientIP": { "timeoutSeconds": 10 } } }),
                json!({ "sessionAffinityConfig": { "clientIP": { "timeoutSeconds": 20 } } }),
                false,
            ),
        ];
        for (name, actual, wanted, want) in cases {
            assert_eq!(same_service(&service(actual), &service(wanted)), want, "{name}");
        }
        let mut unlabelled = service(wanted.clone());
        unlabelled.metadata_mut().remove("labels");
        assert!(!same_service(&unlabelled, &service(wanted)), "a removed label");
    }
}
