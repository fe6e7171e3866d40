//! Conditions of workloads: one of each type from those of all clusters.

use std::collections::BTreeSet;

use portolan_api::kubernetes::{DeploymentCondition, DeploymentStatus, read_value};
use serde_json::{Value, json};

use super::Report;
use super::counters::statuses;

/// Types that say that something is wrong.
const BAD_TYPES: [&str; 1] = ["ReplicaFailure"];

/// The conditions of all types that clusters report, in place of those in `status`. Karmada leaves them out.
pub(super) fn aggregated(mut status: Value, reports: &[Report]) -> Value {
    let mut types = BTreeSet::new();
    for status in statuses(reports) {
        let status: DeploymentStatus<'_> = read_value(status).unwrap_or_default();
        types.extend(status.conditions.iter().map(|condition| condition.kind));
    }
    let one = |kind: &str| {
        let mut found = reported(reports, kind);
        if !BAD_TYPES.contains(&kind) {
            return combine(&found, "True");
        }
        found.retain(|(_, condition)| condition.status == "True");
        combine(&found, "False")
    };
    let conditions: Vec<Value> = types.into_iter().filter_map(one).collect();
    if let Some(fields) = status.as_object_mut() {
        match conditions.is_empty() {
            true => drop(fields.remove("conditions")),
            false => drop(fields.insert("conditions".to_owned(), Value::Array(conditions))),
        }
    }
    status
}

/// The conditions of a type, with their clusters.
pub(super) fn reported<'a>(reports: &'a [Report], kind: &str) -> Vec<(&'a str, DeploymentCondition<'a>)> {
    let mut found = Vec::new();
    for report in reports {
        let Some(status) = &report.status else { continue };
        let status: DeploymentStatus<'a> = read_value(status).unwrap_or_default();
        let condition = status.conditions.iter().find(|condition| condition.kind == kind);
        found.extend(condition.map(|condition| (report.cluster.as_str(), *condition)));
    }
    found
}

/// One condition from those of several clusters: the good status if all have it, otherwise what the others say.
pub(super) fn combine(found: &[(&str, DeploymentCondition<'_>)], good: &str) -> Option<Value> {
    let bad: Vec<_> = found.iter().filter(|(_, condition)| condition.status != good).collect();
    let telling = if bad.is_empty() { found.iter().collect() } else { bad };
    let (_, first) =
        telling.iter().find(|(_, one)| one.reason != "NewReplicaSetAvailable").or(telling.first())?;
    let messages: Vec<String> =
        telling.iter().map(|(cluster, condition)| format!("{cluster}: {}", condition.message)).collect();
    let is_same = telling.len() == found.len() && telling.iter().all(|(_, one)| one.message == first.message);
    let message = if is_same { first.message.to_owned() } else { messages.join("; ") };
    let updated = telling.iter().map(|(_, condition)| condition.last_update_time).max();
    let changed = telling.iter().map(|(_, condition)| condition.last_transition_time).max();
    let mut condition = json!({ "type": first.kind, "status": first.status, "reason": first.reason, "message": message,
        "lastTransitionTime": changed });
    // Only Deployments have it.
    if let Some(updated) = updated.filter(|time| !time.is_empty()) {
        condition["lastUpdateTime"] = json!(updated);
    }
    Some(condition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_in_one_cluster_is_told_with_its_name() {
        let condition = |kind: &str, status: &str, message: &str| {
            json!({ "type": kind, "status": status, "reason": "R", "message": message,
                "lastTransitionTime": "2026-01-01T00:00:00Z" })
        };
        let report = |cluster: &str, conditions: Value| Report {
            cluster: cluster.to_owned(),
            status: Some(json!({ "conditions": conditions })),
        };
        let reports = [
            report("eu", json!([condition("Ready", "True", "fine")])),
            report(
                "us",
                json!([condition("Ready", "False", "slow"), condition("ReplicaFailure", "True", "quota")]),
            ),
        ];
        let status =
            aggregated(json!({ "replicas": 2, "conditions": [condition("Old", "True", "")] }), &reports);
        let found: Vec<String> = status["conditions"]
            .as_array()
            .expect("conditions")
            .iter()
            .map(|one| format!("{}={}: {}", one["type"], one["status"], one["message"]).replace('"', ""))
            .collect();
        assert_eq!(found, ["Ready=False: us: slow", "ReplicaFailure=True: quota"]);
        assert_eq!(aggregated(json!({ "conditions": [] }), &[]), json!({}));
    }
}
