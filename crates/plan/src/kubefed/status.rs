//! The status of a federated object from the Works of its clusters (kubefed pkg/controller/sync/status/status.go,
//! pkg/controller/sync/dispatch/managed.go).
//!
//! The values of `status.clusters[].status` and the reasons of the condition are KubeFed's. Messages beside them say what
//! to do.

use std::collections::BTreeSet;
use std::time::Duration;

use portolan_api::conditions::work::APPLIED;
use portolan_api::kubefed::{FederatedStatus, MemberStatus, PROPAGATION, PropagationCondition};
use portolan_api::meta::condition;
use portolan_api::work::Work;
use serde_json::Value;

/// Time after which a Work without a report counts as failed, as the time that KubeFed waits for its clusters.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// A part of the reason for which an object of another owner is not taken over.
const EXISTS: &str = "already exists in the cluster";
/// A part of the reason for which an object with the label `kubefed.io/managed: "false"` is not changed.
pub const UNMANAGED: &str = "kubefed.io/managed=false";

/// Why a federated object is not in its clusters, or not as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The status of a cluster says why.
    CheckClusters,
    /// The placement cannot be evaluated.
    ComputePlacementFailed,
    /// Its namespace has no FederatedNamespace.
    NamespaceNotFederated,
    /// The propagation of its kind is switched off.
    PropagationDisabled,
}

impl Reason {
    /// The value in the condition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CheckClusters => "CheckClusters",
            Self::ComputePlacementFailed => "ComputePlacementFailed",
            Self::NamespaceNotFederated => "NamespaceNotFederated",
            Self::PropagationDisabled => "PropagationDisabled",
        }
    }
}

/// What the manifest of a cluster cannot be made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The template, for the reason given.
    Template(String),
    /// The overrides, for the reason given.
    Overrides(String),
}

/// One cluster as far as a federated object is concerned.
#[derive(Debug, Clone, Default)]
pub struct Member<'a> {
    /// Name of the cluster.
    pub name: &'a str,
    /// Whether it is ready.
    pub is_ready: bool,
    /// Whether it is to have the object.
    pub is_selected: bool,
    /// The Work of the federated object.
    pub work: Option<&'a Work>,
    /// Time for which its answer about the present state of the federated object has been awaited.
    pub age: Duration,
    /// Why there can be no manifest.
    pub fault: Option<Fault>,
    /// Whether the status of the object in the cluster is reported.
    pub collects_status: bool,
    /// What propagates an object of the same kind and name to the cluster already.
    pub taken_by: Option<String>,
}

/// What is known about the object in a cluster.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// The cluster has nothing of it, and is not to have it.
    Absent,
    /// The cluster did not answer yet.
    Pending,
    /// The status of the cluster.
    Known(MemberStatus),
}

/// The status of one cluster.
pub fn report(member: &Member<'_>) -> Report {
    let known = |status: &str, message: &str| {
        let (name, status, message) = (member.name.to_owned(), status.to_owned(), message.to_owned());
        Report::Known(MemberStatus { name, status, message, remote_status: remote_status(member) })
    };
    if !member.is_selected {
        return match member.work {
            Some(_) if member.is_ready => known("WaitingForRemoval", ""),
            _ => Report::Absent,
        };
    }
    if !member.is_ready {
        let message = "the cluster is not ready: see its condition Ready; the object follows when it is";
        return known("ClusterNotReady", message);
    }
    match &member.fault {
        Some(Fault::Template(message)) => return known("ComputeResourceFailed", message),
        Some(Fault::Overrides(message)) => return known("ApplyOverridesFailed", message),
        None => {}
    }
    if let Some(owner) = &member.taken_by {
        let message = format!(
            "{owner} propagates an object of this kind and name to the cluster: remove one of the two"
        );
        return known("AlreadyExists", &message);
    }
    let timed_out = |status: &str| match member.age >= TIMEOUT {
        true => known(status, "the cluster has not answered about the object yet; it is asked until it does"),
        false => Report::Pending,
    };
    let Some(work) = member.work else { return timed_out("CreationTimedOut") };
    if work.metadata.is_deleting() {
        return known("WaitingForRemoval", "the object is removed and made again");
    }
    let Some(applied) = condition(&work.status.conditions, APPLIED) else {
        return timed_out("CreationTimedOut");
    };
    if applied.observed_generation.is_some_and(|seen| seen < work.metadata.generation) {
        return timed_out("UpdateTimedOut");
    }
    if applied.is_true() {
        return known("", "");
    }
    known(failure(&applied.message, !work.status.manifest_statuses.is_empty()), &applied.message)
}

/// The status of the object in the cluster, if it is collected.
fn remote_status(member: &Member<'_>) -> Option<Value> {
    let work = member.work.filter(|_| member.collects_status)?;
    work.status.manifest_statuses.first()?.status.clone()
}

/// The status for a failure of applying.
fn failure(message: &str, was_applied: bool) -> &'static str {
    if message.contains(UNMANAGED) {
        "ManagedLabelFalse"
    } else if message.contains(EXISTS) {
        "AlreadyExists"
    } else if was_applied {
        "UpdateFailed"
    } else {
        "CreationFailed"
    }
}

/// What is known about a federated object as a whole.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// A reason that is not the clusters'.
    pub reason: Option<Reason>,
    /// What is wrong, for people.
    pub message: String,
    /// Clusters that the placement lists and that do not exist.
    pub unknown: BTreeSet<String>,
    /// Clusters that the overrides name and that do not exist.
    pub unknown_in_overrides: BTreeSet<String>,
}

/// The status of a federated object of this generation; `clusters` are sorted by name.
pub fn status(
    old: &FederatedStatus,
    generation: i64,
    findings: &Findings,
    clusters: Vec<MemberStatus>,
    now: &str,
) -> FederatedStatus {
    let is_ok = clusters.iter().all(|cluster| cluster.status.is_empty());
    let reason = findings.reason.or((!is_ok).then_some(Reason::CheckClusters));
    let reason_text = reason.map(Reason::as_str).unwrap_or_default();
    let known = old.conditions.iter().find(|condition| condition.kind == PROPAGATION);
    let is_same =
        known.is_some_and(|known| known.status == reason.is_none().into() && known.reason == reason_text);
    let is_unchanged = is_same && old.clusters == clusters && old.observed_generation == generation;
    let time = |keep: bool, old: fn(&PropagationCondition) -> &String| match known {
        Some(known) if keep => old(known).clone(),
        _ => now.to_owned(),
    };
    let propagation = PropagationCondition {
        kind: PROPAGATION.to_owned(),
        status: reason.is_none().into(),
        reason: reason_text.to_owned(),
        message: message(findings),
        last_update_time: time(is_unchanged, |known| &known.last_update_time),
        last_transition_time: time(is_same, |known| &known.last_transition_time),
    };
    FederatedStatus { observed_generation: generation, conditions: vec![propagation], clusters }
}

fn message(findings: &Findings) -> String {
    let mut sentences: Vec<String> = Vec::new();
    if !findings.message.is_empty() {
        sentences.push(findings.message.clone());
    }
    let unknown = [("spec.placement", &findings.unknown), ("spec.overrides", &findings.unknown_in_overrides)];
    for (field, names) in unknown.into_iter().filter(|(_, names)| !names.is_empty()) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        sentences.push(format!("{field} names clusters that do not exist: {}", names.join(", ")));
    }
    sentences.join("; ")
}

#[cfg(test)]
mod tests;
