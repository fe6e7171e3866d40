//! What of a member object's status is carried to the control plane (karmada-behaviour 4.7).

use portolan_api::annotations;
use portolan_object::Object;
use serde_json::{Map, Value, json};

/// The status to report for an object seen in a member; `None` when its kind reports nothing.
pub fn reflect(object: &Object) -> Option<Value> {
    let status = object.at(&["status"])?;
    let kind = object.group_version_kind();
    let picked = match (kind.group.as_str(), kind.kind.as_str()) {
        ("apps", "Deployment") => with_generations(
            object,
            pick(
                status,
                &[
                    "replicas",
                    "readyReplicas",
                    "updatedReplicas",
                    "availableReplicas",
                    "unavailableReplicas",
                    "observedGeneration",
                ],
            ),
        ),
        ("apps", "ReplicaSet") => with_generations(
            object,
            pick(status, &["replicas", "readyReplicas", "availableReplicas", "observedGeneration"]),
        ),
        ("apps", "DaemonSet") => with_generations(
            object,
            pick(
                status,
                &[
                    "currentNumberScheduled",
                    "numberMisscheduled",
                    "desiredNumberScheduled",
                    "numberReady",
                    "updatedNumberScheduled",
                    "numberAvailable",
                    "numberUnavailable",
                    "observedGeneration",
                ],
            ),
        ),
        // Karmada leaves observedGeneration out here, so that its own aggregation never advances; we report it.
        ("apps", "StatefulSet") => with_generations(
            object,
            pick(
                status,
                &[
                    "replicas",
                    "readyReplicas",
                    "currentReplicas",
                    "updatedReplicas",
                    "availableReplicas",
                    "observedGeneration",
                ],
            ),
        ),
        ("", "Service") => {
            if object.str_at(&["spec", "type"]) != "LoadBalancer" {
                return None;
            }
            pick(status, &["loadBalancer"])
        }
        ("batch", "Job") => {
            pick(status, &["active", "succeeded", "failed", "conditions", "startTime", "completionTime"])
        }
        ("policy", "PodDisruptionBudget") => pick(
            status,
            &["currentHealthy", "desiredHealthy", "expectedPods", "disruptionsAllowed", "disruptedPods"],
        ),
        ("autoscaling", "HorizontalPodAutoscaler") => pick(status, &["currentReplicas", "desiredReplicas"]),
        _ => return Some(status.clone()),
    };
    Some(Value::Object(picked))
}

fn pick(status: &Value, fields: &[&str]) -> Map<String, Value> {
    let present = fields.iter().filter_map(|field| Some(((*field).to_owned(), status.get(field)?.clone())));
    present.collect()
}

/// Generations tell the aggregation whether the member has caught up with the template.
fn with_generations(object: &Object, mut status: Map<String, Value>) -> Map<String, Value> {
    if object.generation() > 0 {
        status.insert("generation".to_owned(), json!(object.generation()));
    }
    let template =
        object.annotation(annotations::template::GENERATION).and_then(|text| text.parse::<i64>().ok());
    if let Some(generation) = template {
        status.insert("resourceTemplateGeneration".to_owned(), json!(generation));
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reflects() {
        let cases = [
            (
                "a deployment's counters and generations",
                json!({"apiVersion": "apps/v1", "kind": "Deployment",
                       "metadata": {"generation": 4, "annotations": {"resourcetemplate.karmada.io/generation": "2"}},
                       "status": {"replicas": 1, "readyReplicas": 1, "observedGeneration": 4, "conditions": []}}),
                Some(json!({"replicas": 1, "readyReplicas": 1, "observedGeneration": 4, "generation": 4,
                            "resourceTemplateGeneration": 2})),
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
