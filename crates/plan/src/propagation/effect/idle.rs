//! Parts of policies that fit nothing now: clusters by labels and fields, and containers by name.

use std::collections::BTreeSet;
use std::sync::Arc;

use portolan_api::cluster::Cluster;
use portolan_api::policy::{ClusterAffinity, OverrideSpec, PropagationSpec};
use portolan_object::Object;

use super::Fault;
use crate::propagation::affinity::matches;
use crate::propagation::overrides::container_names;

/// The rules of an override policy that fit no cluster, and its containers that no selected object has.
pub fn idle_overrides(
    spec: &OverrideSpec,
    clusters: &[Arc<Cluster>],
    selected: &[Arc<Object>],
) -> Vec<Fault> {
    let rules = spec.override_rules.iter().enumerate().filter_map(|(index, rule)| {
        let target = rule.target_cluster.as_ref()?;
        is_idle(target, clusters).then(|| format!("spec.overrideRules[{index}].targetCluster"))
    });
    let of_policy = spec.target_cluster.iter().filter(|target| is_idle(target, clusters));
    let of_policy = of_policy.map(|_| "spec.targetCluster".to_owned());
    let mut faults: Vec<Fault> = rules.chain(of_policy).map(|field| Fault::NoClusterFits { field }).collect();
    if !selected.is_empty() {
        let present: BTreeSet<String> = selected.iter().flat_map(|object| container_names(object)).collect();
        let missing = named_containers(spec).into_iter().filter(|name| !present.contains(name));
        faults.extend(missing.map(|container| Fault::NoSuchContainer { container }));
    }
    faults
}

/// The weights of a propagation policy that fit no cluster.
pub fn idle_weights(spec: &PropagationSpec, clusters: &[Arc<Cluster>]) -> Vec<Fault> {
    let scheduling = spec.placement.replica_scheduling.as_ref();
    let weights = scheduling.and_then(|scheduling| scheduling.weight_preference.as_ref());
    let weights = weights.into_iter().flat_map(|weights| &weights.static_weight_list).enumerate();
    let idle = weights.filter(|(_, weight)| is_idle(&weight.target_cluster, clusters));
    let field = "spec.placement.replicaScheduling.weightPreference.staticWeightList";
    idle.map(|(index, _)| Fault::NoClusterFits { field: format!("{field}[{index}].targetCluster") }).collect()
}

/// Whether labels or fields select no cluster. Names that do not exist are told by themselves.
fn is_idle(affinity: &ClusterAffinity, clusters: &[Arc<Cluster>]) -> bool {
    let has_selector = affinity.label_selector.is_some() || affinity.field_selector.is_some();
    has_selector && !clusters.is_empty() && !clusters.iter().any(|cluster| matches(affinity, cluster))
}

/// The containers of which command or arguments are changed.
fn named_containers(spec: &OverrideSpec) -> BTreeSet<String> {
    let rules = spec.override_rules.iter().map(|rule| &rule.overriders);
    let mut names = BTreeSet::new();
    for overriders in rules.chain([&spec.overriders]) {
        names.extend(overriders.command_overrider.iter().map(|one| one.container_name.clone()));
        names.extend(overriders.args_overrider.iter().map(|one| one.container_name.clone()));
    }
    names
}

#[cfg(test)]
mod tests {
    use portolan_api::meta::ObjectMeta;
    use serde_json::{Value, json};

    use super::*;

    fn clusters() -> Vec<Arc<Cluster>> {
        let mut metadata = ObjectMeta::cluster("eu");
        metadata.labels.insert("tier".to_owned(), "silver".to_owned());
        vec![Arc::new(Cluster { metadata, ..Cluster::default() })]
    }

    fn target(tier: &str) -> Value {
        json!({ "labelSelector": { "matchLabels": { "tier": tier } } })
    }

    fn says(faults: Vec<Fault>) -> Vec<String> {
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn overrides_that_fit_nothing_are_named() {
        let web = Object(
            json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
            "spec": { "template": { "spec": { "containers": [{ "name": "nginx" }], "initContainers": [{ "name": "init" }] } } } }),
        );
        let command =
            |container: &str| json!([{ "containerName": container, "operator": "add", "value": ["sh"] }]);
        let cases = [
            (json!({ "overrideRules": [{ "targetCluster": target("silver"), "overriders": {} }] }), None),
            (
                json!({ "overrideRules": [{ "overriders": {} }, { "targetCluster": target("gold"), "overriders": {} }] }),
                Some("spec.overrideRules[1].targetCluster fits no cluster"),
            ),
            (json!({ "targetCluster": target("gold") }), Some("spec.targetCluster fits no cluster")),
            (
                json!({ "overrideRules": [{ "overriders": { "commandOverrider": command("nginx"), "argsOverrider": command("init") } }] }),
                None,
            ),
            (
                json!({ "overrideRules": [{ "overriders": { "argsOverrider": command("ngin") } }] }),
                Some("no selected object has a container ngin"),
            ),
        ];
        for (spec, want) in cases {
            let policy: OverrideSpec = serde_json::from_value(spec.clone()).expect("a spec");
            let said = says(idle_overrides(&policy, &clusters(), &[Arc::new(web.clone())]));
            assert_eq!(said.len(), usize::from(want.is_some()), "{spec}: {said:?}");
            assert!(want.is_none_or(|want| said[0].starts_with(want)), "{spec}: {said:?}");
            let without = says(idle_overrides(&policy, &[], &[]));
            assert!(without.is_empty(), "nothing has joined and nothing is selected yet: {without:?}");
        }
    }

    #[test]
    fn weights_that_fit_no_cluster_are_named() {
        let spec = |tier: &str| -> PropagationSpec {
            let weights = json!([{ "targetCluster": target(tier), "weight": 1 }]);
            serde_json::from_value(json!({ "resourceSelectors": [],
                "placement": { "replicaScheduling": { "weightPreference": { "staticWeightList": weights } } } }))
            .expect("a spec")
        };
        assert_eq!(idle_weights(&spec("silver"), &clusters()), []);
        let said = says(idle_weights(&spec("gold"), &clusters()));
        assert!(said[0].contains("staticWeightList[0].targetCluster fits no cluster"), "{said:?}");
    }
}
