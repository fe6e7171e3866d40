//! Deployments: a ReplicaSet per template, and moving from the old ones to the new one.

use portolan_api::kubernetes::{
    Deployment, DeploymentCondition, DeploymentSpec, IntOrString, ReplicaSet, ReplicaSetStatus,
    RollingUpdate, View,
};
use portolan_api::names;
use portolan_object::{Object, ObjectKey};
use serde_json::{Value, json};

use super::pods::{self, controller_reference};
use super::replica_set::desired_replicas;
use super::share::{Rounding, share};

/// The label that tells the pods of one template from those of another.
pub const TEMPLATE_HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";
/// `maxSurge` and `maxUnavailable` of a Deployment that does not have them.
const DEFAULT_SHARE: IntOrString<'_> = IntOrString::String("25%");

/// One change that brings the cluster closer to the Deployment.
#[derive(Debug, Clone, PartialEq)]
pub enum DeploymentAction {
    /// Create a ReplicaSet.
    Create(Object),
    /// Set the replicas of a ReplicaSet.
    Scale(ObjectKey, i64),
    /// Delete a ReplicaSet beyond the history limit.
    Delete(ObjectKey),
    /// Write the revision onto the Deployment.
    Revision(i64),
    /// Write the status.
    Status(Value),
}

/// Computes the steps from the ReplicaSets that the deployment controls; `now` is RFC 3339.
pub fn plan(deployment: &Object, sets: &[&Object], now: &str) -> Vec<DeploymentAction> {
    let mut actions = Vec::new();
    let current = current_set(deployment, sets);
    let view = Deployment::read(deployment).unwrap_or_default();
    if !deployment.is_deleting() && !view.spec.paused {
        actions.extend(rollout(deployment, &view.spec, sets, current));
    }
    let status = status(deployment, &view, sets, current, now);
    if deployment.at(&["status"]) != Some(&status) {
        actions.push(DeploymentAction::Status(status));
    }
    actions
}

/// Replicas and counters of a ReplicaSet.
fn view(set: &Object) -> ReplicaSet {
    ReplicaSet::read(set).unwrap_or_default()
}

fn counters(set: &Object) -> ReplicaSetStatus {
    view(set).status
}

fn desired(set: &Object) -> i64 {
    desired_replicas(view(set).spec.replicas)
}

fn rollout(
    deployment: &Object,
    spec: &DeploymentSpec<'_>,
    sets: &[&Object],
    current: Option<&Object>,
) -> Vec<DeploymentAction> {
    let wanted = desired_replicas(spec.replicas);
    let old: Vec<&Object> =
        sets.iter().copied().filter(|set| current.is_none_or(|current| current.uid() != set.uid())).collect();
    let old_total: i64 = old.iter().map(|set| desired(set)).sum();
    let recreate = spec.strategy.kind == "Recreate";
    let surge = if recreate { 0 } else { max_surge(&spec.strategy.rolling_update, wanted) };
    let room = (wanted + surge - old_total).clamp(0, wanted);
    let Some(current) = current else {
        let revision = sets.iter().map(|set| revision(set)).max().unwrap_or_default() + 1;
        let first = if recreate && old_total > 0 { 0 } else { room };
        return vec![
            DeploymentAction::Create(new_set(deployment, first, revision)),
            DeploymentAction::Revision(revision),
        ];
    };
    let mut actions = Vec::new();
    if deployment.annotation(REVISION) != current.annotation(REVISION) {
        actions.push(DeploymentAction::Revision(revision(current)));
    }
    let have = desired(current);
    let old_pods: i64 = old.iter().map(|set| counters(set).replicas).sum();
    let target = match () {
        () if have > wanted => wanted,
        () if recreate && old_pods > 0 => have,
        () => have.max(room),
    };
    if target != have {
        actions.push(DeploymentAction::Scale(current.key(), target));
    }
    actions.extend(scale_down(spec, &old, current, recreate));
    actions.extend(beyond_history(spec, &old));
    actions
}

/// Old sets lose the pods that availability does not need; unavailable old pods go first and cost nothing.
fn scale_down(
    spec: &DeploymentSpec<'_>,
    old: &[&Object],
    current: &Object,
    recreate: bool,
) -> Vec<DeploymentAction> {
    let wanted = desired_replicas(spec.replicas);
    let unavailable = if recreate { wanted } else { max_unavailable(&spec.strategy.rolling_update, wanted) };
    let available: i64 = old.iter().chain([&current]).map(|set| counters(set).available_replicas).sum();
    let mut spare = available - (wanted - unavailable);
    let mut actions = Vec::new();
    for set in old {
        let have = desired(set);
        let idle = (have - counters(set).available_replicas).max(0);
        let given = (idle + spare.max(0)).min(have);
        spare -= (given - idle).max(0);
        if given > 0 {
            actions.push(DeploymentAction::Scale(set.key(), have - given));
        }
    }
    actions
}

