//! The audit log: who asked for what, in Kubernetes' format, as much of it as the policy says.
//!
//! ```text
//! request ─► policy (level, stages) ─► Auditing ─┬─ RequestReceived ──┐
//!                 body, user, decision, answer ─►└─ Response… ────────┴─► channel ─► thread ─► file
//! ```
//!
//! The thread parses the answers. When the server stops, it waits for the thread, for a limited time.
//!
//! A request waits while the channel is full, so no event is lost because the disk is slow. An event that cannot be written
//! is counted and reported in the server's own log.
//!
//! # Source
//! kubernetes staging/src/k8s.io/apiserver/pkg/audit and pkg/apis/audit/v1.

mod answered;
mod body;
mod event;
mod log;
mod policy;
mod request;
mod tee;

#[cfg(test)]
mod tests;

pub use log::{LogError, LogSettings};
pub use policy::{Policy, PolicyError};
pub(crate) use request::Auditing;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::request::Parts;
use jiff::Timestamp;
use portolan_object::Status;

use crate::auth::User;
use crate::request::RequestInfo;
use log::Log;
use policy::{Decision, Level};

/// A policy and the log that it fills. Clones share the log.
#[derive(Debug, Clone)]
pub struct Audit {
    policy: Arc<Policy>,
    log: Log,
}

impl Audit {
    /// Writes what `policy` asks for into the log of `settings`.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(policy: Policy, settings: LogSettings) -> Result<Self, LogError> {
        Ok(Self { policy: Arc::new(policy), log: Log::open(settings)? })
    }

    /// What the policy says about a request; `None` if nothing of it is recorded.
    pub(crate) fn decide(
        &self,
        info: &RequestInfo,
        path: &str,
        user: &Result<Arc<User>, Status>,
    ) -> Option<Decision> {
        let decision = self.policy.decide(info, path, user.as_deref().ok());
        (decision.level != Level::None).then_some(decision)
    }

    /// Waits until all events so far are written, and reports those that are not in time.
    pub(crate) async fn finish(&self, limit: Duration) {
        if !self.log.is_written(limit).await {
            tracing::error!(
                seconds = limit.as_secs(),
                "audit events are lost: they were not written in time"
            );
        }
    }

    /// Waits while the log is behind.
    pub(crate) async fn room(&self) {
        self.log.room().await;
    }

    /// Begins the record of a request, the headers of which were taken out of it.
    pub(crate) fn begin(
        &self,
        decision: Decision,
        request: (&Parts, &HeaderMap),
        info: &RequestInfo,
        user: &Result<Arc<User>, Status>,
        now: Timestamp,
    ) -> Arc<Auditing> {
        Auditing::begin(self.log.clone(), decision, request, info, user.as_deref().ok(), now)
    }
}
