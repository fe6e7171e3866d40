//! The objects that scenarios make, and the kinds they watch. Pure.

use portolan_api::resources;
use portolan_object::Object;
use portolan_runtime::Resource;
use serde_json::{Value, json};

/// Namespace of everything that scenarios make in the control plane.
pub(crate) const NAMESPACE: &str = "portolan-bench";
/// Marks them.
pub(crate) const LABEL: &str = "portolan-bench";

/// Deployments.
pub(crate) fn deployments() -> Resource {
    resources::DEPLOYMENT.into()
}

/// ConfigMaps.
pub(crate) fn config_maps() -> Resource {
    resources::CONFIG_MAP.into()
}

/// EndpointSlices.
pub(crate) fn endpoint_slices() -> Resource {
    resources::ENDPOINT_SLICE.into()
}

/// Namespaces.
pub(crate) fn namespaces() -> Resource {
    resources::NAMESPACE.into()
}

/// PropagationPolicies.
pub(crate) fn policies() -> Resource {
    Resource::namespaced("policy.karmada.io", "v1alpha1", "PropagationPolicy", "propagationpolicies")
}

/// ClusterPropagationPolicies.
pub(crate) fn cluster_policies() -> Resource {
    Resource::cluster(
        "policy.karmada.io",
        "v1alpha1",
        "ClusterPropagationPolicy",
        "clusterpropagationpolicies",
    )
}

/// The namespace itself.
pub(crate) fn namespace() -> Object {
    Object(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } }))
}

/// A Deployment of one pod that serves.
pub(crate) fn deployment(namespace: &str, name: &str) -> Object {
    Object(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "namespace": namespace, "name": name },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "serve", "image": "jeremyot/serve:0a40de8" }] },
            },
        },
    }))
}

/// The policy that sends this Deployment to member1.
pub(crate) fn deployment_policy(namespace: &str, name: &str) -> Object {
    Object(json!({
        "apiVersion": "policy.karmada.io/v1alpha1", "kind": "PropagationPolicy",
        "metadata": { "namespace": namespace, "name": name },
        "spec": {
            "resourceSelectors": [{ "apiVersion": "apps/v1", "kind": "Deployment", "name": name }],
            "placement": { "clusterAffinity": { "clusterNames": ["member1"] } },
        },
    }))
}

/// A ConfigMap of 1.2 KB, marked with `round`.
pub(crate) fn config_map(round: &str, index: u32) -> Object {
    Object(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "namespace": NAMESPACE, "name": format!("{round}-{index}"), "labels": { LABEL: round },
        },
        "data": { "content": "0123456789abcdef".repeat(64) },
    }))
}

/// The policy that sends all ConfigMaps marked with `round` to both members.
pub(crate) fn config_map_policy(round: &str) -> Object {
    let selector = json!({ "matchLabels": { LABEL: round } });
    Object(json!({
        "apiVersion": "policy.karmada.io/v1alpha1", "kind": "ClusterPropagationPolicy",
        "metadata": { "name": format!("portolan-bench-{round}"), "labels": { LABEL: round } },
        "spec": {
            "resourceSelectors": [{ "apiVersion": "v1", "kind": "ConfigMap", "labelSelector": selector }],
            "placement": { "clusterAffinity": { "clusterNames": ["member1", "member2"] } },
        },
    }))
}

/// Whether a Cluster is ready.
pub(crate) fn is_ready(cluster: &Object) -> bool {
    let conditions = cluster.at(&["status", "conditions"]).and_then(Value::as_array).into_iter().flatten();
    conditions.filter(|condition| condition["type"] == "Ready").any(|condition| condition["status"] == "True")
}

/// An EndpointSlice behind the Service `serve` that no controller keeps, with one endpoint.
pub(crate) fn slice(name: &str, address: &str) -> Object {
    Object(json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "namespace": "default", "name": name,
            "labels": {
                "kubernetes.io/service-name": "serve",
                "endpointslice.kubernetes.io/managed-by": "portolan-bench",
            },
        },
        "addressType": "IPv4",
        "ports": [{ "name": "", "port": 8080, "protocol": "TCP" }],
        "endpoints": endpoints(address, true),
    }))
}

/// The endpoints of such a slice.
pub(crate) fn endpoints(address: &str, is_ready: bool) -> Value {
    json!([{ "addresses": [address], "conditions": { "ready": is_ready } }])
}

/// Whether a slice holds this endpoint in this state.
pub(crate) fn holds(slice: &Object, address: &str, is_ready: bool) -> bool {
    let endpoints = slice.at(&["endpoints"]).and_then(Value::as_array);
    endpoints.into_iter().flatten().any(|endpoint| {
        let addresses = endpoint["addresses"].as_array();
        let ready = endpoint["conditions"]["ready"].as_bool().unwrap_or(true);
        ready == is_ready && addresses.is_some_and(|found| found.iter().any(|one| one == address))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_recognised_by_address_and_readiness() {
        let slice = slice("s", "198.51.100.7");
        let cases = [
            ("as made", "198.51.100.7", true, true),
            ("another address", "198.51.100.70", true, false),
            ("not ready", "198.51.100.7", false, false),
        ];
        for (name, address, is_ready, want) in cases {
            assert_eq!(holds(&slice, address, is_ready), want, "{name}");
        }
        assert!(!holds(&Object(json!({})), "198.51.100.7", true), "a slice without endpoints");
    }
}