fn beyond_history(spec: &DeploymentSpec<'_>, old: &[&Object]) -> Vec<DeploymentAction> {
    let limit = spec.revision_history_limit.unwrap_or(10);
    let is_empty = |set: &&&Object| desired(set) == 0 && counters(set).replicas == 0 && !set.is_deleting();
    let mut empty: Vec<&&Object> = old.iter().filter(is_empty).collect();
    empty.sort_by_key(|set| revision(set));
    let surplus = empty.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
    empty.into_iter().take(surplus).map(|set| DeploymentAction::Delete(set.key())).collect()
}

/// `maxSurge` as pods. Both limits rounding to zero would stop every rollout, so surge is then one.
fn max_surge(limits: &RollingUpdate<'_>, wanted: i64) -> i64 {
    match share(limits.max_surge.unwrap_or(DEFAULT_SHARE), wanted, Rounding::Up) {
        0 if max_unavailable(limits, wanted) == 0 => 1,
        pods => pods,
    }
}

/// `maxUnavailable` as pods.
fn max_unavailable(limits: &RollingUpdate<'_>, wanted: i64) -> i64 {
    share(limits.max_unavailable.unwrap_or(DEFAULT_SHARE), wanted, Rounding::Down)
}

fn revision(set: &Object) -> i64 {
    set.annotation(REVISION).and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The set of the deployment's current template.
fn current_set<'a>(deployment: &Object, sets: &[&'a Object]) -> Option<&'a Object> {
    let hash = template_hash(deployment);
    sets.iter().copied().find(|set| set.label(TEMPLATE_HASH) == Some(&hash))
}

/// The hash of the template; equal templates have equal hashes on every machine.
fn template_hash(deployment: &Object) -> String {
    let template = deployment.at(&["spec", "template"]).map(Value::to_string).unwrap_or_default();
    names::short_hash(&template)
}

fn new_set(deployment: &Object, replicas: i64, revision: i64) -> Object {
    let hash = template_hash(deployment);
    let mut template = pods::template(deployment);
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

fn status(
    deployment: &Object,
    view: &Deployment<'_>,
    sets: &[&Object],
    current: Option<&Object>,
    now: &str,
) -> Value {
    let wanted = desired_replicas(view.spec.replicas);
    let all: Vec<ReplicaSetStatus> = sets.iter().map(|set| counters(set)).collect();
    let sum = |counter: fn(&ReplicaSetStatus) -> i64| -> i64 { all.iter().map(counter).sum() };
    let (replicas, available) = (sum(|set| set.replicas), sum(|set| set.available_replicas));
    let updated = current.map_or(0, |set| counters(set).replicas);
    let mut status = json!({ "observedGeneration": deployment.generation() });
    for (field, count) in [
        ("replicas", replicas),
        ("updatedReplicas", updated),
        ("readyReplicas", sum(|set| set.ready_replicas)),
        ("availableReplicas", available),
        ("unavailableReplicas", (replicas.max(wanted) - available).max(0)),
    ] {
        if count > 0 {
            status[field] = json!(count);
        }
    }
    let least = wanted - max_unavailable(&view.spec.strategy.rolling_update, wanted);
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
        condition(&view.status.conditions, "Available", availability, now),
        condition(&view.status.conditions, "Progressing", ("True", progressing.0, progressing.1), now),
    ]);
    status
}

/// A condition with the times of the old one where it did not change, so that an unchanged status equals the last one.
fn condition(
    old: &[DeploymentCondition<'_>],
    kind: &str,
    (status, reason, message): (&str, &str, String),
    now: &str,
) -> Value {
    let old = old.iter().find(|condition| condition.kind == kind);
    let same_status = old.filter(|old| old.status == status);
    let same = same_status.filter(|old| old.reason == reason && old.message == message);
    json!({
        "type": kind, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": same_status.map_or(now, |old| old.last_transition_time),
        "lastUpdateTime": same.map_or(now, |old| old.last_update_time),
    })
}

#[cfg(test)]
mod tests;
