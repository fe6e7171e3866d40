//! The status of a Deployment: counters, and whether a rollout gets on.

use jiff::{SignedDuration, Timestamp};
use portolan_api::kubernetes::{Deployment, DeploymentCondition, ReplicaSetStatus};
use portolan_object::Object;
use portolan_object::time::format_time;
use serde_json::{Value, json};

use super::Wanted;
use super::sets::{Set, Sets};

const AVAILABLE: &str = "Available";
const PROGRESSING: &str = "Progressing";
const REPLICA_FAILURE: &str = "ReplicaFailure";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const COMPLETE: &str = "NewReplicaSetAvailable";
const PAUSED: &str = "DeploymentPaused";
/// The condition counts in whole seconds.
const MARGIN: SignedDuration = SignedDuration::from_secs(1);

/// What a pass does for the rollout.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Progress {
    /// Nothing: the Deployment is paused, or only its size changes.
    Kept,
    /// The current set is created.
    Created(Box<Object>),
    /// The counters tell.
    Estimated,
}

/// A status, and what follows from it.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) status: Value,
    pub(super) revision: Option<String>,
    /// Whether all pods are of the present template and available.
    pub(super) is_complete: bool,
    pub(super) next: Option<Timestamp>,
}

/// The counters of all sets.
#[derive(Debug, Clone, Copy)]
struct Counters {
    replicas: i64,
    updated: i64,
    ready: i64,
    available: i64,
    unavailable: i64,
}

impl Counters {
    fn of(sets: &Sets<'_>) -> Self {
        let sum = |counter: fn(&ReplicaSetStatus) -> i64| sets.all().map(|set| counter(&set.status)).sum();
        let available: i64 = sum(|status| status.available_replicas);
        Self {
            replicas: sum(|status| status.replicas),
            updated: sets.current.as_ref().map_or(0, |set| set.status.replicas),
            ready: sum(|status| status.ready_replicas),
            available,
            unavailable: (sets.replicas() - available).max(0),
        }
    }

    fn is_complete(self, wanted: Wanted) -> bool {
        [self.updated, self.replicas, self.available].iter().all(|count| *count == wanted.replicas)
    }
}

/// What a status is computed from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) deployment: &'a Object,
    pub(super) view: &'a Deployment<'a>,
    pub(super) sets: &'a Sets<'a>,
    pub(super) wanted: Wanted,
    pub(super) now: Timestamp,
}

/// Computes the status.
pub(super) fn compute(facts: Facts<'_>, progress: &Progress) -> Report {
    let Facts { deployment, view, sets, wanted, now } = facts;
    let counters = Counters::of(sets);
    let now = format_time(now);
    let list = view.status.conditions.iter().map(written).collect();
    let mut conditions = Conditions { list, now: &now };
    conditions.set_available(counters, wanted);
    let deadline = view.spec.progress_deadline_seconds.map(SignedDuration::from_secs);
    match deadline {
        None => conditions.remove(PROGRESSING),
        Some(deadline) => {
            conditions.set_paused(view.spec.paused);
            conditions.estimate(facts, counters, progress, deadline);
        }
    }
    conditions.set_failure(sets);
    let status = fields(deployment, view, counters, conditions.list);
    let is_complete = counters.is_complete(wanted);
    let revision = match progress {
        Progress::Created(set) => set.annotation(super::sets::REVISION),
        Progress::Kept | Progress::Estimated => sets.current_revision(),
    };
    let next = deadline.filter(|_| !is_complete && !view.spec.paused).and_then(|deadline| {
        let condition = find(status["conditions"].as_array()?, PROGRESSING)?;
        let is_open = condition["reason"] != TIMED_OUT && condition["reason"] != COMPLETE;
        let updated: Timestamp = condition["lastUpdateTime"].as_str()?.parse().ok()?;
        let end = updated.checked_add(deadline.checked_add(MARGIN)?).ok()?;
        // A time that has passed starts no pass: this pass has judged it, or only changes sizes, and that leads to another one.
        (is_open && end > facts.now).then_some(end)
    });
    Report { revision: revision.map(str::to_owned), is_complete, next, status }
}

fn fields(deployment: &Object, view: &Deployment<'_>, counters: Counters, conditions: Vec<Value>) -> Value {
    let mut status = json!({ "observedGeneration": deployment.generation(), "conditions": conditions });
    for (field, count) in [
        ("replicas", counters.replicas),
        ("updatedReplicas", counters.updated),
        ("readyReplicas", counters.ready),
        ("availableReplicas", counters.available),
        ("unavailableReplicas", counters.unavailable),
    ] {
        if count > 0 {
            status[field] = json!(count);
        }
    }
    if let Some(count) = view.status.collision_count {
        status["collisionCount"] = json!(count);
    }
    status
}

fn written(condition: &DeploymentCondition<'_>) -> Value {
    json!({
        "type": condition.kind, "status": condition.status, "reason": condition.reason,
        "message": condition.message, "lastTransitionTime": condition.last_transition_time,
        "lastUpdateTime": condition.last_update_time,
    })
}

