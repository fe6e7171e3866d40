//! Health of a cluster from single probes, without flapping (karmada pkg/controllers/status/cluster_condition_cache.go).

use std::time::Duration;

use portolan_api::conditions::cluster as reasons;
use portolan_api::meta::{Condition, ConditionStatus, condition};

/// The result of one probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// `/readyz` answered ok.
    Healthy,
    /// It answered something else; the text is the answer.
    Unhealthy(String),
    /// No answer; the text is the reason.
    Unreachable(String),
    /// `/readyz` answered ok, but some objects of the cluster cannot be watched; the text says which and why.
    Unwatchable(String),
    /// `/readyz` answered ok, but this control plane may not write to the cluster.
    NotHeld {
        /// Reason of the condition.
        reason: String,
        /// Cause and next step.
        message: String,
    },
    /// The cluster is not read because it sent more than is kept of one; the text says what, and what to do.
    OverBudget(String),
    /// Nothing may be sent; the text says why, and what to do.
    Suspended(String),
    /// It does not accept the credential; the text is the answer.
    Refused(String),
    /// Its certificate is not trusted; the text says why.
    Distrusted(String),
}

impl Probe {
    /// Whether the cluster is healthy.
    pub fn is_healthy(&self) -> bool {
        matches!(self, Self::Healthy)
    }

    /// Whether the API server answers requests.
    pub fn is_answered(&self) -> bool {
        matches!(self, Self::Healthy | Self::Unwatchable(_))
    }

    /// The `Ready` condition for the result.
    pub fn condition(&self, now: &str) -> Condition {
        let (status, reason, message) = match self {
            Self::Healthy => {
                (true, reasons::CLUSTER_READY, "cluster is healthy and ready to accept workloads".to_owned())
            }
            Self::Unhealthy(detail) => {
                let message =
                    format!("cluster is reachable but health endpoint responded without ok: {detail}");
                (false, reasons::CLUSTER_NOT_READY, message)
            }
            Self::Unreachable(detail) => {
                let message = format!("cluster is not reachable: {detail}");
                (false, reasons::CLUSTER_NOT_REACHABLE, message)
            }
            Self::Unwatchable(detail) => {
                let message = format!(
                    "cluster is reachable, but changes there are not seen: {detail}; check that its API server and etcd \
                     serve lists and watches, and that the account of the control plane there (of the agent, in pull mode) may list \
                     and watch this resource: `portolan cluster permissions` prints and grants the rights that are needed"
                );
                (false, reasons::CLUSTER_NOT_READY, message)
            }
            Self::NotHeld { reason, message } => (false, reason.as_str(), message.clone()),
            Self::OverBudget(detail) => (false, reasons::MEMORY_BUDGET_EXCEEDED, detail.clone()),
            Self::Suspended(reason) => (false, reasons::CREDENTIAL_SUSPENDED, reason.clone()),
            Self::Refused(detail) => {
                let message = format!(
                    "cluster is reachable, but does not accept the credential in its secret: {detail}; it may have expired, \
                     its service account may be gone, or another control plane may have taken the cluster over: `portolan \
                     join` makes a new one, or says who holds the cluster"
                );
                (false, reasons::CREDENTIAL_REFUSED, message)
            }
            Self::Distrusted(detail) => {
                let message = format!(
                    "what answers at the address of the cluster has a certificate that is not trusted, so nothing is sent: \
                     {detail}; if the cluster has a new authority or name, `portolan join` again; if its certificate is \
                     expired or not valid yet, compare the clocks; otherwise another server has the address"
                );
                (false, reasons::CERTIFICATE_NOT_TRUSTED, message)
            }
        };
        Condition::new(reasons::READY, status, reason, message, now)
    }

    /// The `Ready` condition of a cluster that was ready before this process started, and that it has not reached.
    pub fn not_seen(&self, now: &str) -> Condition {
        let cause = self.condition(now).message;
        let message =
            format!("the cluster was ready, and has not been seen since the control plane started: {cause}");
        let mut ready = Condition::new(reasons::READY, false, reasons::NOT_SEEN_SINCE_START, message, now);
        ready.status = ConditionStatus::Unknown;
        ready
    }

