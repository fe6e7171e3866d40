//! The capacity of a member, at the pace at which it is written into the status of its Cluster.

use std::future;
use std::sync::Arc;
use std::time::Duration;

use portolan_api::cluster::{Cluster, ClusterStatus};
use tokio::time::Instant;

use crate::capacity::MemberCapacity;

/// Shortest time between two writes of the capacity alone.
const INTERVAL: Duration = Duration::from_secs(3);

/// The capacity of a member and the time of its next write.
pub(super) struct PacedCapacity {
    capacity: Option<Arc<MemberCapacity>>,
    due: Instant,
}

impl PacedCapacity {
    pub(super) fn new(capacity: Option<Arc<MemberCapacity>>) -> Self {
        Self { capacity, due: Instant::now() }
    }

    /// Waits until the capacity has changed and may be written.
    pub(super) async fn is_due(&self) {
        match &self.capacity {
            Some(capacity) => capacity.changed().await,
            None => future::pending().await,
        }
        tokio::time::sleep_until(self.due).await;
    }

    /// Starts the time until the next write.
    pub(super) fn restart(&mut self) {
        self.due = Instant::now() + INTERVAL;
    }

    /// Puts the capacity into a status, if it is known.
    pub(super) fn fill(&self, cluster: &Cluster, status: &mut ClusterStatus) {
        let Some(snapshot) = self.capacity.as_ref().and_then(|capacity| capacity.snapshot()) else { return };
        status.node_summary = Some(snapshot.node_summary());
        status.resource_summary = Some(snapshot.resource_summary(&cluster.spec.resource_models));
    }
}
