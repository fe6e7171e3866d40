//! What a ReplicaSchedulingPreference writes into its federated workload (kubefed pkg/schedulingtypes/plugin.go).

use std::collections::{BTreeMap, BTreeSet};

use portolan_api::kubefed::{ClusterOverride, ClusterOverrides, ClusterReference, FederatedSpec, Placement};
use serde_json::{Value, json};

/// The field that each cluster gets its replicas by.
const REPLICAS: &str = "/spec/replicas";

/// The kinds that a preference can be about.
pub const TARGET_KINDS: [&str; 2] = ["FederatedDeployment", "FederatedReplicaSet"];

/// The spec of a federated workload with `replicas` for its clusters.
///
/// The placement lists the clusters with replicas, also with none, and those of `unreachable` that it listed before: a
/// cluster that does not answer for a while keeps what it has. Other overrides stay.
pub fn with_replicas(
    spec: &FederatedSpec,
    replicas: &BTreeMap<String, i64>,
    unreachable: &BTreeSet<String>,
) -> FederatedSpec {
    let mut new = spec.clone();
    let placement = spec.placement.clone().unwrap_or_default();
    let listed = placement.clusters.clone().unwrap_or_default();
    let kept: BTreeSet<&String> =
        listed.iter().map(|cluster| &cluster.name).filter(|name| unreachable.contains(*name)).collect();
    let names: BTreeSet<&String> = replicas.keys().chain(kept.iter().copied()).collect();
    // The order of a list with the same clusters stays.
    let is_same = listed.len() == names.len() && listed.iter().all(|cluster| names.contains(&cluster.name));
    let clusters = match is_same {
        true => listed.clone(),
        false => names.iter().map(|&name| ClusterReference { name: name.clone() }).collect(),
    };
    new.placement = Some(Placement { clusters: Some(clusters), ..placement });
    for entry in &mut new.overrides {
        let is_planned = replicas.contains_key(&entry.cluster_name) || kept.contains(&entry.cluster_name);
        if !is_planned {
            entry.cluster_overrides.retain(|change| change.path != REPLICAS);
        }
    }
    new.overrides.retain(|entry| !entry.cluster_overrides.is_empty());
    for (name, replicas) in replicas {
        set_replicas(&mut new.overrides, name, *replicas);
    }
    new
}

fn set_replicas(overrides: &mut Vec<ClusterOverrides>, cluster: &str, replicas: i64) {
    let value = Some(json!(replicas));
    let replaced =
        ClusterOverride { path: REPLICAS.to_owned(), value: value.clone(), ..ClusterOverride::default() };
    let Some(entry) = overrides.iter_mut().find(|entry| entry.cluster_name == cluster) else {
        let cluster_name = cluster.to_owned();
        overrides.push(ClusterOverrides { cluster_name, cluster_overrides: vec![replaced] });
        return;
    };
    match entry.cluster_overrides.iter_mut().find(|change| change.path == REPLICAS) {
        Some(change) => change.value = value,
        None => entry.cluster_overrides.push(replaced),
    }
}

/// Replicas in a cluster and what it can run, from the replicas that were asked for there, the status of the workload, and
/// the pods that no node can run.
pub fn observed(asked: Option<i64>, status: Option<&Value>, unschedulable: i64) -> super::replicas::Observed {
    let ready = status.map(|status| status["readyReplicas"].as_i64().unwrap_or_default());
    let is_full = unschedulable > 0 && ready != asked;
    let capacity = asked.filter(|_| is_full).map(|asked| asked.saturating_sub(unschedulable).max(0));
    super::replicas::Observed { current: ready, capacity }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubefed::replicas::Observed;

    fn spec(spec: Value) -> FederatedSpec {
        serde_json::from_value(spec).expect("a spec")
    }

    fn replicas(of: &[(&str, i64)]) -> BTreeMap<String, i64> {
        of.iter().map(|(name, replicas)| ((*name).to_owned(), *replicas)).collect()
    }

    #[test]
    fn the_placement_and_the_overrides_of_replicas_are_replaced() {
        let before = spec(json!({
            "template": { "spec": { "replicas": 1 } },
            "placement": { "clusters": [{ "name": "gone" }, { "name": "down" }, { "name": "idle" }],
                "clusterSelector": { "matchLabels": { "env": "prod" } } },
            "overrides": [
                { "clusterName": "gone", "clusterOverrides": [{ "path": "/spec/replicas", "value": 7 }] },
                { "clusterName": "down", "clusterOverrides": [{ "path": "/spec/replicas", "value": 6 }] },
                { "clusterName": "a", "clusterOverrides": [{ "path": "/spec/paused", "value": true }] },
                { "clusterName": "b", "clusterOverrides": [
                    { "path": "/spec/replicas", "value": 1 }, { "path": "/spec/paused", "value": true }] },
            ],
        }));
        let unreachable = BTreeSet::from(["down".to_owned(), "other".to_owned()]);
        let after = with_replicas(&before, &replicas(&[("a", 3), ("b", 0)]), &unreachable);
        let want = spec(json!({
            "template": { "spec": { "replicas": 1 } },
            "placement": { "clusters": [{ "name": "a" }, { "name": "b" }, { "name": "down" }],
                "clusterSelector": { "matchLabels": { "env": "prod" } } },
            "overrides": [
                { "clusterName": "down", "clusterOverrides": [{ "path": "/spec/replicas", "value": 6 }] },
                { "clusterName": "a", "clusterOverrides": [
                    { "path": "/spec/paused", "value": true }, { "path": "/spec/replicas", "value": 3 }] },
                { "clusterName": "b", "clusterOverrides": [
                    { "path": "/spec/replicas", "value": 0 }, { "path": "/spec/paused", "value": true }] },
            ],
        }));
        assert_eq!(after, want);
        assert_eq!(with_replicas(&after, &replicas(&[("a", 3), ("b", 0)]), &unreachable), after, "no change");
    }

    #[test]
    fn a_cluster_with_unschedulable_pods_is_full() {
        let ready = |ready: i64| json!({ "readyReplicas": ready });
        let cases = [
            (None, None, 0, Observed::default()),
            (Some(3), Some(json!({})), 0, Observed { current: Some(0), capacity: None }),
            (Some(3), Some(ready(2)), 1, Observed { current: Some(2), capacity: Some(2) }),
            (Some(3), Some(ready(3)), 1, Observed { current: Some(3), capacity: None }),
            (Some(1), Some(ready(0)), 4, Observed { current: Some(0), capacity: Some(0) }),
        ];
        for (asked, status, unschedulable, want) in cases {
            assert_eq!(observed(asked, status.as_ref(), unschedulable), want, "{asked:?} {status:?}");
        }
    }
}
