//! Chooses the node of a pod.
//!
//! Pure. A node must match the pod's node selector and required node affinity, its taints must be tolerated, and it must
//! have room for the pod. Among these nodes the one with the fewest pods is chosen.

use std::collections::BTreeMap;

use portolan_api::kubernetes::{View, condition};
use portolan_api::meta::Taint;
use portolan_api::resources::{self, StaticResource};
use portolan_object::Object;
use portolan_object::selector::{Operator, Requirement};
use serde::Deserialize;

use crate::node::pod_spec::{NodeRequirement, NodeSelectorTerm, PodSpec, is_finished, node_of};

/// Pods per node if `status.allocatable.pods` is not set.
const DEFAULT_MAX_PODS: usize = 110;

/// The taint that every node has in Kubernetes until it is ready.
const NOT_READY: &str = "node.kubernetes.io/not-ready";

/// Why a pod is unschedulable, in the words of kube-scheduler.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Unschedulable {
    pub(crate) message: String,
}

/// Chooses a node for a pod. `pods` are all pods of the cluster.
pub(crate) fn choose<'a>(
    spec: &PodSpec,
    nodes: impl IntoIterator<Item = &'a Object>,
    pods: impl IntoIterator<Item = &'a Object>,
) -> Result<String, Unschedulable> {
    let mut load: BTreeMap<&str, usize> = BTreeMap::new();
    for pod in pods.into_iter().filter(|pod| !is_finished(pod)) {
        *load.entry(node_of(pod)).or_default() += 1;
    }
    let mut refusals: BTreeMap<String, usize> = BTreeMap::new();
    let (mut best, mut total): (Option<(usize, &str)>, usize) = (None, 0);
    for node in nodes {
        total += 1;
        let load = load.get(node.name()).copied().unwrap_or_default();
        match refusal(spec, node, load) {
            Some(reason) => *refusals.entry(reason).or_default() += 1,
            None => {
                let candidate = (load, node.name());
                best = Some(best.map_or(candidate, |best| best.min(candidate)));
            }
        }
    }
    match best {
        Some((_, name)) => Ok(name.to_owned()),
        None => Err(Unschedulable { message: explain(total, &refusals) }),
    }
}

fn explain(total: usize, refusals: &BTreeMap<String, usize>) -> String {
    if total == 0 {
        return "no nodes available to schedule pods".to_owned();
    }
    let reasons: Vec<String> = refusals.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    format!("0/{total} nodes are available: {}.", reasons.join(", "))
}

/// Why a node is not feasible for the pod; `None` when it is.
fn refusal(spec: &PodSpec, node: &Object, load: usize) -> Option<String> {
    let Ok(NodeView { spec: node_spec, status }) = NodeView::read(node) else {
        return Some("node(s) had an unreadable spec".to_owned());
    };
    if node_spec.unschedulable {
        return Some("node(s) were unschedulable".to_owned());
    }
    let is_ready = condition(node, "Ready").is_some_and(|ready| ready.is_true());
    let not_ready = (!is_ready).then(|| Taint {
        key: NOT_READY.to_owned(),
        effect: "NoSchedule".to_owned(),
        ..Taint::default()
    });
    let untolerated = node_spec.taints.iter().chain(&not_ready).find(|taint| {
        taint.effect != "PreferNoSchedule"
            && !spec.tolerations.iter().any(|toleration| toleration.tolerates(taint))
    });
    if let Some(taint) = untolerated {
        return Some(format!("node(s) had untolerated taint {{{}: {}}}", taint.key, taint.value));
    }
    let selected = spec.node_selector.iter().all(|(key, value)| node.label(key) == Some(value));
    let required = &spec.affinity.node_affinity.required_during_scheduling_ignored_during_execution;
    let fits = required
        .as_ref()
        .is_none_or(|required| required.node_selector_terms.iter().any(|term| matches_term(term, node)));
    if !selected || !fits {
        return Some("node(s) didn't match Pod's node affinity/selector".to_owned());
    }
    let room = status.allocatable.pods.parse().unwrap_or(DEFAULT_MAX_PODS);
    (load >= room).then(|| "Too many pods".to_owned())
}

/// The fields of a Node that decide about pods.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NodeView<'a> {
    spec: NodeSpec,
    #[serde(borrow)]
    status: NodeStatus<'a>,
}

impl<'a> View<'a> for NodeView<'a> {
    const RESOURCE: StaticResource = resources::NODE;
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NodeStatus<'a> {
    #[serde(borrow)]
    allocatable: Allocatable<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Allocatable<'a> {
    pods: &'a str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NodeSpec {
    unschedulable: bool,
    taints: Vec<Taint>,
}

