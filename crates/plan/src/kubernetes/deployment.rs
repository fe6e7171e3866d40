//! Deployments: a ReplicaSet per template, and moving from the old ones to the new one.

use portolan_api::names;
use portolan_object::{Object, ObjectKey};
use serde_json::{Value, json};

use super::pods::controller_reference;
use super::replica_set::desired;

/// The label that tells the pods of one template from those of another.
pub const TEMPLATE_HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Create a ReplicaSet.
    Create(Object),
    /// Set the replicas of a ReplicaSet.
    Scale(ObjectKey, i64),
    /// Delete a ReplicaSet beyond the history limit.
    Delete(ObjectKey),
    /// Note the revision on the Deployment.
    Revision(i64),
    /// Write the status.
    Status(Value),
}

/// Computes the steps from the ReplicaSets that the deployment controls; `now` is RFC 3339.
pub fn plan(deployment: &Object, sets: &[&Object], now: &str) -> Vec<Action> {
    let mut actions = Vec::new();
    let current = current_set(deployment, sets);
    if !deployment.is_deleting() && deployment.at(&["spec", "paused"]) != Some(&json!(true)) {
        actions.extend(rollout(deployment, sets, current));
    }
    let status = status(deployment, sets, current, now);
    if deployment.at(&["status"]) != Some(&status) {
        actions.push(Action::Status(status));
    }
    actions
}

fn rollout(deployment: &Object, sets: &[&Object], current: Option<&Object>) -> Vec<Action> {
    let wanted = desired(deployment);
    let old: Vec<&Object> =
        sets.iter().copied().filter(|set| current.is_none_or(|current| current.uid() != set.uid())).collect();
    let old_total: i64 = old.iter().map(|set| desired(set)).sum();
    let recreate = deployment.str_at(&["spec", "strategy", "type"]) == "Recreate";
    let surge = if recreate { 0 } else { bound(deployment, "maxSurge", wanted, Rounding::Up) };
    let room = (wanted + surge - old_total).clamp(0, wanted);
    let Some(current) = current else {
        let revision = sets.iter().map(|set| revision(set)).max().unwrap_or_default() + 1;
        let first = if recreate && old_total > 0 { 0 } else { room };
        return vec![Action::Create(new_set(deployment, first, revision)), Action::Revision(revision)];
    };
    let mut actions = Vec::new();
    if deployment.annotation(REVISION) != current.annotation(REVISION) {
        actions.push(Action::Revision(revision(current)));
    }
    let have = desired(current);
    let old_pods: i64 = old.iter().map(|set| counter(set, "replicas")).sum();
    let target = match () {
        () if have > wanted => wanted,
        () if recreate && old_pods > 0 => have,
        () => have.max(room),
    };
    if target != have {
        actions.push(Action::Scale(current.key(), target));
    }
    actions.extend(scale_down(deployment, &old, current, wanted, recreate));
    actions.extend(beyond_history(deployment, &old));
    actions
}

/// Old sets give up what the available pods can spare; unavailable old pods go first and cost nothing.
fn scale_down(
    deployment: &Object,
    old: &[&Object],
    current: &Object,
    wanted: i64,
    recreate: bool,
) -> Vec<Action> {
    let unavailable =
        if recreate { wanted } else { bound(deployment, "maxUnavailable", wanted, Rounding::Down) };
    let available: i64 = old.iter().chain([&current]).map(|set| counter(set, "availableReplicas")).sum();
    let mut spare = available - (wanted - unavailable);
    let mut actions = Vec::new();
    for set in old {
        let have = desired(set);
        let idle = (have - counter(set, "availableReplicas")).max(0);
        let given = (idle + spare.max(0)).min(have);
        spare -= (given - idle).max(0);
        if given > 0 {
            actions.push(Action::Scale(set.key(), have - given));
        }
    }
    actions
}

