//! The replicas of a Deployment that autoscalers of the members change (karmada pkg/controllers/deploymentreplicassyncer).

use portolan_api::labels::template::RETAIN_REPLICAS;
use portolan_api::policy::ReplicaSchedulingType;
use portolan_api::work::{AggregatedStatusItem, ResourceBindingSpec, ResourceBindingStatus};
use portolan_object::Object;
use serde_json::Value;

/// `spec.replicas` that a template must get so that it agrees with its members; `None` if it is right, or not known yet.
///
/// Only a divided Deployment with the label `retain-replicas` follows its members. The template is changed when the members
/// have reported about its present spec, and the sum of their reports has reached its status.
pub fn replicas_of_members(
    template: &Object,
    spec: &ResourceBindingSpec,
    status: &ResourceBindingStatus,
    generation: i64,
) -> Option<i64> {
    if template.label(RETAIN_REPLICAS) != Some("true") || !is_divided(spec) {
        return None;
    }
    let number = |path: &[&str]| template.at(path).and_then(Value::as_i64);
    let wanted = number(&["spec", "replicas"])?;
    let present = number(&["status", "replicas"]).unwrap_or_default();
    let is_scheduled =
        i64::from(spec.replicas) == wanted && status.scheduler_observed_generation == generation;
    if wanted == present || !is_scheduled || status.aggregated_status.len() != spec.clusters.len() {
        return None;
    }
    // An autoscaler of a member has at least one replica: none means that the status has not been collected.
    let reported = |item: &AggregatedStatusItem| {
        item.status.as_ref()?.get("replicas").and_then(Value::as_i64).filter(|replicas| *replicas > 0)
    };
    let sum: i64 = status.aggregated_status.iter().map(reported).sum::<Option<i64>>()?;
    (sum == present).then_some(sum)
}

fn is_divided(spec: &ResourceBindingSpec) -> bool {
    let scheduling = spec.placement.as_ref().and_then(|placement| placement.replica_scheduling.as_ref());
    scheduling.is_some_and(|one| one.replica_scheduling_type == ReplicaSchedulingType::Divided)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(label: &str, wanted: i64, present: i64) -> Object {
        Object(json!({ "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "labels": { "resourcetemplate.karmada.io/retain-replicas": label } },
            "spec": { "replicas": wanted }, "status": { "replicas": present } }))
    }

    /// A binding that is scheduled for `replicas`, with the reports of its two members.
    fn binding(
        kind: &str,
        replicas: i32,
        reports: &[Option<i64>],
    ) -> (ResourceBindingSpec, ResourceBindingStatus) {
        let spec = json!({ "replicas": replicas, "clusters": [{ "name": "eu" }, { "name": "us" }],
            "placement": { "replicaScheduling": { "replicaSchedulingType": kind } } });
        let report = |replicas: &Option<i64>| json!({ "clusterName": "c", "status": replicas.map(|replicas| json!({ "replicas": replicas })) });
        let reports: Vec<Value> = reports.iter().map(report).collect();
        let status = json!({ "schedulerObservedGeneration": 3, "aggregatedStatus": reports });
        (serde_json::from_value(spec).expect("a spec"), serde_json::from_value(status).expect("a status"))
    }

    #[test]
    fn a_divided_template_follows_its_members() {
        let divided = |replicas: i32, reports: &[Option<i64>]| binding("Divided", replicas, reports);
        let cases = [
            ("they scaled up", template("true", 4, 7), divided(4, &[Some(3), Some(4)]), 3, Some(7)),
            ("they agree", template("true", 7, 7), divided(7, &[Some(3), Some(4)]), 3, None),
            ("not retained", template("false", 4, 7), divided(4, &[Some(3), Some(4)]), 3, None),
            ("duplicated", template("true", 4, 7), binding("Duplicated", 4, &[Some(3), Some(4)]), 3, None),
            ("not scheduled yet", template("true", 4, 7), divided(5, &[Some(3), Some(4)]), 3, None),
            ("not observed yet", template("true", 4, 7), divided(4, &[Some(3), Some(4)]), 4, None),
            ("one has not reported", template("true", 4, 3), divided(4, &[Some(3)]), 3, None),
            ("one has no status", template("true", 4, 3), divided(4, &[Some(3), None]), 3, None),
            ("one has no replicas yet", template("true", 4, 3), divided(4, &[Some(3), Some(0)]), 3, None),
            ("the sum has not arrived", template("true", 4, 6), divided(4, &[Some(3), Some(4)]), 3, None),
        ];
        for (name, template, (spec, status), generation, want) in cases {
            assert_eq!(replicas_of_members(&template, &spec, &status, generation), want, "{name}");
        }
    }
}
