//! The brake: holds a mass deletion in a member until a user releases it.
//!
//! Deletions by a user are never held ([`Cause::is_deletion_by_user`]). Withdrawals are conclusions: a typing error in one
//! policy, a lost label of a cluster or an old state of the control plane withdraws everything at once. They are counted per
//! cluster, and held above a budget. A hold stays until it is released, or until nothing is to be deleted any more because
//! the policy was put right.

use std::time::Duration;

use portolan_api::annotations::cluster::{DELETIONS_RELEASED, DISTRUST};
use portolan_api::cluster::{Cluster, SyncMode};
use portolan_api::conditions::cluster::{
    DELETION_BUDGET_EXCEEDED, DELETIONS_HELD, NO_DELETIONS_HELD, STATE_NOT_TRUSTED,
};
use portolan_api::meta::{Condition, condition};
use portolan_api::work::Work;
use serde::{Deserialize, Serialize};

use super::removal::{Cause, Origin};

/// Time between the first of many withdrawals and their execution, so that all of them are counted before one is executed.
pub const SETTLING_TIME: Duration = Duration::from_secs(2);
/// Time without another withdrawal from the cluster after which a few are executed. Those of one mistake come at once: the
/// first one waits until all of them are counted.
pub const QUIET_TIME: Duration = Duration::from_millis(500);
/// Objects that the message of the condition names, at most.
const MAX_NAMED: usize = 5;

/// How many objects may be withdrawn from one cluster within [`Budget::window`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// This number of objects is always allowed.
    pub objects: usize,
    /// Above that number, this share of the cluster's objects is allowed, in percent. 100 allows everything.
    pub percent: u8,
    /// Time in which withdrawals are added up.
    pub window: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { objects: 20, percent: 30, window: Duration::from_secs(60) }
    }
}

impl Budget {
    fn allows(&self, load: Load) -> bool {
        let withdrawn = load.pending + load.recent;
        withdrawn <= self.objects
            || withdrawn * 100 <= (load.objects + load.recent) * usize::from(self.percent)
    }
}

/// Works of one cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// All Works, those that are being deleted among them.
    pub objects: usize,
    /// Those that wait for a deletion that counts.
    pub pending: usize,
    /// Deletions that counted within the window.
    pub recent: usize,
    /// Time since the last withdrawal was asked for.
    pub quiet_for: Duration,
}

/// Why the state of the control plane is not trusted: it comes from a backup, or objects in it are damaged. Withdrawals are
/// then held whatever their number, and so are deletions from before `since`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distrust {
    /// Start, in the format of `metav1.Time`. A release after it ends the distrust for a cluster.
    pub since: String,
    /// The cause, as a part of a sentence.
    pub reason: String,
}

impl Distrust {
    /// What the control plane has written on a Cluster for its agent. A text that cannot be read is distrust from now on.
    pub fn told_to_agent(cluster: &Cluster, now: &str) -> Option<Self> {
        let text = cluster.metadata.annotation(DISTRUST)?;
        let unreadable = |error| Self {
            since: now.to_owned(),
            reason: format!("annotation {DISTRUST} of the cluster cannot be read: {error}"),
        };
        Some(serde_json::from_str(text).unwrap_or_else(unreadable))
    }

    /// The annotation of a Cluster for its agent; `None` if it is as it should be. The outer value is what is written, and
    /// `None` in it removes it.
    pub fn to_tell_agent(distrust: Option<&Self>, cluster: &Cluster) -> Option<Option<String>> {
        let is_pull = cluster.spec.sync_mode == SyncMode::Pull;
        let wanted = distrust.filter(|_| is_pull).map(|distrust| serde_json::json!(distrust).to_string());
        (cluster.metadata.annotation(DISTRUST) != wanted.as_deref()).then_some(wanted)
    }
}

/// What happens to a deletion that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is executed.
    Go,
    /// It waits until no more withdrawals come; see [`QUIET_TIME`].
    Gather,
    /// It waits until all withdrawals are counted; see [`SETTLING_TIME`].
    Settle,
    /// It is held, because the budget is exceeded.
    HoldMany,
    /// It is held, because the state of the control plane is not trusted.
    HoldDistrusted,
}

impl Verdict {
    /// Whether it is held.
    pub fn is_hold(self) -> bool {
        matches!(self, Self::HoldMany | Self::HoldDistrusted)
    }
}

/// A Work that is being deleted, as far as the brake looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// Time of the request, in the format of `metav1.Time`.
    requested: String,
    /// Whether the control plane concluded it; a user asked for the others.
    is_conclusion: bool,
    /// Whether a user or another program wrote the Work.
    is_of_user: bool,
}

