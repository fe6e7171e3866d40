//! Remedies in effect for a cluster (karmada pkg/controllers/remediation).

use std::collections::BTreeSet;

use portolan_api::cluster::Cluster;
use portolan_api::meta::{Condition, condition};
use portolan_api::remedy::{ConditionOperator, DecisionMatch, Remedy};

/// The actions of all remedies that apply to a cluster, sorted, each once.
pub fn actions<'a>(remedies: impl IntoIterator<Item = &'a Remedy>, cluster: &Cluster) -> Vec<String> {
    let applies = |remedy: &&Remedy| {
        let clusters = remedy.spec.cluster_affinity.as_ref();
        !remedy.metadata.is_deleting()
            && clusters.is_none_or(|clusters| clusters.cluster_names.contains(&cluster.metadata.name))
            && is_decided(remedy.spec.decision_matches.as_deref(), &cluster.status.conditions)
    };
    let actions: BTreeSet<&String> =
        remedies.into_iter().filter(applies).flat_map(|remedy| &remedy.spec.actions).collect();
    actions.into_iter().cloned().collect()
}

/// Without a list always; with one, if an entry of it holds.
fn is_decided(matches: Option<&[DecisionMatch]>, conditions: &[Condition]) -> bool {
    let holds = |decision: &DecisionMatch| {
        let Some(requirement) = &decision.cluster_condition_match else { return false };
        let Some(condition) = condition(conditions, &requirement.condition_type) else { return false };
        let is_equal = condition.status.as_str() == requirement.condition_status;
        is_equal == (requirement.operator == ConditionOperator::Equal)
    };
    matches.is_none_or(|matches| matches.iter().any(holds))
}

#[cfg(test)]
mod tests {
    use portolan_api::meta::ObjectMeta;
    use serde_json::{Value, json};

    use super::*;

    fn remedy(spec: Value) -> Remedy {
        let metadata = ObjectMeta::cluster("r");
        Remedy { metadata, spec: serde_json::from_value(spec).expect("a spec"), ..Remedy::default() }
    }

    fn cluster(dns: Option<bool>) -> Cluster {
        let mut cluster = Cluster { metadata: ObjectMeta::cluster("eu"), ..Cluster::default() };
        let condition = |works: bool| Condition::new("Dns", works, "R", "", "t");
        cluster.status.conditions = dns.map(condition).into_iter().collect();
        cluster
    }

    #[test]
    fn actions_follow_conditions() {
        let on = |operator: &str, status: &str| {
            json!([{ "clusterConditionMatch":
                { "conditionType": "Dns", "operator": operator, "conditionStatus": status } }])
        };
        let with = |matches: Value| json!({ "actions": ["TrafficControl"], "decisionMatches": matches });
        let on_clusters = |names: Value| json!({ "actions": ["TrafficControl"], "clusterAffinity": names });
        let cases = [
            ("the condition fails", with(on("Equal", "False")), Some(false), true),
            ("the condition holds", with(on("Equal", "False")), Some(true), false),
            ("no condition", with(on("NotEqual", "True")), None, false),
            ("not equal", with(on("NotEqual", "True")), Some(false), true),
            ("no matches are always", json!({ "actions": ["TrafficControl"] }), None, true),
            ("an empty list is never", with(json!([])), Some(false), false),
            ("an empty entry never holds", with(json!([{}])), Some(false), false),
            ("of this cluster", on_clusters(json!({ "clusterNames": ["eu"] })), None, true),
            ("of another cluster", on_clusters(json!({ "clusterNames": ["us"] })), None, false),
            ("an empty affinity is no cluster", on_clusters(json!({})), None, false),
        ];
        for (name, spec, dns, want) in cases {
            assert_eq!(!actions([&remedy(spec)], &cluster(dns)).is_empty(), want, "{name}");
        }
    }

    #[test]
    fn actions_of_several_remedies_are_united() {
        let (one, other) = (remedy(json!({ "actions": ["B", "A"] })), remedy(json!({ "actions": ["B"] })));
        assert_eq!(actions([&one, &other], &cluster(None)), ["A", "B"]);
        let mut leaving = one.clone();
        leaving.metadata.deletion_timestamp = Some("t".to_owned());
        assert_eq!(actions([&leaving], &cluster(None)), Vec::<String>::new());
    }
}
