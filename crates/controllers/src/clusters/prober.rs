//! Asks one member for its health.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portolan_api::conditions::cluster::CLOCK_DIFFERS;
use portolan_plan::clusters::clock;
use portolan_plan::clusters::probe::Probe;
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::members::HoldState;
use portolan_runtime::{ClientError, Member};
use tokio::time::Instant;

use crate::hub::Hub;

const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time that caches of an answering member may be without contact before the cluster is not ready.
pub(super) const TROUBLE_TOLERANCE: Duration = Duration::from_secs(5);

/// What is remembered of a member between two probes.
pub(super) struct Prober {
    hub: Hub,
    member: Arc<Member>,
    /// Since when the member answers although caches of it have no contact.
    unwatchable_since: Option<Instant>,
    /// How far the clock of the member was off when it was stated last, if that matters.
    skew: Option<SignedDuration>,
}

impl Prober {
    pub(super) fn new(hub: &Hub, member: Arc<Member>) -> Self {
        Self { hub: hub.clone(), member, unwatchable_since: None, skew: None }
    }

    /// How far the clock of the member is off, if that matters; positive if it is ahead.
    pub(super) fn skew(&self) -> Option<SignedDuration> {
        self.skew
    }

    /// Whether the member answers and caches of it have no contact.
    pub(super) fn is_in_trouble(&self) -> bool {
        self.unwatchable_since.is_some()
    }

    /// Asks the member for its health.
    pub(super) async fn probe(&mut self) -> Probe {
        let probe = self.ask().await;
        if !probe.is_answered() {
            self.unwatchable_since = None;
        }
        probe
    }

    async fn ask(&mut self) -> Probe {
        if let Some(over_budget) = self.member.over_budget() {
            return Probe::OverBudget(over_budget.to_string());
        }
        if let Some(reason) = self.member.suspension() {
            return Probe::Suspended(reason.to_owned());
        }
        let client = self.member.client().clone().with_timeout(PROBE_TIMEOUT);
        let mut answer = client.dated_text("/readyz").await;
        if matches!(answer, Err(ClientError::NotFound(_))) {
            answer = client.dated_text("/healthz").await;
        }
        if let Ok((_, Some(stated))) = answer {
            self.compare_clocks(stated);
        }
        match answer {
            Ok(_) => match self.member.hold().state() {
                HoldState::Refused(refusal) => {
                    Probe::NotHeld { reason: refusal.reason.to_owned(), message: refusal.message.clone() }
                }
                HoldState::Unknown | HoldState::Held(_) | HoldState::Released => self.watched(),
            },
            Err(error) if error.is_distrusted() => Probe::Distrusted(error.to_string()),
            Err(error @ ClientError::Unreachable { .. }) => Probe::Unreachable(error.to_string()),
            // 401 and 403.
            Err(error @ ClientError::Forbidden(_)) => Probe::Refused(error.to_string()),
            Err(error) => Probe::Unhealthy(error.to_string()),
        }
    }

    /// Tells once when the clock of the member begins to differ.
    fn compare_clocks(&mut self, stated: Timestamp) {
        let skew = clock::skew(stated, self.hub.clock.now());
        if let (Some(skew), None) = (skew, self.skew) {
            let message = clock::message(self.member.name().as_str(), skew);
            tracing::warn!(cluster = %self.member.name(), message);
            record(&self.hub, &self.member, CLOCK_DIFFERS, message);
        }
        self.skew = skew;
    }

    /// The state of a member that answers: healthy, unless caches have had no contact for a while.
    fn watched(&mut self) -> Probe {
        if !self.member.forbidden().is_empty() {
            // The right may have been granted since.
            self.member.retry_caches();
        }
        let Some((resource, trouble)) = self.member.trouble() else {
            self.unwatchable_since = None;
            return Probe::Healthy;
        };
        // A cache may still wait although the API server is back.
        self.member.retry_caches();
        let since = *self.unwatchable_since.get_or_insert_with(Instant::now);
        if since.elapsed() < TROUBLE_TOLERANCE {
            return Probe::Healthy;
        }
        Probe::Unwatchable(format!("{resource}: {trouble}"))
    }
}

/// Records a warning about the cluster.
pub(super) fn record(hub: &Hub, member: &Member, reason: &str, message: String) {
    if let Some(cluster) = hub.cluster(member.name()) {
        hub.events.record(Regarding::kind(&*cluster), Severity::Warning, reason, message);
    }
}
