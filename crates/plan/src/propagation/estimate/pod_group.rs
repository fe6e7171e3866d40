//! The pods that an estimate is about.

use portolan_api::meta::{NodeSelectorTerm, SelectorRequirement, Taint};
use portolan_api::policy::ResourceList;
use portolan_api::work::{NodeClaim, ResourceBindingSpec};

use crate::capacity::{Amounts, MemberNode, ResourceName};

/// Equal pods.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct PodGroup {
    /// Number of pods.
    pub replicas: i64,
    /// What one asks for, with its place as `pods`.
    pub request: Amounts,
    /// The nodes that it can run on; `None` for all without taints.
    pub claim: Option<NodeClaim>,
    /// Priority class, for quotas.
    pub priority_class: String,
}

/// Pods that are placed together: one replica, or a set with all replicas of all components.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct PodSet {
    /// Their namespace, for quotas.
    pub namespace: String,
    /// The pods.
    pub groups: Vec<PodGroup>,
}

/// Pods that were assigned to a cluster and are not seen there yet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Assumed {
    /// The pods.
    pub pods: PodSet,
    /// Number of these sets.
    pub sets: i64,
}

impl PodGroup {
    fn new(replicas: i64, request: &ResourceList, claim: Option<&NodeClaim>, priority_class: &str) -> Self {
        let request = Amounts::of_list(request).with(ResourceName::Pods, 1);
        Self { replicas, request, claim: claim.cloned(), priority_class: priority_class.to_owned() }
    }

    /// Whether the pods can run on a node, apart from its resources.
    pub(crate) fn fits(&self, node: &MemberNode) -> bool {
        let tolerations = self.claim.as_ref().map(|claim| claim.tolerations.as_slice()).unwrap_or_default();
        let tolerates = |taint: &Taint| {
            !matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute")
                || tolerations.iter().any(|toleration| toleration.tolerates(taint))
        };
        let cordon = Taint {
            key: "node.kubernetes.io/unschedulable".to_owned(),
            effect: "NoSchedule".to_owned(),
            ..Taint::default()
        };
        if !node.taints.iter().all(tolerates) || (node.is_unschedulable && !tolerates(&cordon)) {
            return false;
        }
        let Some(claim) = &self.claim else { return true };
        let has_labels = claim.node_selector.iter().all(|(key, value)| node.labels.get(key) == Some(value));
        let affinity = claim.hard_node_affinity.as_ref();
        has_labels
            && affinity.is_none_or(|affinity| {
                affinity.node_selector_terms.iter().any(|term| is_selected(term, node))
            })
    }
}

/// Whether a node meets all requirements of a term; one without requirements selects nothing.
fn is_selected(term: &NodeSelectorTerm, node: &MemberNode) -> bool {
    let label = |one: &SelectorRequirement| is_met(one, node.labels.get(&one.key).map(String::as_str));
    let field = |one: &SelectorRequirement| one.key == "metadata.name" && is_met(one, Some(&*node.name));
    let is_empty = term.match_expressions.is_empty() && term.match_fields.is_empty();
    !is_empty && term.match_expressions.iter().all(label) && term.match_fields.iter().all(field)
}

/// As [`SelectorRequirement::matches`], with the operators Gt and Lt of node selectors.
fn is_met(requirement: &SelectorRequirement, value: Option<&str>) -> bool {
    let numbers = || -> Option<(i64, i64)> {
        let [limit] = requirement.values.as_slice() else { return None };
        Some((value?.parse().ok()?, limit.parse().ok()?))
    };
    match requirement.operator.as_str() {
        "Gt" => numbers().is_some_and(|(value, limit)| value > limit),
        "Lt" => numbers().is_some_and(|(value, limit)| value < limit),
        _ => requirement.matches(value),
    }
}

