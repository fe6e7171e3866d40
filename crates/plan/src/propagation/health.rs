//! Health: whether a propagated object does its job in a member.

use portolan_api::work::ResourceHealth;
use portolan_object::Object;

use super::interpreter::interpreter;

/// The health of an object as the member reports it; unknown if its kind's rule cannot read it.
pub fn health(object: &Object) -> ResourceHealth {
    let hook = interpreter(&object.group_version_kind()).and_then(|interpreter| interpreter.health.custom());
    match hook.map(|is_healthy| is_healthy(object)) {
        None | Some(Ok(true)) => ResourceHealth::Healthy,
        Some(Ok(false)) => ResourceHealth::Unhealthy,
        Some(Err(_)) => ResourceHealth::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn each_kind_has_its_rule() {
        let deployment = |spec: i64, updated: i64, available: i64, observed: i64| {
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": spec},
                   "status": {"updatedReplicas": updated, "availableReplicas": available, "observedGeneration": observed}})
        };
        let pod = |phase: &str, ready: &str| {
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {},
                   "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}})
        };
        let service = |kind: &str, ingress: Value| {
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {}, "spec": {"type": kind},
                   "status": {"loadBalancer": {"ingress": ingress}}})
        };
        let cases = [
            ("deployment up to date", deployment(3, 3, 3, 2), true),
            ("deployment not observed", deployment(3, 3, 3, 1), false),
            ("deployment rolling", deployment(3, 2, 2, 2), false),
            ("deployment unavailable", deployment(3, 3, 2, 2), false),
            ("pod ready", pod("Running", "True"), true),
            ("pod not ready", pod("Running", "False"), false),
            ("pod done", pod("Succeeded", "False"), true),
            ("pod pending", pod("Pending", "False"), false),
            ("service inside", service("ClusterIP", json!([])), true),
            ("balancer without address", service("LoadBalancer", json!([])), false),
            ("balancer with address", service("LoadBalancer", json!([{"ip": "1.2.3.4"}])), true),
            ("a kind without a rule", json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}), true),
        ];
        for (name, object, healthy) in cases {
            let want = if healthy { ResourceHealth::Healthy } else { ResourceHealth::Unhealthy };
            assert_eq!(health(&Object(object)), want, "{name}");
        }
    }
}