    /// Time for which the result must last before it is published against the opposite.
    fn threshold(&self, thresholds: Thresholds) -> Duration {
        match self {
            Self::Healthy => thresholds.success,
            Self::Unhealthy(_) | Self::Unreachable(_) => thresholds.failure,
            // Has lasted for a while already.
            Self::Unwatchable(_) => Duration::ZERO,
            // Not a failure that could pass by itself.
            Self::NotHeld { .. } => Duration::ZERO,
            // Nothing is read, so nothing is known any more.
            Self::OverBudget(_) => Duration::ZERO,
            // Not a matter of contact.
            Self::Suspended(_) | Self::Refused(_) | Self::Distrusted(_) => Duration::ZERO,
        }
    }

    /// The `HeldByThisControlPlane` condition for the result. `None` if it does not say anything new: a cluster that never
    /// was another control plane's has no such condition.
    pub fn hold_condition(&self, conditions: &[Condition], now: &str) -> Option<Condition> {
        match self {
            Self::NotHeld { reason, message } => {
                Some(Condition::new(reasons::HELD, false, reason, message, now))
            }
            Self::Healthy | Self::Unwatchable(_) => {
                condition(conditions, reasons::HELD)?;
                let message = "this control plane holds the lease of the cluster".to_owned();
                Some(Condition::new(reasons::HELD, true, reasons::LEASE_HELD, message, now))
            }
            Self::Unhealthy(_)
            | Self::Unreachable(_)
            | Self::OverBudget(_)
            | Self::Suspended(_)
            | Self::Refused(_)
            | Self::Distrusted(_) => None,
        }
    }
}

/// Time for which an opposite state must last before it is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// From not ready to ready.
    pub success: Duration,
    /// From ready to not ready.
    pub failure: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { success: Duration::from_secs(30), failure: Duration::from_secs(7) }
    }
}

/// Longest time between two probes while they contradict the published state, or get no answer.
const INTERVAL_IN_DOUBT: Duration = Duration::from_secs(2);

/// What a probe changes in the published `Ready` condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It stays: the probe has to be confirmed first.
    Keep,
    /// It becomes that of the probe.
    Publish,
    /// It becomes unknown: an earlier process found the cluster ready, and this one has not reached it.
    NotSeen,
}

/// Time in which probes contradict the published state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Doubt {
    since: Option<Duration>,
    /// Whether this process has found the cluster healthy, so that a published `True` is its own.
    was_seen: bool,
    /// Whether the last probe did not reach the cluster.
    is_unreachable: bool,
}

impl Doubt {
    /// What to publish of `probe` now, given the published `conditions`. `asked` and `now` are times on a monotonic clock: a
    /// probe that failed says that the cluster has failed since it was asked.
    ///
    /// The first observation is published immediately. A probe that agrees resets the doubt. A change is published once
    /// the new state has lasted for its threshold. After a restart, a cluster that does not answer is unknown until then.
    pub fn verdict(
        &mut self,
        conditions: &[Condition],
        probe: &Probe,
        asked: Duration,
        now: Duration,
        thresholds: Thresholds,
    ) -> Verdict {
        self.was_seen |= probe.is_healthy();
        self.is_unreachable = matches!(probe, Probe::Unreachable(_));
        let published = condition(conditions, reasons::READY);
        let is_not_seen = published.is_some_and(|ready| ready.reason == reasons::NOT_SEEN_SINCE_START);
        let was_ready = match published.map(|ready| ready.status) {
            Some(ConditionStatus::Unknown) if is_not_seen => true,
            None | Some(ConditionStatus::Unknown) => {
                self.since = None;
                return Verdict::Publish;
            }
            Some(status) => status == ConditionStatus::True,
        };
        if was_ready == probe.is_healthy() {
            self.since = None;
            return Verdict::Publish;
        }
        let since = *self.since.get_or_insert(asked);
        if now.saturating_sub(since) >= probe.threshold(thresholds) {
            self.since = None;
            return Verdict::Publish;
        }
        match was_ready && !is_not_seen && !self.was_seen {
            true => Verdict::NotSeen,
            false => Verdict::Keep,
        }
    }

    /// Time from the start of one probe to the start of the next; `interval` is the usual one. A cluster that cannot be
    /// reached is to be used soon after it is back.
    pub fn pause(&self, interval: Duration) -> Duration {
        let is_in_doubt = self.since.is_some() || self.is_unreachable;
        if is_in_doubt { interval.min(INTERVAL_IN_DOUBT) } else { interval }
    }
}

#[cfg(test)]
mod tests;
