//! What one user may have in flight: requests, watches, and the bytes of bodies and answers.
//!
//! Each request of the network takes a [`Share`] once its user is known, and keeps it until its answer has been sent. A
//! user with too many is answered 429, others are not affected. Health checks take no share, nor do members of
//! `system:masters`, except for bytes: memory is finite for them too.

mod held;
mod ledger;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use portolan_net::telemetry::Family;
use portolan_object::Status;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub(crate) use held::attach;
pub(crate) use ledger::{Excess, Kind};
use ledger::{Ledger, Limits};

/// Least time between two log lines about refusals.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// What all users have in flight. Clones share it.
#[derive(Clone)]
pub(crate) struct Fairness {
    shared: Arc<Shared>,
}

struct Shared {
    ledger: Mutex<Ledger>,
    last_line: Mutex<Option<Instant>>,
    refused: Family<ReasonLabel, Counter>,
    evicted: Counter,
    held: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// One request or watch of a user, with the bytes that it holds. Dropping it gives all of it back.
pub(crate) struct Share {
    fairness: Fairness,
    user: Arc<str>,
    kind: Kind,
    bytes: usize,
}

impl Default for Fairness {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Fairness {
    fn new(limits: Limits) -> Self {
        let shared = Shared {
            ledger: Mutex::new(Ledger::new(limits)),
            last_line: Mutex::default(),
            refused: Family::default(),
            evicted: Counter::default(),
            held: Gauge::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Adds the metrics to `registry`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Requests refused with 429, by the limit that the user has reached";
        registry.register("portolan_apiserver_refused_requests", help, self.shared.refused.clone());
        let help = "Watches ended because their client read too slowly";
        registry.register("portolan_apiserver_evicted_watches", help, self.shared.evicted.clone());
        let help = "Bytes of request bodies and of answers that are being sent";
        registry.register("portolan_apiserver_held_bytes", help, self.shared.held.clone());
    }

    /// Takes a share.
    ///
    /// # Errors
    /// 429 when the user, or all users together, have too many requests or watches.
    pub(crate) fn take(&self, user: &str, kind: Kind) -> Result<Share, Status> {
        let user = self.shared.ledger.lock().add(user, kind).map_err(|excess| self.refuse(user, excess))?;
        Ok(Share { fairness: self.clone(), user, kind, bytes: 0 })
    }

    /// Counts and logs a refusal, and makes the answer.
    pub(crate) fn refuse(&self, user: &str, excess: Excess) -> Status {
        let reason = excess.name();
        self.shared.refused.get(&ReasonLabel { reason }).inc();
        let mut last = self.shared.last_line.lock();
        if last.is_none_or(|last| last.elapsed() >= LOG_INTERVAL) {
            *last = Some(Instant::now());
            tracing::warn!(user, reason, "too many requests in flight; refusing with 429");
        }
        too_many_requests()
    }

    /// Counts a watch that is ended because its client reads too slowly.
    pub(crate) fn evicted(&self) {
        self.shared.evicted.inc();
    }
}

impl Share {
    /// Adds bytes to what the request holds.
    ///
    /// # Errors
    /// 429 when the user, or all users together, hold too many.
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<(), Status> {
        let held = self.fairness.shared.ledger.lock().hold(&self.user, bytes);
        held.map_err(|excess| self.fairness.refuse(&self.user, excess))?;
        self.bytes += bytes;
        self.fairness.shared.held.inc_by(signed(bytes));
        Ok(())
    }

    /// Gives bytes back.
    pub(crate) fn release(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.fairness.shared.ledger.lock().release(&self.user, bytes);
        self.fairness.shared.held.dec_by(signed(bytes));
    }

    /// The bytes that it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release(self.bytes);
        self.fairness.shared.ledger.lock().remove(&self.user, self.kind);
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share").field("user", &self.user).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// 429 as kube-apiserver words it (kubernetes staging/src/k8s.io/apiserver/pkg/server/filters/maxinflight.go).
fn too_many_requests() -> Status {
    let text = "Too many requests, please try again later.";
    let mut status = Status::new(429, "TooManyRequests", text);
    status.details.get_or_insert_default().retry_after_seconds = Some(1);
    status
}

#[cfg(test)]
mod tests;