fn beyond_history(deployment: &Object, old: &[&Object]) -> Vec<Action> {
    let limit = deployment.at(&["spec", "revisionHistoryLimit"]).and_then(Value::as_u64).unwrap_or(10);
    let is_empty = |set: &&&Object| desired(set) == 0 && counter(set, "replicas") == 0 && !set.is_deleting();
    let mut empty: Vec<&&Object> = old.iter().filter(is_empty).collect();
    empty.sort_by_key(|set| revision(set));
    let surplus = empty.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
    empty.into_iter().take(surplus).map(|set| Action::Delete(set.key())).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rounding {
    Up,
    Down,
}

/// `maxSurge` or `maxUnavailable` as pods. Both rounding to zero would stop every rollout, so surge is then one.
fn bound(deployment: &Object, field: &str, wanted: i64, rounding: Rounding) -> i64 {
    let value =
        deployment.at(&["spec", "strategy", "rollingUpdate", field]).cloned().unwrap_or_else(|| json!("25%"));
    let percent =
        value.as_str().and_then(|text| text.strip_suffix('%')).and_then(|text| text.parse::<i64>().ok());
    let pods = match (value.as_i64(), percent) {
        (Some(pods), _) => pods,
        (None, Some(percent)) if rounding == Rounding::Up => (wanted * percent + 99) / 100,
        (None, Some(percent)) => wanted * percent / 100,
        (None, None) => 0,
    };
    let other_is_zero = field == "maxSurge" && bound_is_zero(deployment, wanted);
    if pods == 0 && other_is_zero { 1 } else { pods }
}

fn bound_is_zero(deployment: &Object, wanted: i64) -> bool {
    bound(deployment, "maxUnavailable", wanted, Rounding::Down) == 0
}

fn counter(set: &Object, field: &str) -> i64 {
    set.at(&["status", field]).and_then(Value::as_i64).unwrap_or_default()
}

fn revision(set: &Object) -> i64 {
    set.annotation(REVISION).and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The set that was made from the deployment's present template.
fn current_set<'a>(deployment: &Object, sets: &[&'a Object]) -> Option<&'a Object> {
    let hash = template_hash(deployment);
    sets.iter().copied().find(|set| set.label(TEMPLATE_HASH) == Some(&hash))
}

/// Names a template; equal templates have equal hashes on every machine.
fn template_hash(deployment: &Object) -> String {
    let template = deployment.at(&["spec", "template"]).map(Value::to_string).unwrap_or_default();
    names::short_hash(&template)
}

fn new_set(deployment: &Object, replicas: i64, revision: i64) -> Object {
    let hash = template_hash(deployment);
    let mut template = deployment.at(&["spec", "template"]).cloned().unwrap_or_default();
    template["metadata"]["labels"][TEMPLATE_HASH] = json!(hash);
    let mut selector = deployment.at(&["spec", "selector"]).cloned().unwrap_or_default();
    selector["matchLabels"][TEMPLATE_HASH] = json!(hash);
    let mut annotations = deployment.annotations();
    annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    annotations.insert(REVISION.to_owned(), revision.to_string());
    Object(json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{}-{hash}", deployment.name()), "namespace": deployment.namespace(),
            "labels": template["metadata"]["labels"], "annotations": annotations,
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": { "replicas": replicas, "selector": selector, "template": template },
    }))
}

fn status(deployment: &Object, sets: &[&Object], current: Option<&Object>, now: &str) -> Value {
    let wanted = desired(deployment);
    let sum = |field: &str| -> i64 { sets.iter().map(|set| counter(set, field)).sum() };
    let available = sum("availableReplicas");
    let updated = current.map_or(0, |set| counter(set, "replicas"));
    let mut status = json!({ "observedGeneration": deployment.generation() });
    for (field, count) in [
        ("replicas", sum("replicas")),
        ("updatedReplicas", updated),
        ("readyReplicas", sum("readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (sum("replicas").max(wanted) - available).max(0)),
    ] {
        if count > 0 {
            status[field] = json!(count);
        }
    }
    let least = wanted - bound(deployment, "maxUnavailable", wanted, Rounding::Down);
    let name = current.map_or_else(|| deployment.name().to_owned(), |set| set.name().to_owned());
    let progressing = if updated >= wanted && available >= wanted {
        ("NewReplicaSetAvailable", format!("ReplicaSet \"{name}\" has successfully progressed."))
    } else {
        ("ReplicaSetUpdated", format!("ReplicaSet \"{name}\" is progressing."))
    };
    let availability = if available >= least {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.".to_owned())
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.".to_owned())
    };
    status["conditions"] = json!([
        condition(deployment, "Available", availability, now),
        condition(deployment, "Progressing", ("True", progressing.0, progressing.1), now),
    ]);
    status
}

/// Times move only with what they are about, so that an unchanged status is equal to the last one.
fn condition(
    deployment: &Object,
    kind: &str,
    (status, reason, message): (&str, &str, String),
    now: &str,
) -> Value {
    let old = deployment.at(&["status", "conditions"]).and_then(Value::as_array);
    let old = old.and_then(|conditions| conditions.iter().find(|condition| condition["type"] == kind));
    let kept = |field: &str, same: bool| match old {
        Some(old) if same => old[field].clone(),
        _ => json!(now),
    };
    let same_status = old.is_some_and(|old| old["status"] == status);
    let same_reason = old.is_some_and(|old| old["reason"] == reason && old["message"] == message.as_str());
    json!({
        "type": kind, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": kept("lastTransitionTime", same_status),
        "lastUpdateTime": kept("lastUpdateTime", same_status && same_reason),
    })
}

#[cfg(test)]
mod tests;