impl PodSet {
    /// The pods of a binding: a set of its components if it has some, else one replica.
    pub fn of_binding(spec: &ResourceBindingSpec) -> Self {
        let namespace = spec.resource.namespace.clone();
        if !spec.components.is_empty() {
            let group = |component: &portolan_api::work::Component| {
                let replicas = i64::from(component.replicas);
                match &component.replica_requirements {
                    Some(one) => PodGroup::new(
                        replicas,
                        &one.resource_request,
                        one.node_claim.as_ref(),
                        &one.priority_class_name,
                    ),
                    None => PodGroup::new(replicas, &ResourceList::new(), None, ""),
                }
            };
            return Self { namespace, groups: spec.components.iter().map(group).collect() };
        }
        let group = match &spec.replica_requirements {
            Some(one) => {
                PodGroup::new(1, &one.resource_request, one.node_claim.as_ref(), &one.priority_class_name)
            }
            None => PodGroup::new(1, &ResourceList::new(), None, ""),
        };
        Self { namespace, groups: vec![group] }
    }

    /// What the whole set asks for, with the number of its pods as `pods`.
    pub fn request(&self) -> Amounts {
        self.request_of(|_| true)
    }

    /// What the groups that `is_counted` selects ask for.
    pub(super) fn request_of(&self, is_counted: impl Fn(&PodGroup) -> bool) -> Amounts {
        let mut sum = Amounts::default();
        for group in self.groups.iter().filter(|group| is_counted(group)) {
            sum.add(&group.request, group.replicas);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn node() -> MemberNode {
        let node = json!({ "metadata": { "name": "n1", "labels": { "disk": "ssd", "cores": "8" } },
            "spec": { "taints": [{ "key": "gpu", "effect": "NoSchedule" }, { "key": "soft", "effect": "PreferNoSchedule" }] } });
        serde_json::from_value(node).expect("a node")
    }

    fn group(claim: Value) -> PodGroup {
        PodGroup { claim: serde_json::from_value(claim).expect("a claim"), ..PodGroup::default() }
    }

    #[test]
    fn nodes_are_matched_by_taints_labels_and_affinity() {
        let tolerates = json!([{ "key": "gpu", "operator": "Exists" }]);
        let affinity = |term: Value| json!({ "tolerations": tolerates, "hardNodeAffinity": { "nodeSelectorTerms": [term] } });
        let requirement = |key: &str, operator: &str, values: &[&str]| {
            affinity(json!({ "matchExpressions": [{ "key": key, "operator": operator, "values": values }] }))
        };
        for (name, claim, want) in [
            ("no toleration", json!(null), false),
            ("a toleration", json!({ "tolerations": tolerates }), true),
            ("a label", json!({ "tolerations": tolerates, "nodeSelector": { "disk": "ssd" } }), true),
            ("another value", json!({ "tolerations": tolerates, "nodeSelector": { "disk": "hdd" } }), false),
            ("affinity", requirement("disk", "In", &["ssd"]), true),
            ("anti-affinity", requirement("disk", "NotIn", &["ssd"]), false),
            ("more than", requirement("cores", "Gt", &["4"]), true),
            ("less than", requirement("cores", "Lt", &["4"]), false),
            ("not a number", requirement("disk", "Gt", &["4"]), false),
            ("an empty term", affinity(json!({})), false),
            (
                "no terms",
                json!({ "tolerations": tolerates, "hardNodeAffinity": { "nodeSelectorTerms": [] } }),
                false,
            ),
            (
                "a field",
                affinity(
                    json!({ "matchFields": [{ "key": "metadata.name", "operator": "In", "values": ["n1"] }] }),
                ),
                true,
            ),
        ] {
            assert_eq!(group(claim).fits(&node()), want, "{name}");
        }
    }

    #[test]
    fn a_cordoned_node_takes_what_tolerates_it() {
        let cordoned = MemberNode { is_unschedulable: true, ..MemberNode::default() };
        assert!(!group(json!(null)).fits(&cordoned));
        let everything = json!({ "tolerations": [{ "operator": "Exists" }] });
        assert!(group(everything).fits(&cordoned));
    }
}
