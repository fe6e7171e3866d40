//! Whether a propagated object does its job in a member (karmada: pkg/resourceinterpreter/default/native/healthy.go).

use portolan_object::Object;
use serde_json::Value;

/// `health` of a manifest status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It does what its kind is for, or its kind has no rule.
    Healthy,
    /// It is there and does not do it.
    Unhealthy,
    /// Not applied, or not seen yet.
    Unknown,
}

impl Health {
    /// As it stands in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Healthy => "Healthy",
            Health::Unhealthy => "Unhealthy",
            Health::Unknown => "Unknown",
        }
    }
}

/// Judges an object as the member reports it.
pub fn health(object: &Object) -> Health {
    let kind = object.group_version_kind();
    let healthy = match (kind.group.as_str(), kind.kind.as_str()) {
        ("apps", "Deployment" | "StatefulSet") => {
            is_observed(object)
                && status(object, "updatedReplicas") >= replicas(object)
                && status(object, "availableReplicas") >= status(object, "updatedReplicas")
        }
        ("apps", "ReplicaSet") => {
            is_observed(object) && status(object, "availableReplicas") >= replicas(object)
        }
        ("apps", "DaemonSet") => {
            is_observed(object)
                && status(object, "updatedNumberScheduled") >= status(object, "desiredNumberScheduled")
                && status(object, "numberAvailable") >= status(object, "updatedNumberScheduled")
        }
        ("", "Service") => object.str_at(&["spec", "type"]) != "LoadBalancer" || has_ingress(object),
        ("networking.k8s.io" | "extensions", "Ingress") => has_ingress(object),
        ("", "PersistentVolumeClaim") => object.str_at(&["status", "phase"]) == "Bound",
        ("", "Pod") => is_pod_healthy(object),
        ("policy", "PodDisruptionBudget") => {
            status(object, "currentHealthy") >= status(object, "desiredHealthy")
        }
        _ => true,
    };
    if healthy { Health::Healthy } else { Health::Unhealthy }
}

fn is_observed(object: &Object) -> bool {
    status(object, "observedGeneration") == object.generation()
}

fn status(object: &Object, field: &str) -> i64 {
    object.at(&["status", field]).and_then(Value::as_i64).unwrap_or_default()
}

/// An absent count means one, as the API server would default it.
fn replicas(object: &Object) -> i64 {
    object.at(&["spec", "replicas"]).and_then(Value::as_i64).unwrap_or(1)
}

fn has_ingress(object: &Object) -> bool {
    let entries = object.at(&["status", "loadBalancer", "ingress"]).and_then(Value::as_array);
    entries.into_iter().flatten().any(|entry| {
        ["ip", "hostname"].iter().any(|field| entry[field].as_str().is_some_and(|text| !text.is_empty()))
    })
}

fn is_pod_healthy(pod: &Object) -> bool {
    match pod.str_at(&["status", "phase"]) {
        "Succeeded" => true,
        "Running" => pod
            .at(&["status", "conditions"])
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == "Ready" && condition["status"] == "True"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn judges() {
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
            let want = if healthy { Health::Healthy } else { Health::Unhealthy };
            assert_eq!(health(&Object(object)), want, "{name}");
        }
    }
}
