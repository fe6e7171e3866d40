//! Reflecting: which part of an object's status in a member goes to the control plane.

use portolan_object::Object;
use serde_json::Value;

use super::interpreter::interpreter;

/// The status to report for an object in a member; `None` when it has none or its kind reports nothing.
pub fn reflect(object: &Object) -> Option<Value> {
    let status = object.at(&["status"])?;
    let hook = interpreter(&object.group_version_kind()).and_then(|interpreter| interpreter.reflect.custom());
    match hook {
        Some(reflect) => reflect(object),
        None => Some(status.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reflects() {
        let cases = [
            (
                "a deployment's counters and generations",
                json!({"apiVersion": "apps/v1", "kind": "Deployment",
                       "metadata": {"generation": 4, "annotations": {"resourcetemplate.karmada.io/generation": "2"}},
                       "status": {"replicas": 1, "readyReplicas": 1, "observedGeneration": 4, "conditions": []}}),
                Some(json!({"replicas": 1, "readyReplicas": 1, "observedGeneration": 4, "conditions": [],
                            "generation": 4, "resourceTemplateGeneration": 2})),
            ),
            (
                "an inner service reports nothing",
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {}, "spec": {"type": "ClusterIP"},
                       "status": {"loadBalancer": {}}}),
                None,
            ),
            ("no status, nothing", json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}), None),
            (
                "other kinds report all of it",
                json!({"apiVersion": "example.io/v1", "kind": "Widget", "metadata": {}, "status": {"phase": "Up"}}),
                Some(json!({"phase": "Up"})),
            ),
        ];
        for (name, object, want) in cases {
            assert_eq!(reflect(&Object(object)), want, "{name}");
        }
    }
}
