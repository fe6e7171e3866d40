//! ReplicaSets: a number of pods of one template.

use std::cmp::Reverse;

use portolan_api::kubernetes::{Pod, ReplicaSet, View};
use portolan_object::{Object, ObjectKey};
use serde_json::{Map, Value, json};

use super::pods::{from_template, is_active, is_ready};

/// Maximum of pods created or deleted in one pass.
const BURST: usize = 500;

/// One change that brings the cluster closer to the set.
#[derive(Debug, Clone, PartialEq)]
pub enum ReplicaSetAction {
    /// Create a pod.
    Create(Object),
    /// Delete a pod.
    Delete(ObjectKey),
    /// Write the status.
    Status(Value),
}

/// Computes the steps from the pods that the set controls.
pub fn plan(set: &Object, pods: &[&Object]) -> Vec<ReplicaSetAction> {
    let active: Vec<&Object> = pods.iter().copied().filter(|pod| is_active(pod)).collect();
    let mut actions = Vec::new();
    if !set.is_deleting() {
        let replicas = ReplicaSet::read(set).unwrap_or_default().spec.replicas;
        let wanted = usize::try_from(desired_replicas(replicas)).unwrap_or_default();
        let missing = wanted.saturating_sub(active.len()).min(BURST);
        actions.extend((0..missing).map(|_| ReplicaSetAction::Create(from_template(set))));
        let surplus = active.len().saturating_sub(wanted).min(BURST);
        actions.extend(
            least_useful(&active).into_iter().take(surplus).map(|pod| ReplicaSetAction::Delete(pod.key())),
        );
    }
    let status = status(set, &active);
    if set.at(&["status"]) != Some(&status) {
        actions.push(ReplicaSetAction::Status(status));
    }
    actions
}

/// The number of pods that `spec.replicas` of a workload means.
pub fn desired_replicas(replicas: Option<i64>) -> i64 {
    replicas.unwrap_or(1).max(0)
}

/// Pods in the order of deletion: without a node, then not ready, then the youngest.
fn least_useful<'a>(active: &[&'a Object]) -> Vec<&'a Object> {
    let mut pods = active.to_vec();
    pods.sort_by_cached_key(|pod| {
        let Pod { spec, status } = Pod::read(pod).unwrap_or_default();
        let created = pod.creation_timestamp().to_owned();
        (!spec.node_name.is_empty(), status.is_ready(), Reverse(created), pod.name().to_owned())
    });
    pods
}

fn status(set: &Object, active: &[&Object]) -> Value {
    let ready = active.iter().filter(|pod| is_ready(pod)).count();
    let mut status = Map::new();
    status.insert("replicas".to_owned(), json!(active.len()));
    status.insert("observedGeneration".to_owned(), json!(set.generation()));
    for (field, count) in
        [("fullyLabeledReplicas", active.len()), ("readyReplicas", ready), ("availableReplicas", ready)]
    {
        if count > 0 {
            status.insert(field.to_owned(), json!(count));
        }
    }
    Value::Object(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(replicas: i64) -> Object {
        Object(json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": "web-1", "namespace": "shop", "uid": "u", "generation": 1},
            "spec": {"replicas": replicas, "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}}}))
    }

    fn pod(name: &str, phase: &str, ready: bool, created: &str) -> Object {
        Object(json!({"apiVersion": "v1", "kind": "Pod", "spec": {"nodeName": "n"},
            "metadata": {"name": name, "namespace": "shop", "creationTimestamp": created},
            "status": {"phase": phase, "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]}}))
    }

    fn render(actions: &[ReplicaSetAction]) -> String {
        let text = |action: &ReplicaSetAction| match action {
            ReplicaSetAction::Create(pod) => format!("create {}", pod.str_at(&["metadata", "generateName"])),
            ReplicaSetAction::Delete(key) => format!("delete {}", key.name),
            ReplicaSetAction::Status(status) => {
                format!("status {}/{}", status["readyReplicas"].as_i64().unwrap_or(0), status["replicas"])
            }
        };
        actions.iter().map(text).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn plans() {
        let running = pod("a", "Running", true, "2026-01-01T00:00:00Z");
        let younger = pod("b", "Running", true, "2026-01-02T00:00:00Z");
        let starting = pod("c", "Pending", false, "2026-01-01T00:00:00Z");
        let failed = pod("d", "Failed", false, "2026-01-01T00:00:00Z");
        let cases: [(&str, i64, Vec<&Object>, &str); 6] = [
            ("from nothing", 2, vec![], "create web-1-, create web-1-, status 0/0"),
            ("one is missing", 2, vec![&running], "create web-1-, status 1/1"),
            ("as wanted", 2, vec![&running, &starting], "status 1/2"),
            ("failed ones are replaced", 1, vec![&failed], "create web-1-, status 0/0"),
            ("unready ones go first", 1, vec![&running, &starting], "delete c, status 1/2"),
            ("then the youngest", 1, vec![&running, &younger], "delete b, status 2/2"),
        ];
        for (name, replicas, pods, want) in cases {
            assert_eq!(render(&plan(&set(replicas), &pods)), want, "{name}");
        }
    }

    #[test]
    fn settled_state_is_left_alone() {
        let running = pod("a", "Running", true, "2026-01-01T00:00:00Z");
        let mut set = set(1);
        set.0["status"] = json!({"replicas": 1, "fullyLabeledReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
                                 "observedGeneration": 1});
        assert_eq!(plan(&set, &[&running]), []);
    }

    #[test]
    fn a_pod_carries_the_template_and_its_owner() {
        let actions = plan(&set(1), &[]);
        let ReplicaSetAction::Create(pod) = &actions[0] else { panic!("{actions:?}") };
        assert_eq!(pod.label("app"), Some("web"));
        assert_eq!(pod.0["metadata"]["ownerReferences"][0]["name"], "web-1");
        assert_eq!(pod.0["metadata"]["ownerReferences"][0]["controller"], true);
    }
}
