//! DaemonSets: a pod on every node that the template can run on (kubernetes pkg/controller/daemon).
//!
//! A pod is bound to its node by a node affinity, and the scheduler assigns it.

use std::collections::{BTreeMap, BTreeSet};

use portolan_api::kubernetes::{IntOrString, View};
use portolan_api::meta::{NodeSelector, Toleration};
use portolan_api::names;
use portolan_api::resources::{self, StaticResource};
use portolan_api::work::NodeClaim;
use portolan_object::{Object, ObjectKey};
use serde::Deserialize;
use serde_json::{Value, json};

use super::history::{self, REVISION_LABEL, RevisionStep};
use super::pods::{from_template, is_active, is_ready, status};
use super::share::{Rounding, share};
use crate::capacity::MemberNode;
use crate::propagation::estimate::PodGroup;

/// Taints that every pod of a DaemonSet tolerates, with their effects.
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// One change that brings the cluster closer to the set.
#[derive(Debug, Clone, PartialEq)]
pub enum DaemonSetAction {
    /// Create a pod.
    Create(Object),
    /// Delete a pod.
    Delete(ObjectKey),
    /// Change the ControllerRevisions.
    Revision(RevisionStep),
    /// Write the status.
    Status(Value),
}

/// A DaemonSet as its controller reads it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DaemonSetView<'a> {
    #[serde(borrow)]
    spec: Spec<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec<'a> {
    template: Template,
    #[serde(borrow)]
    update_strategy: UpdateStrategy<'a>,
    revision_history_limit: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Template {
    spec: PodTemplateSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodTemplateSpec {
    node_selector: BTreeMap<String, String>,
    tolerations: Vec<Toleration>,
    affinity: Affinity,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Affinity {
    node_affinity: NodeAffinity,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeAffinity {
    required_during_scheduling_ignored_during_execution: Option<NodeSelector>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct UpdateStrategy<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    rolling_update: Option<RollingUpdate<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RollingUpdate<'a> {
    #[serde(borrow)]
    max_unavailable: Option<IntOrString<'a>>,
}

impl<'a> View<'a> for DaemonSetView<'a> {
    const RESOURCE: StaticResource = resources::DAEMON_SET;
}

/// Computes the steps from the nodes of the cluster, and the pods and ControllerRevisions that the set controls.
pub fn plan(
    set: &Object,
    nodes: &[&Object],
    pods: &[&Object],
    revisions: &[&Object],
) -> Vec<DaemonSetAction> {
    let view = DaemonSetView::read(set).unwrap_or_default();
    let hash = template_hash(set);
    let eligible: BTreeSet<&str> =
        nodes.iter().filter(|node| runs_on(&view.spec.template.spec, node)).map(|node| node.name()).collect();
    let mut by_node: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
    for pod in pods.iter().copied().filter(|pod| !pod.is_deleting()) {
        by_node.entry(node_of(pod)).or_default().push(pod);
    }
    let mut actions = Vec::new();
    if !set.is_deleting() {
        actions.extend(history_steps(set, &view.spec, &hash, pods, revisions));
        let missing = eligible.iter().filter(|node| !by_node.contains_key(**node));
        actions.extend(missing.map(|node| DaemonSetAction::Create(pod_on(set, &hash, node))));
        for (node, pods) in &mut by_node {
            pods.sort_by_key(|pod| {
                (!is_active(pod), pod.creation_timestamp().to_owned(), pod.name().to_owned())
            });
            let kept = usize::from(eligible.contains(node));
            let finished = pods.iter().take(kept).filter(|pod| !is_active(pod));
            let surplus = pods.iter().skip(kept).chain(finished);
            actions.extend(surplus.map(|pod| DaemonSetAction::Delete(pod.key())));
        }
        actions.extend(outdated(&view.spec.update_strategy, &hash, &eligible, &by_node));
    }
    let status = counters(set, &hash, &eligible, &by_node);
    if set.at(&["status"]) != Some(&status) {
        actions.push(DaemonSetAction::Status(status));
    }
    actions
}

/// Records the template, and forgets old ones that no pod has.
fn history_steps(
    set: &Object,
    spec: &Spec<'_>,
    hash: &str,
    pods: &[&Object],
    revisions: &[&Object],
) -> impl Iterator<Item = DaemonSetAction> {
    let live = pods.iter().filter_map(|pod| pod.label(REVISION_LABEL)).chain([hash]);
    let live: Vec<String> = live.map(|hash| history::name(set, hash)).collect();
    let live = live.iter().map(String::as_str).collect();
    let forgotten = history::forget(revisions, &live, spec.revision_history_limit);
    let steps = history::record(set, hash, revisions).into_iter().chain(forgotten);
    steps.map(DaemonSetAction::Revision)
}

fn template_hash(set: &Object) -> String {
    names::short_hash(&set.at(&["spec", "template"]).map(Value::to_string).unwrap_or_default())
}

/// Whether pods of the template can run on a node.
fn runs_on(template: &PodTemplateSpec, node: &Object) -> bool {
    let Ok(node) = MemberNode::deserialize(&node.0) else { return false };
    let standard = TOLERATED.into_iter().map(|(key, effect)| toleration(key, effect));
    let claim = NodeClaim {
        hard_node_affinity: template
            .affinity
            .node_affinity
            .required_during_scheduling_ignored_during_execution
            .clone(),
        node_selector: template.node_selector.clone(),
        tolerations: template.tolerations.iter().cloned().chain(standard).collect(),
    };
    PodGroup { claim: Some(claim), ..PodGroup::default() }.fits(&node)
}

fn toleration(key: &str, effect: &str) -> Toleration {
    Toleration {
        key: key.to_owned(),
        operator: "Exists".to_owned(),
        effect: effect.to_owned(),
        ..Toleration::default()
    }
}

/// The node that a pod was made for, whether it runs there already or not.
fn node_of(pod: &Object) -> &str {
    let assigned = pod.str_at(&["spec", "nodeName"]);
    if !assigned.is_empty() {
        return assigned;
    }
    let required =
        &pod.0["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    required["nodeSelectorTerms"][0]["matchFields"][0]["values"][0].as_str().unwrap_or_default()
}

/// A pod of the template that only this node can run.
fn pod_on(set: &Object, hash: &str, node: &str) -> Object {
    let mut pod = from_template(set);
    pod.0["metadata"]["labels"][REVISION_LABEL] = json!(hash);
    let field = json!([{ "key": "metadata.name", "operator": "In", "values": [node] }]);
    let required =
        &mut pod.0["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    match required["nodeSelectorTerms"].as_array_mut() {
        // The set has chosen the node by its terms; each of them leaves this node only.
        Some(terms) => terms.iter_mut().for_each(|term| term["matchFields"] = field.clone()),
        None => *required = json!({ "nodeSelectorTerms": [{ "matchFields": field }] }),
    }
    let tolerations =
        TOLERATED.map(|(key, effect)| json!({ "key": key, "operator": "Exists", "effect": effect }));
    match pod.0["spec"]["tolerations"].as_array_mut() {
        Some(own) => own.extend(tolerations),
        None => pod.0["spec"]["tolerations"] = json!(tolerations),
    }
    pod
}

/// Pods of older templates that make room for new ones, as many as may be unavailable.
fn outdated(
    strategy: &UpdateStrategy<'_>,
    hash: &str,
    eligible: &BTreeSet<&str>,
    by_node: &BTreeMap<&str, Vec<&Object>>,
) -> Vec<DaemonSetAction> {
    if strategy.kind == "OnDelete" {
        return Vec::new();
    }
    let limit = strategy.rolling_update.as_ref().and_then(|update| update.max_unavailable);
    let desired = i64::try_from(eligible.len()).unwrap_or(i64::MAX);
    let limit = limit.map_or(1, |limit| share(limit, desired, Rounding::Up)).max(1);
    let first = |node: &&str| by_node.get(node).and_then(|pods| pods.first()).copied();
    let is_available = |pod: &Object| is_active(pod) && is_ready(pod);
    let unavailable = eligible.iter().filter(|node| !first(node).is_some_and(is_available)).count();
    let mut room = usize::try_from(limit).unwrap_or_default().saturating_sub(unavailable);
    let mut old: Vec<&Object> =
        eligible.iter().filter_map(first).filter(|pod| pod.label(REVISION_LABEL) != Some(hash)).collect();
    // Pods that are not available make nothing worse when they go.
    old.sort_by_key(|pod| is_available(pod));
    let mut goes = |pod: &&Object| {
        let is_free = !is_available(pod) || room > 0;
        if is_available(pod) {
            room = room.saturating_sub(1);
        }
        is_free && is_active(pod)
    };
    old.into_iter().filter(|pod| goes(pod)).map(|pod| DaemonSetAction::Delete(pod.key())).collect()
}

fn counters(
    set: &Object,
    hash: &str,
    eligible: &BTreeSet<&str>,
    by_node: &BTreeMap<&str, Vec<&Object>>,
) -> Value {
    let first =
        |node: &&str| by_node.get(node).and_then(|pods| pods.first()).copied().filter(|pod| is_active(pod));
    let placed: Vec<&Object> = eligible.iter().filter_map(first).collect();
    let ready = placed.iter().filter(|pod| is_ready(pod)).count();
    let updated = placed.iter().filter(|pod| pod.label(REVISION_LABEL) == Some(hash)).count();
    let misscheduled = by_node.iter().filter(|(node, pods)| {
        !eligible.contains(*node) && pods.iter().any(|pod| !status(pod).is_finished() && !node.is_empty())
    });
    let mut counters = json!({
        "currentNumberScheduled": placed.len(),
        "numberMisscheduled": misscheduled.count(),
        "desiredNumberScheduled": eligible.len(),
        "numberReady": ready,
        "observedGeneration": set.generation(),
    });
    let unavailable = eligible.len() - ready;
    for (field, count) in
        [("updatedNumberScheduled", updated), ("numberAvailable", ready), ("numberUnavailable", unavailable)]
    {
        if count > 0 {
            counters[field] = json!(count);
        }
    }
    counters
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> Object {
        Object(json!({ "apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": { "name": "agent", "namespace": "kube", "uid": "u", "generation": 1 },
            "spec": { "template": { "metadata": { "labels": { "app": "agent" } },
                "spec": { "containers": [], "nodeSelector": { "disk": "ssd" } } } } }))
    }

    fn node(name: &str, disk: &str, taints: Value) -> Object {
        Object(
            json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name, "labels": { "disk": disk } },
            "spec": { "taints": taints } }),
        )
    }

    fn pod(name: &str, node: &str, hash: &str, ready: bool) -> Object {
        Object(json!({ "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": name, "namespace": "kube", "labels": { REVISION_LABEL: hash } }, "spec": { "nodeName": node },
            "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": if ready { "True" } else { "False" } }] } }))
    }

    fn render(actions: &[DaemonSetAction]) -> String {
        let text = |action: &DaemonSetAction| {
            Some(match action {
                DaemonSetAction::Create(pod) => format!("create on {}", node_of(pod)),
                DaemonSetAction::Delete(key) => format!("delete {}", key.name),
                DaemonSetAction::Revision(_) => return None,
                DaemonSetAction::Status(status) => {
                    let count = |field: &str| status[field].as_i64().unwrap_or(0);
                    format!(
                        "status {}/{}/{}",
                        count("numberReady"),
                        count("updatedNumberScheduled"),
                        count("desiredNumberScheduled")
                    )
                }
            })
        };
        actions.iter().filter_map(text).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn every_node_that_fits_has_a_pod() {
        let taint = json!([{ "key": "reserved", "effect": "NoSchedule" }]);
        let cordon = json!([{ "key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule" }]);
        let nodes = [
            node("a", "ssd", json!([])),
            node("b", "ssd", cordon),
            node("c", "ssd", taint),
            node("d", "hdd", json!([])),
        ];
        let nodes: Vec<&Object> = nodes.iter().collect();
        let hash = template_hash(&set());
        let (on_a, twice, on_d) =
            (pod("a1", "a", &hash, true), pod("a2", "a", &hash, true), pod("d1", "d", &hash, true));
        for (name, pods, want) in [
            ("from nothing", vec![], "create on a, create on b, status 0/0/2"),
            ("one is there", vec![&on_a], "create on b, status 1/1/2"),
            ("two on a node", vec![&on_a, &twice], "create on b, delete a2, status 1/1/2"),
            ("on a node that does not fit", vec![&on_a, &on_d], "create on b, delete d1, status 1/1/2"),
        ] {
            assert_eq!(render(&plan(&set(), &nodes, &pods, &[])), want, "{name}");
        }
    }

    #[test]
    fn an_update_replaces_one_pod_after_another() {
        let nodes = [node("a", "ssd", json!([])), node("b", "ssd", json!([]))];
        let nodes: Vec<&Object> = nodes.iter().collect();
        let hash = template_hash(&set());
        let (old_a, old_b) = (pod("a1", "a", "old", true), pod("b1", "b", "old", true));
        let (new_a, broken) = (pod("a2", "a", &hash, false), pod("b2", "b", "old", false));
        for (name, pods, want) in [
            ("one goes", vec![&old_a, &old_b], "delete a1, status 2/0/2"),
            ("the next waits", vec![&new_a, &old_b], "status 1/1/2"),
            ("a broken one goes at once", vec![&old_a, &broken], "delete b2, status 1/0/2"),
        ] {
            assert_eq!(render(&plan(&set(), &nodes, &pods, &[])), want, "{name}");
        }
        let mut on_delete = set();
        on_delete.0["spec"]["updateStrategy"] = json!({ "type": "OnDelete" });
        assert_eq!(render(&plan(&on_delete, &nodes, &[&old_a, &old_b], &[])), "status 2/0/2");
    }

    #[test]
    fn templates_are_kept_and_the_present_one_is_the_newest() {
        let revision = |plan: Vec<DaemonSetAction>| {
            plan.into_iter().find_map(|action| match action {
                DaemonSetAction::Revision(step) => Some(step),
                _ => None,
            })
        };
        let Some(RevisionStep::Create(first)) = revision(plan(&set(), &[], &[], &[])) else {
            panic!("recorded")
        };
        assert_eq!(first.name(), format!("agent-{}", template_hash(&set())));
        assert_eq!(revision(plan(&set(), &[], &[], &[&first])), None);
        let mut changed = set();
        changed.0["spec"]["template"]["spec"]["hostNetwork"] = json!(true);
        let Some(RevisionStep::Create(second)) = revision(plan(&changed, &[], &[], &[&first])) else {
            panic!("recorded")
        };
        assert_eq!(second.0["revision"], 2);
        let undone = revision(plan(&set(), &[], &[], &[&first, &second]));
        assert_eq!(undone, Some(RevisionStep::Renumber(first.key(), 3)));
    }
}
