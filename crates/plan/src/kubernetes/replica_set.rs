//! ReplicaSets and ReplicationControllers: a number of pods of one template (kubernetes pkg/controller/replicaset).

use std::cmp::Reverse;

use jiff::Timestamp;
use portolan_api::kubernetes::{Pod, ReplicaSet, View, condition};
use portolan_object::time::format_time;
use portolan_object::{Object, ObjectKey};
use serde_json::{Map, Value, json};

use super::pods::{Availability, availability, from_template, is_active, is_ready};

/// Maximum of pods created or deleted in one pass.
const BURST: usize = 500;
/// Pods with a lower cost are deleted first.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
/// The condition of a set that cannot make pods.
const REPLICA_FAILURE: &str = "ReplicaFailure";

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

/// The changes, and when to look again if nothing else happens.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReplicaSetPlan {
    /// In order.
    pub actions: Vec<ReplicaSetAction>,
    /// The time at which a ready pod becomes available.
    pub next: Option<Timestamp>,
}

/// Computes the steps from the pods that the set controls. `failure` says why the last pass could not create pods.
pub fn plan(set: &Object, pods: &[&Object], failure: Option<&str>, now: Timestamp) -> ReplicaSetPlan {
    let active: Vec<&Object> = pods.iter().copied().filter(|pod| is_active(pod)).collect();
    let mut actions = Vec::new();
    let spec = ReplicaSet::read(set).unwrap_or_default().spec;
    if !set.is_deleting() {
        let wanted = usize::try_from(desired_replicas(spec.replicas)).unwrap_or_default();
        let missing = wanted.saturating_sub(active.len()).min(BURST);
        actions.extend((0..missing).map(|_| ReplicaSetAction::Create(from_template(set))));
        let surplus = active.len().saturating_sub(wanted).min(BURST);
        actions.extend(
            least_useful(&active).into_iter().take(surplus).map(|pod| ReplicaSetAction::Delete(pod.key())),
        );
    }
    let availabilities: Vec<Availability> =
        active.iter().map(|pod| availability(pod, spec.min_ready_seconds, now)).collect();
    let failure = failure.filter(|_| !actions.is_empty());
    let status = status(set, &active, &availabilities, failure, now);
    if set.at(&["status"]) != Some(&status) {
        actions.push(ReplicaSetAction::Status(status));
    }
    let next = availabilities.iter().filter_map(|availability| match availability {
        Availability::At(time) => Some(*time),
        Availability::Yes | Availability::No => None,
    });
    ReplicaSetPlan { actions, next: next.min() }
}

/// The number of pods that `spec.replicas` of a workload means.
pub fn desired_replicas(replicas: Option<i64>) -> i64 {
    replicas.unwrap_or(1).max(0)
}

/// Pods in the order of deletion: without a node, then not ready, then of a low cost, then the youngest.
fn least_useful<'a>(active: &[&'a Object]) -> Vec<&'a Object> {
    let mut pods = active.to_vec();
    pods.sort_by_cached_key(|pod| {
        let Pod { spec, status } = Pod::read(pod).unwrap_or_default();
        let created = pod.creation_timestamp().to_owned();
        let cost =
            pod.annotation(DELETION_COST).and_then(|cost| cost.parse::<i32>().ok()).unwrap_or_default();
        (!spec.node_name.is_empty(), status.is_ready(), cost, Reverse(created), pod.name().to_owned())
    });
    pods
}

