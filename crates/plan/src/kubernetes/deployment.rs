//! Deployments: a ReplicaSet per template, and moving from the old ones to the new one (kubernetes
//! pkg/controller/deployment).
//!
//! ```text
//! deployment, sets ─► Sets (current, old) ─► paused or scaled? ─ yes ─► proportional sizes
//!                                              └ no ──► create the current set, or move pods to it ─► status
//! ```

mod rollout;
mod scale;
mod sets;
mod status;
mod template;

use jiff::Timestamp;
use portolan_api::kubernetes::{Deployment, DeploymentSpec, IntOrString, View};
use portolan_object::{Object, ObjectKey};
use serde_json::Value;

use super::replica_set::desired_replicas;
use super::share::{Rounding, share};
pub use sets::REVISION;
use sets::Sets;
pub use template::TEMPLATE_HASH;

/// `maxSurge` and `maxUnavailable` of a Deployment that does not have them.
const DEFAULT_SHARE: IntOrString<'_> = IntOrString::String("25%");

/// One change that brings the cluster closer to the Deployment.
#[derive(Debug, Clone, PartialEq)]
pub enum DeploymentAction {
    /// Create a ReplicaSet.
    Create(Object),
    /// Change a ReplicaSet.
    Update {
        /// The ReplicaSet.
        set: ObjectKey,
        /// A merge patch of replicas, `minReadySeconds` and annotations.
        patch: Value,
        /// Its size before and after, if that changes.
        size: Option<(i64, i64)>,
    },
    /// Delete a ReplicaSet beyond the history limit.
    Delete(ObjectKey),
    /// Write the status, and with it the revision as an annotation of the Deployment.
    Status {
        /// The whole status.
        status: Value,
        /// The revision of the current ReplicaSet, if the Deployment has another one.
        revision: Option<String>,
    },
}

/// The changes, and when to look again if nothing else happens.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeploymentPlan {
    /// In order.
    pub actions: Vec<DeploymentAction>,
    /// The time at which a rollout without progress counts as stuck.
    pub next: Option<Timestamp>,
}

/// What the Deployment asks for, as numbers of pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    replicas: i64,
    /// Pods that may exist beyond `replicas`.
    surge: i64,
    /// Pods that may be unavailable.
    unavailable: i64,
    recreate: bool,
}

impl Wanted {
    fn of(spec: &DeploymentSpec<'_>) -> Self {
        let replicas = desired_replicas(spec.replicas);
        if spec.strategy.kind == "Recreate" {
            return Self { replicas, surge: 0, unavailable: 0, recreate: true };
        }
        let limits = &spec.strategy.rolling_update;
        let surge = share(limits.max_surge.unwrap_or(DEFAULT_SHARE), replicas, Rounding::Up);
        let unavailable = share(limits.max_unavailable.unwrap_or(DEFAULT_SHARE), replicas, Rounding::Down);
        // Both would stop every rollout.
        let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
        Self { replicas, surge, unavailable: unavailable.min(replicas), recreate: false }
    }

    /// The most pods of all sets.
    fn most(self) -> i64 {
        self.replicas + self.surge
    }

    /// The fewest available pods.
    fn least_available(self) -> i64 {
        self.replicas - self.unavailable
    }
}

/// Computes the steps from the ReplicaSets that the Deployment controls. `old_pods` says whether pods of other templates
/// exist that have not finished, of which some may be terminating.
pub fn plan(deployment: &Object, sets: &[&Object], old_pods: bool, now: Timestamp) -> DeploymentPlan {
    let view = Deployment::read(deployment).unwrap_or_default();
    let wanted = Wanted::of(&view.spec);
    let mut sets = Sets::of(deployment, sets);
    let mut actions = Vec::new();
    let mut progress = status::Progress::Kept;
    if !deployment.is_deleting() {
        sets.sync_current(deployment, &view.spec);
        if view.spec.paused || sets.were_scaled(wanted.replicas) {
            scale::resize(&mut sets, wanted);
        } else {
            progress = rollout::advance(deployment, &view, &mut sets, wanted, old_pods);
        }
        actions.extend(sets.actions());
    }
    let facts = status::Facts { deployment, view: &view, sets: &sets, wanted, now };
    let report = status::compute(facts, &progress);
    let is_settled = view.spec.paused || (report.is_complete && actions.is_empty());
    if is_settled && !deployment.is_deleting() {
        actions.extend(sets.beyond_history(view.spec.revision_history_limit).map(DeploymentAction::Delete));
    }
    if let status::Progress::Created(set) = progress {
        actions.push(DeploymentAction::Create(*set));
    }
    let revision = report.revision;
    let revision = revision.filter(|revision| deployment.annotation(REVISION) != Some(revision.as_str()));
    if revision.is_some() || deployment.at(&["status"]) != Some(&report.status) {
        actions.push(DeploymentAction::Status { status: report.status, revision });
    }
    DeploymentPlan { actions, next: report.next }
}

/// The status of a Deployment of which the next ReplicaSet would have the name of another object: the next pass chooses
/// another name.
pub fn after_collision(deployment: &Object) -> Value {
    let mut status = deployment.at(&["status"]).cloned().unwrap_or_default();
    let count = status["collisionCount"].as_i64().unwrap_or_default();
    status["collisionCount"] = (count + 1).into();
    status
}

/// Whether a ReplicaSet with the name that `planned` has is the planned one: a pass before has made it.
pub fn is_same_set(deployment: &Object, planned: &Object, found: &Object) -> bool {
    super::pods::is_controlled_by(found, deployment) && template::equals(planned, found)
}

#[cfg(test)]
mod tests;