/// Whether all requirements of a term match; a term without requirements matches nothing.
fn matches_term(term: &NodeSelectorTerm, node: &Object) -> bool {
    let has_any = !term.match_expressions.is_empty() || !term.match_fields.is_empty();
    has_any
        && term.match_expressions.iter().all(|requirement| matches(requirement, node.label(&requirement.key)))
        && term
            .match_fields
            .iter()
            .all(|requirement| requirement.key == "metadata.name" && matches(requirement, Some(node.name())))
}

fn matches(requirement: &NodeRequirement, value: Option<&str>) -> bool {
    let operator = match requirement.operator.as_str() {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        "Gt" => Operator::GreaterThan,
        "Lt" => Operator::LessThan,
        _ => return false,
    };
    // An invalid requirement, which API servers reject, matches nothing.
    Requirement::new(requirement.key.clone(), operator, requirement.values.clone())
        .is_ok_and(|requirement| requirement.matches(value))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn node(name: &str, labels: Value, spec: Value) -> Object {
        Object(json!({ "metadata": { "name": name, "labels": labels }, "spec": spec,
                       "status": { "allocatable": { "pods": "2" },
                                   "conditions": [{ "type": "Ready", "status": "True" }] } }))
    }

    fn on(node: &str, phase: &str) -> Object {
        Object(json!({ "spec": { "nodeName": node }, "status": { "phase": phase } }))
    }

    fn chosen(spec: Value, nodes: &[Object], pods: &[Object]) -> String {
        let pod = Object(json!({ "spec": spec }));
        let spec = PodSpec::of(&pod).expect("a spec");
        choose(&spec, nodes, pods).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn nodes_of_pods() {
        let plain =
            || [node("a", json!({}), json!({})), node("b", json!({ "disk": "ssd", "size": "3" }), json!({}))];
        let tainted = || {
            [node(
                "a",
                json!({}),
                json!({ "taints": [{ "key": "dedicated", "value": "special-user",
                                                                   "effect": "NoSchedule" }] }),
            )]
        };
        let affinity = |expression: Value| {
            json!({ "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{ "matchExpressions": [expression] }] } } } })
        };
        let mismatch = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.";
        let cases = [
            ("the first of equals", chosen(json!({}), &plain(), &[]), "a"),
            ("the emptier one", chosen(json!({}), &plain(), &[on("a", "Running")]), "b"),
            ("finished pods do not count", chosen(json!({}), &plain(), &[on("a", "Succeeded")]), "a"),
            ("a selector", chosen(json!({ "nodeSelector": { "disk": "ssd" } }), &plain(), &[]), "b"),
            (
                "a selector without a node",
                chosen(json!({ "nodeSelector": { "disk": "tape" } }), &plain(), &[]),
                mismatch,
            ),
            (
                "affinity",
                chosen(affinity(json!({ "key": "size", "operator": "Gt", "values": ["2"] })), &plain(), &[]),
                "b",
            ),
            (
                "affinity to none",
                chosen(
                    affinity(json!({ "key": "disk", "operator": "NotIn", "values": ["ssd"] })),
                    &plain(),
                    &[],
                ),
                "a",
            ),
            (
                "an untolerated taint",
                chosen(json!({}), &tainted(), &[]),
                "0/1 nodes are available: 1 node(s) had untolerated taint {dedicated: special-user}.",
            ),
            (
                "a tolerated taint",
                chosen(
                    json!({ "tolerations": [{ "key": "dedicated", "operator": "Exists" }] }),
                    &tainted(),
                    &[],
                ),
                "a",
            ),
            (
                "a cordoned node",
                chosen(json!({}), &[node("a", json!({}), json!({ "unschedulable": true }))], &[]),
                "0/1 nodes are available: 1 node(s) were unschedulable.",
            ),
            (
                "a full node",
                chosen(json!({}), &plain()[..1], &[on("a", "Running"), on("a", "Pending")]),
                "0/1 nodes are available: 1 Too many pods.",
            ),
            (
                "a node that has no kubelet",
                chosen(json!({}), &[Object(json!({ "metadata": { "name": "a" } }))], &[]),
                "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.",
            ),
            ("no node at all", chosen(json!({}), &[], &[]), "no nodes available to schedule pods"),
        ];
        for (name, got, want) in cases {
            assert_eq!(got, want, "{name}");
        }
    }
}
