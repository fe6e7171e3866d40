//! Replicas that a binding has assigned to a cluster and that do not run there yet.

use portolan_api::policy::{ReplicaDivisionPreference, ReplicaSchedulingType};
use portolan_api::work::{ResourceBindingSpec, ResourceBindingStatus, ResourceHealth, TargetCluster};

/// Whether scheduling of a binding depends on estimates: its replicas are divided by free capacity, clusters are chosen
/// by it, or complete sets of components need room.
pub fn are_needed(spec: &ResourceBindingSpec) -> bool {
    if spec.replicas <= 0 && spec.components.is_empty() {
        return false;
    }
    let Some(placement) = &spec.placement else { return false };
    if !spec.components.is_empty() || !placement.spread_constraints.is_empty() {
        return true;
    }
    placement.replica_scheduling.as_ref().is_some_and(|scheduling| {
        let is_dynamic =
            scheduling.weight_preference.as_ref().is_some_and(|weights| weights.dynamic_weight.is_some());
        let is_aggregated =
            scheduling.replica_division_preference == Some(ReplicaDivisionPreference::Aggregated);
        scheduling.replica_scheduling_type == ReplicaSchedulingType::Divided && (is_dynamic || is_aggregated)
    })
}

/// Number of sets ([`PodSet`](super::PodSet)) that are assigned to a target and are not seen in its cluster: replicas, or
/// one set of components.
///
/// Pods that the cluster has count in its capacity, whether they are ready or not. They are seen by `status.replicas` of
/// the object there; a kind without that field is seen as a whole when it is healthy.
pub fn in_flight(spec: &ResourceBindingSpec, status: &ResourceBindingStatus, target: &TargetCluster) -> i64 {
    let assigned = if spec.components.is_empty() { i64::from(target.replicas) } else { 1 };
    let item = status.aggregated_status.iter().find(|item| item.cluster_name == target.name);
    let Some(item) = item else { return assigned };
    let seen = item.status.as_ref().and_then(|status| status["replicas"].as_i64());
    match (seen, item.health) {
        (Some(seen), _) if spec.components.is_empty() => (assigned - seen).max(0),
        (_, Some(ResourceHealth::Healthy)) => 0,
        _ => assigned,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(value: Value) -> ResourceBindingSpec {
        serde_json::from_value(value).expect("a spec")
    }

    #[test]
    fn replicas_are_in_flight_until_the_cluster_has_their_pods() {
        let target = TargetCluster { name: "m1".to_owned(), replicas: 3, ..TargetCluster::default() };
        let plain = json!({ "replicas": 3 });
        let components = json!({ "components": [{ "name": "a", "replicas": 1 }] });
        let report = |item: Value| json!({ "aggregatedStatus": [item] });
        for (name, of, status, want) in [
            ("nothing reported", &plain, json!({}), 3),
            ("another cluster", &plain, report(json!({ "clusterName": "m2", "health": "Healthy" })), 3),
            ("no status yet", &plain, report(json!({ "clusterName": "m1" })), 3),
            ("some pods", &plain, report(json!({ "clusterName": "m1", "status": { "replicas": 2 } })), 1),
            ("more pods", &plain, report(json!({ "clusterName": "m1", "status": { "replicas": 9 } })), 0),
            ("healthy", &plain, report(json!({ "clusterName": "m1", "health": "Healthy" })), 0),
            ("a set", &components, report(json!({ "clusterName": "m1", "health": "Unknown" })), 1),
            ("a healthy set", &components, report(json!({ "clusterName": "m1", "health": "Healthy" })), 0),
        ] {
            let status = serde_json::from_value(status).expect("a status");
            assert_eq!(in_flight(&spec(of.clone()), &status, &target), want, "{name}");
        }
    }

    #[test]
    fn who_needs_estimates() {
        let placement =
            |scheduling: Value| json!({ "replicas": 1, "placement": { "replicaScheduling": scheduling } });
        for (spec_json, want) in [
            (json!({ "replicas": 1, "placement": {} }), false),
            (placement(json!({ "replicaSchedulingType": "Duplicated" })), false),
            (
                placement(
                    json!({ "replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted" }),
                ),
                false,
            ),
            (
                placement(
                    json!({ "replicaSchedulingType": "Divided", "replicaDivisionPreference": "Aggregated" }),
                ),
                true,
            ),
            (
                placement(
                    json!({ "replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted",
                    "weightPreference": { "dynamicWeight": "AvailableReplicas" } }),
                ),
                true,
            ),
            (
                json!({ "replicas": 1, "placement": { "spreadConstraints": [{ "spreadByField": "cluster" }] } }),
                true,
            ),
            (
                json!({ "replicas": 0, "placement": { "spreadConstraints": [{ "spreadByField": "cluster" }] } }),
                false,
            ),
            (json!({ "components": [{ "name": "a", "replicas": 1 }], "placement": {} }), true),
        ] {
            assert_eq!(are_needed(&spec(spec_json.clone())), want, "{spec_json}");
        }
    }
}
