//! Names of clusters in fields beside the placement: those that do not exist have no effect.

use std::collections::BTreeSet;

use portolan_api::policy::{OverrideSpec, PropagationSpec};

use super::{Facts, Fault, selector_faults};

/// The faults of an override policy.
pub fn override_faults(spec: &OverrideSpec, facts: Facts<'_>) -> Vec<Fault> {
    let (mut faults, _) = selector_faults(&spec.resource_selectors, facts);
    let rules = spec.override_rules.iter().filter_map(|rule| rule.target_cluster.as_ref());
    let of_rules = rules.flat_map(|target| &target.cluster_names);
    let of_policy = spec.target_cluster.iter().flat_map(|target| &target.cluster_names);
    faults.extend(no_such_target("spec.overrideRules", of_rules, facts.clusters));
    faults.extend(no_such_target("spec.targetCluster", of_policy, facts.clusters));
    faults
}

/// The names in the weights and in the suspension of a propagation policy.
pub(super) fn target_faults(spec: &PropagationSpec, clusters: &BTreeSet<String>) -> Vec<Fault> {
    let scheduling = spec.placement.replica_scheduling.as_ref();
    let weights = scheduling.and_then(|scheduling| scheduling.weight_preference.as_ref());
    let weighted = weights.into_iter().flat_map(|weights| &weights.static_weight_list);
    let weighted = weighted.flat_map(|weight| &weight.target_cluster.cluster_names);
    let suspension = spec.suspension.as_ref().and_then(|one| one.dispatching_on_clusters.as_ref());
    let suspended = suspension.into_iter().flat_map(|clusters| &clusters.cluster_names);
    let faults = [
        no_such_target("spec.placement.replicaScheduling.weightPreference", weighted, clusters),
        no_such_target("spec.suspension.dispatchingOnClusters", suspended, clusters),
    ];
    faults.into_iter().flatten().collect()
}

/// The fault of names that are those of no cluster.
pub(super) fn no_such_target<'a>(
    field: &'static str,
    named: impl Iterator<Item = &'a String>,
    clusters: &BTreeSet<String>,
) -> Option<Fault> {
    let missing: BTreeSet<&String> = named.filter(|name| !clusters.contains(*name)).collect();
    let names: Vec<String> = missing.into_iter().cloned().collect();
    (!names.is_empty()).then_some(Fault::NoSuchTarget { field, names })
}

#[cfg(test)]
mod tests {
    use portolan_object::GroupVersionKind;
    use serde_json::{Value, json};

    use super::*;
    use crate::propagation::detect::Skipped;

    #[test]
    fn overrides_name_kinds_and_clusters_that_exist() {
        let clusters = BTreeSet::from(["eu".to_owned()]);
        let kinds = [GroupVersionKind::new("apps", "v1", "Deployment")];
        let skipped = Skipped::default();
        let cluster_kinds = BTreeSet::new();
        let facts = Facts {
            namespace: "shop",
            kinds: &kinds,
            cluster_kinds: &cluster_kinds,
            clusters: &clusters,
            skipped: &skipped,
        };
        let rule = |names: Value| json!([{ "targetCluster": { "clusterNames": names } }]);
        let selector = |kind: &str| json!([{ "apiVersion": "apps/v1", "kind": kind }]);
        let cases = [
            (
                json!({ "overrideRules": rule(json!(["eu"])), "resourceSelectors": selector("Deployment") }),
                vec![],
            ),
            (
                json!({ "overrideRules": rule(json!(["ue", "eu", "ue"])) }),
                vec!["spec.overrideRules names clusters that do not exist: ue; correct"],
            ),
            (
                json!({ "targetCluster": { "clusterNames": ["ue"] } }),
                vec!["spec.targetCluster names clusters that do not exist: ue"],
            ),
            (
                json!({ "resourceSelectors": selector("Depoyment") }),
                vec!["no kind apps/v1 Depoyment; did you mean apps/v1 Deployment?"],
            ),
        ];
        for (spec, want) in cases {
            let policy: OverrideSpec = serde_json::from_value(spec.clone()).expect("a spec");
            let said: Vec<String> = override_faults(&policy, facts).iter().map(ToString::to_string).collect();
            assert_eq!(said.len(), want.len(), "{spec}: {said:?}");
            for (said, want) in said.iter().zip(want) {
                assert!(said.contains(want), "{said:?} lacks {want:?}");
            }
        }
    }

    #[test]
    fn weights_and_suspensions_name_clusters_that_exist() {
        let clusters = BTreeSet::from(["eu".to_owned()]);
        let spec = |name: &str| -> PropagationSpec {
            let weights = json!([{ "targetCluster": { "clusterNames": [name] }, "weight": 1 }]);
            let spec = json!({ "resourceSelectors": [],
                "suspension": { "dispatchingOnClusters": { "clusterNames": [name] } },
                "placement": { "replicaScheduling": { "weightPreference": { "staticWeightList": weights } } } });
            serde_json::from_value(spec).expect("a spec")
        };
        assert_eq!(target_faults(&spec("eu"), &clusters), []);
        let said: Vec<String> =
            target_faults(&spec("ue"), &clusters).iter().map(ToString::to_string).collect();
        assert!(
            said[0].starts_with("spec.placement.replicaScheduling.weightPreference names clusters"),
            "{said:?}"
        );
        assert!(said[1].starts_with("spec.suspension.dispatchingOnClusters names clusters"), "{said:?}");
    }
}
