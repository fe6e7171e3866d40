//! Figures of the connections of a server.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::telemetry::Family;

/// Figures of the connections of servers; clones share them.
#[derive(Debug, Clone, Default)]
pub struct ConnectionMetrics {
    open: Gauge,
    removed: Family<ReasonLabel, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// Why a connection is closed or refused for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removal {
    /// Too many connections of one address.
    Address,
    /// Too many connections.
    Connections,
    /// Too many connections without a request so far.
    Handshakes,
}

impl Removal {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Connections => "connections",
            Self::Handshakes => "handshakes",
        }
    }
}

impl ConnectionMetrics {
    /// Adds the metrics to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("portolan_server_connections", "Open connections", self.open.clone());
        let help = "Connections closed or refused because there were too many, by the limit that was reached";
        registry.register("portolan_server_removed_connections", help, self.removed.clone());
    }

    pub(super) fn open(&self, connections: usize) {
        self.open.set(i64::try_from(connections).unwrap_or(i64::MAX));
    }

    pub(super) fn removed(&self, reason: Removal) {
        self.removed.get(&ReasonLabel { reason: reason.name() }).inc();
    }
}