impl Deletion {
    /// The deletion of a Work; `None` if it is not being deleted.
    pub fn of(work: &Work) -> Option<Self> {
        Some(Self {
            requested: work.metadata.deletion_timestamp.clone()?,
            is_conclusion: Cause::of(work).is_some_and(|cause| !cause.is_deletion_by_user()),
            is_of_user: Origin::of(work) == Origin::User,
        })
    }

    /// Whether it is a withdrawal: a conclusion of the control plane.
    pub fn is_withdrawal(&self) -> bool {
        self.is_conclusion
    }

    /// Time of the request, in the format of `metav1.Time`.
    pub fn requested(&self) -> &str {
        &self.requested
    }
}

/// The brake of one cluster.
#[derive(Debug, Clone, Copy)]
pub struct Brake<'a> {
    /// The allowed withdrawals.
    pub budget: Budget,
    /// Whether the state of the control plane is not trusted.
    pub distrust: Option<&'a Distrust>,
    /// The cluster.
    pub cluster: &'a Cluster,
}

impl Brake<'_> {
    /// Whether a deletion counts, so that it can be held.
    pub fn counts(&self, deletion: &Deletion) -> bool {
        if self.released().is_some_and(|released| is_until(&deletion.requested, released)) {
            return false;
        }
        let is_from_before =
            self.distrusted().is_some_and(|distrust| is_until(&deletion.requested, &distrust.since));
        deletion.is_conclusion || is_from_before && !deletion.is_of_user
    }

    /// The verdict about a deletion that counts, where it does not depend on the number of deletions.
    pub fn hold(&self) -> Option<Verdict> {
        if self.distrusted().is_some() {
            return Some(Verdict::HoldDistrusted);
        }
        let known = condition(&self.cluster.status.conditions, DELETIONS_HELD);
        known.is_some_and(Condition::is_true).then_some(Verdict::HoldMany)
    }

    /// Decides about the deletions that count.
    pub fn decide(&self, load: Load) -> Verdict {
        if load.pending == 0 {
            return Verdict::Go;
        }
        if let Some(hold) = self.hold() {
            return hold;
        }
        if !self.budget.allows(load) {
            return Verdict::HoldMany;
        }
        if load.pending + load.recent > self.budget.objects {
            return Verdict::Settle;
        }
        if load.quiet_for < QUIET_TIME { Verdict::Gather } else { Verdict::Go }
    }

    /// The condition of the Cluster; `None` if it needs none. `names` are the objects that wait.
    pub fn condition(&self, load: Load, names: &[String], now: &str) -> Option<Condition> {
        let verdict = self.decide(load);
        let cluster = &self.cluster.metadata.name;
        let reason = match verdict {
            Verdict::Go | Verdict::Gather | Verdict::Settle => {
                condition(&self.cluster.status.conditions, DELETIONS_HELD)?;
                let message = "No deletion is held.";
                return Some(Condition::new(DELETIONS_HELD, false, NO_DELETIONS_HELD, message, now));
            }
            Verdict::HoldMany => DELETION_BUDGET_EXCEEDED,
            Verdict::HoldDistrusted => STATE_NOT_TRUSTED,
        };
        let Load { objects, pending, .. } = load;
        let cause = match self.distrusted() {
            Some(distrust) => distrust.reason.clone(),
            None => format!(
                "more than {} objects and more than {} % of the cluster's objects are withdrawn at once",
                self.budget.objects, self.budget.percent
            ),
        };
        let named: Vec<&str> = names.iter().take(MAX_NAMED).map(String::as_str).collect();
        let more = match pending.saturating_sub(named.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let message = format!(
            "The deletion of {pending} of {objects} objects is held, because {cause}: {}{more}. If they are to be deleted, \
             run `portolan release {cluster}`. If not, put right the policy, the placement or the labels of the cluster \
             that placed them here; they then stay.",
            named.join(", ")
        );
        Some(Condition::new(DELETIONS_HELD, true, reason, message, now))
    }

    fn released(&self) -> Option<&str> {
        self.cluster.metadata.annotation(DELETIONS_RELEASED)
    }

    /// The distrust, unless it was released for this cluster.
    fn distrusted(&self) -> Option<&Distrust> {
        self.distrust
            .filter(|distrust| self.released().is_none_or(|released| !is_until(&distrust.since, released)))
    }
}

/// Whether `time` is not later than `end`. Both are `metav1.Time`, UTC with whole seconds, which sort as texts.
fn is_until(time: &str, end: &str) -> bool {
    time <= end
}

#[cfg(test)]
mod tests;