fn find<'a>(conditions: &'a [Value], kind: &str) -> Option<&'a Value> {
    conditions.iter().find(|condition| condition["type"] == kind)
}

/// The conditions, of which those that change are written with the time `now`.
struct Conditions<'a> {
    list: Vec<Value>,
    now: &'a str,
}

impl Conditions<'_> {
    fn remove(&mut self, kind: &str) {
        self.list.retain(|condition| condition["type"] != kind);
    }

    /// Sets a condition, unless it has this status and reason already.
    fn set(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let is_same = |present: &Value| present["status"] == status && present["reason"] == reason;
        if !find(&self.list, kind).is_some_and(is_same) {
            self.renew(kind, status, reason, message);
        }
    }

    /// Sets a condition with a new time of its last update.
    fn renew(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let present = find(&self.list, kind).filter(|present| present["status"] == status);
        let transition =
            present.map_or_else(|| json!(self.now), |present| present["lastTransitionTime"].clone());
        self.remove(kind);
        self.list.push(json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": transition, "lastUpdateTime": self.now,
        }));
    }

    fn set_available(&mut self, counters: Counters, wanted: Wanted) {
        if counters.available >= wanted.least_available() {
            self.set(AVAILABLE, "True", "MinimumReplicasAvailable", "Deployment has minimum availability.");
        } else {
            let message = "Deployment does not have minimum availability.";
            self.set(AVAILABLE, "False", "MinimumReplicasUnavailable", message);
        }
    }

    /// The reason of the condition that tells how a rollout gets on.
    fn progress_reason(&self) -> String {
        let condition = find(&self.list, PROGRESSING);
        condition.and_then(|condition| condition["reason"].as_str()).unwrap_or_default().to_owned()
    }

    /// Says that the Deployment is paused, or is no longer. A rollout that was stuck stays so.
    fn set_paused(&mut self, is_paused: bool) {
        match (self.progress_reason().as_str(), is_paused) {
            (TIMED_OUT, _) => {}
            (_, true) => self.set(PROGRESSING, "Unknown", PAUSED, "Deployment is paused"),
            (PAUSED, false) => self.set(PROGRESSING, "Unknown", "DeploymentResumed", "Deployment is resumed"),
            _ => {}
        }
    }

    fn estimate(
        &mut self,
        facts: Facts<'_>,
        counters: Counters,
        progress: &Progress,
        deadline: SignedDuration,
    ) {
        match progress {
            Progress::Kept => return,
            Progress::Created(set) => {
                let message = format!("Created new replica set {:?}", set.name());
                return self.renew(PROGRESSING, "True", "NewReplicaSetCreated", &message);
            }
            Progress::Estimated => {}
        }
        let current = facts.sets.current.as_ref().map(Set::name);
        if let (Some(current), None) = (current, find(&self.list, PROGRESSING)) {
            let message = format!("Found new replica set {current:?}");
            self.set(PROGRESSING, "True", "FoundNewReplicaSet", &message);
        }
        let subject = match current {
            Some(set) => format!("ReplicaSet {set:?}"),
            None => format!("Deployment {:?}", facts.deployment.name()),
        };
        let before = self.progress_reason();
        if before == COMPLETE && counters.replicas == counters.updated {
            return;
        }
        if counters.is_complete(facts.wanted) {
            let message = format!("{subject} has successfully progressed.");
            self.set(PROGRESSING, "True", COMPLETE, &message);
        } else if is_progress(facts.view, counters) {
            self.renew(PROGRESSING, "True", "ReplicaSetUpdated", &format!("{subject} is progressing."));
        } else if before == TIMED_OUT || (before != COMPLETE && self.is_late(facts.now, deadline)) {
            self.set(PROGRESSING, "False", TIMED_OUT, &format!("{subject} has timed out progressing."));
        }
    }

    /// Whether the last progress is longer ago than allowed.
    fn is_late(&self, now: Timestamp, deadline: SignedDuration) -> bool {
        let condition = find(&self.list, PROGRESSING);
        let updated = condition.and_then(|condition| condition["lastUpdateTime"].as_str()?.parse().ok());
        let end = updated.and_then(|updated: Timestamp| updated.checked_add(deadline).ok());
        end.is_some_and(|end| end < now)
    }

    /// Takes over why a set cannot make pods.
    fn set_failure(&mut self, sets: &Sets<'_>) {
        let failure = sets.current.iter().chain(&sets.old).find_map(|set| set.condition(REPLICA_FAILURE));
        let Some(failure) = failure else { return self.remove(REPLICA_FAILURE) };
        self.set(REPLICA_FAILURE, failure.status, failure.reason, failure.message);
    }
}

/// Whether more pods are new, fewer are old, or more are ready than at the last write.
fn is_progress(view: &Deployment<'_>, counters: Counters) -> bool {
    let before = &view.status;
    counters.updated > before.updated_replicas
        || counters.replicas - counters.updated < before.replicas - before.updated_replicas
        || counters.ready > before.ready_replicas
        || counters.available > before.available_replicas
}