fn status(
    set: &Object,
    active: &[&Object],
    availabilities: &[Availability],
    failure: Option<&str>,
    now: Timestamp,
) -> Value {
    let labels = set.at(&["spec", "template", "metadata", "labels"]).and_then(Value::as_object);
    let is_labelled = |pod: &&&Object| {
        labels.is_none_or(|labels| labels.iter().all(|(key, value)| pod.label(key) == value.as_str()))
    };
    let labelled = active.iter().filter(is_labelled).count();
    let ready = active.iter().filter(|pod| is_ready(pod)).count();
    let available = availabilities.iter().filter(|availability| **availability == Availability::Yes).count();
    let mut status = Map::new();
    status.insert("replicas".to_owned(), json!(active.len()));
    status.insert("observedGeneration".to_owned(), json!(set.generation()));
    for (field, count) in
        [("fullyLabeledReplicas", labelled), ("readyReplicas", ready), ("availableReplicas", available)]
    {
        if count > 0 {
            status.insert(field.to_owned(), json!(count));
        }
    }
    if let Some(message) = failure {
        // The first message stays: each failure may name another pod, and a write leads to another attempt at once.
        let present = condition(set, REPLICA_FAILURE);
        let message = present.as_ref().map_or(message, |present| present.message);
        let since = present.as_ref().map(|present| present.last_transition_time.to_owned());
        let condition = json!({ "type": REPLICA_FAILURE, "status": "True", "reason": "FailedCreate", "message": message,
            "lastTransitionTime": since.unwrap_or_else(|| format_time(now)) });
        status.insert("conditions".to_owned(), json!([condition]));
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
            "metadata": {"name": name, "namespace": "shop", "creationTimestamp": created, "labels": {"app": "web"}},
            "status": {"phase": phase, "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]}}))
    }

    fn now() -> Timestamp {
        "2026-01-03T00:00:00Z".parse().expect("a time")
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
            assert_eq!(render(&plan(&set(replicas), &pods, None, now()).actions), want, "{name}");
        }
    }

    #[test]
    fn settled_state_is_left_alone() {
        let running = pod("a", "Running", true, "2026-01-01T00:00:00Z");
        let mut set = set(1);
        set.0["status"] = json!({"replicas": 1, "fullyLabeledReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
                                 "observedGeneration": 1});
        assert_eq!(plan(&set, &[&running], None, now()), ReplicaSetPlan::default());
    }

    #[test]
    fn a_pod_carries_the_template_and_its_owner() {
        let actions = plan(&set(1), &[], None, now()).actions;
        let ReplicaSetAction::Create(pod) = &actions[0] else { panic!("{actions:?}") };
        assert_eq!(pod.label("app"), Some("web"));
        assert_eq!(pod.0["metadata"]["ownerReferences"][0]["name"], "web-1");
        assert_eq!(pod.0["metadata"]["ownerReferences"][0]["controller"], true);
    }

    #[test]
    fn pods_of_a_low_cost_go_first() {
        let older = pod("a", "Running", true, "2026-01-01T00:00:00Z");
        let mut cheap = pod("b", "Running", true, "2026-01-01T00:00:00Z");
        cheap.set_annotation(DELETION_COST, "-1");
        assert_eq!(render(&plan(&set(1), &[&older, &cheap], None, now()).actions), "delete b, status 2/2");
    }

    #[test]
    fn a_pod_is_available_after_a_while() {
        let mut set = set(1);
        set.0["spec"]["minReadySeconds"] = json!(30);
        let mut running = pod("a", "Running", true, "2026-01-01T00:00:00Z");
        running.0["status"]["conditions"][0]["lastTransitionTime"] = json!("2026-01-02T23:59:50Z");
        let early = plan(&set, &[&running], None, now());
        let ReplicaSetAction::Status(status) = &early.actions[0] else { panic!("{early:?}") };
        assert_eq!((&status["readyReplicas"], status.get("availableReplicas")), (&json!(1), None));
        let next = early.next.expect("a time");
        let late = plan(&set, &[&running], None, next);
        let ReplicaSetAction::Status(status) = &late.actions[0] else { panic!("{late:?}") };
        assert_eq!((&status["availableReplicas"], late.next), (&json!(1), None));
    }

    #[test]
    fn a_set_that_cannot_make_pods_says_so_until_it_can() {
        let failed = plan(&set(1), &[], Some("exceeded quota"), now());
        let Some(ReplicaSetAction::Status(status)) = failed.actions.last() else { panic!("{failed:?}") };
        assert_eq!(status["conditions"][0]["message"], "exceeded quota");
        let running = pod("a", "Running", true, "2026-01-01T00:00:00Z");
        let healed = plan(&set(1), &[&running], Some("exceeded quota"), now());
        let Some(ReplicaSetAction::Status(status)) = healed.actions.last() else { panic!("{healed:?}") };
        assert_eq!(status.get("conditions"), None);
    }
}
