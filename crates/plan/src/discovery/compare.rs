//! Whose an object in a cluster is, and whether it is as it should be apart from what its API server filled in.
//!
//! Used by both forms of importing to decide whether a write is needed: writing what is there already would wake every
//! watcher for nothing.

use portolan_api::labels;
use portolan_object::Object;
use serde_json::{Value, json};

use super::service::PORT_FIELDS;
use crate::covers::covers_metadata;

/// Whether the federation made the object.
pub(super) fn is_ours(object: &Object) -> bool {
    object.label(labels::MANAGED) == Some(labels::TRUE)
}

/// Whether it was made for an import that a user or a policy put there.
pub(super) fn is_explicit(object: &Object) -> bool {
    is_ours(object) && object.label(labels::cluster_set::NAME).is_none()
}

/// Fields of a derived Service that its API server fills in where nobody says anything.
const FILLED_IN: &[&[&str]] = &[
    &["spec", "type"],
    &["spec", "sessionAffinity"],
    &["spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"],
    &["spec", "internalTrafficPolicy"],
    &["spec", "ipFamilyPolicy"],
];

/// Whether a derived Service is as `wanted` says. What the API server never fills in has to go when it is not wanted.
pub(super) fn same_service(actual: &Object, wanted: &Object) -> bool {
    let is_filled_or_same = |path: &&[&str]| match wanted.at(path) {
        None | Some(Value::Null) => true,
        wanted => actual.at(path) == wanted,
    };
    let distribution = |object: &Object| object.str_at(&["spec", "trafficDistribution"]).to_owned();
    FILLED_IN.iter().all(is_filled_or_same)
        && distribution(actual) == distribution(wanted)
        && ports(actual) == ports(wanted)
        && covers_metadata(actual, wanted)
}

/// What was said of the ports of a Service; an empty name is none.
fn ports(service: &Object) -> Vec<Vec<Option<&Value>>> {
    let listed = service.at(&["spec", "ports"]).and_then(Value::as_array).into_iter().flatten();
    let is_said = |value: &&Value| !value.is_null() && value.as_str() != Some("");
    listed.map(|port| PORT_FIELDS.iter().map(|field| port.get(*field).filter(is_said)).collect()).collect()
}

/// Endpoints and ports must be equal, not only covered: an endpoint that lost a zone has to lose it here as well.
pub(super) fn same_slice(actual: &Object, wanted: &Object) -> bool {
    let part = |object: &Object, field: &str| match object.0.get(field) {
        None | Some(Value::Null) => json!([]),
        Some(value) => value.clone(),
    };
    let same = |field: &str| part(actual, field) == part(wanted, field);
    same("endpoints") && same("ports") && same("addressType") && covers_metadata(actual, wanted)
}

#[cfg(test)]
mod tests {
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
                "filled in by the API server",
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
                "a protocol of the application that is no longer wanted",
                json!({ "ports": [{ "port": 80, "appProtocol": "http" }] }),
                json!({ "ports": [{ "port": 80 }] }),
                false,
            ),
            (
                "a distribution that is no longer wanted",
                json!({ "trafficDistribution": "PreferClose" }),
                json!({}),
                false,
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
        assert!(!same_service(&unlabelled, &service(wanted)), "a label that somebody took off");
    }
}
