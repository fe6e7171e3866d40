//! Watches the objects of one cluster and publishes their DNS records.
//!
//! Reads objects of this cluster only, imports included. DNS therefore works while the hub is unreachable, and keeps the
//! last records while the cluster's API server is. `portolan_plan::dns` computes the records; a [`RecordSink`] receives
//! them.
//!
//! ```text
//! ServiceImport ─┐                                  ┌─ one service at a time
//! Service ───────┼─► caches ─► changed services ─► plan::dns ─► RecordSink
//! EndpointSlice ─┘
//! ```

mod contact;
mod metrics;
mod source;

use std::sync::Arc;
use std::time::Duration;

use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_plan::dns::{Problem, RecordSink, ZoneKind};
use portolan_runtime::cache::Caches;
use portolan_runtime::{Cache, Client};
use prometheus_client::registry::Registry;

use contact::Contact;
use source::ZoneSource;

/// A zone to publish records for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Kind of services in the zone.
    pub kind: ZoneKind,
    /// Domain name of the zone, without a final dot.
    pub name: String,
}

impl Zone {
    /// The zone with its default name.
    pub fn new(kind: ZoneKind) -> Self {
        Self { kind, name: kind.default_zone().to_owned() }
    }
}

/// Caches of EndpointSlices and Services, trimmed to the fields of records; for a program without other controllers.
pub fn caches(client: &Client, scope: &Shutdown) -> Caches {
    Caches::trimmed(client, scope, source::trim_slice)
}

/// State of the published records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicationState {
    /// Reason why the first publication has not happened yet; `None` afterwards.
    pub waiting_for: Option<String>,
    /// Error of the connection to the API server, if it has one now.
    pub trouble: Option<String>,
    /// Time since the records were last known to be up to date.
    pub age: Duration,
}

/// Handle to the running publication of zones; clones share state. It ends with the scope it was started in.
#[derive(Clone)]
pub struct Follower {
    sources: Arc<[Arc<ZoneSource>]>,
    contact: Arc<Contact>,
}

impl Follower {
    /// Starts to publish the services in `caches`.
    pub fn start(
        caches: &Caches,
        zones: &[Zone],
        sink: &Arc<impl RecordSink>,
        clock: &Clock,
        scope: &Shutdown,
    ) -> Self {
        let start = |zone: &Zone| ZoneSource::start(caches, zone, sink.clone(), scope);
        let sources: Arc<[Arc<ZoneSource>]> = zones.iter().map(start).collect();
        let contact = Contact::start(sources.clone(), clock, scope);
        Self { sources, contact }
    }

    /// Current state of the published records.
    pub fn state(&self) -> PublicationState {
        PublicationState {
            waiting_for: self.sources.iter().find_map(|source| source.waiting_for()),
            trouble: self.sources.iter().find_map(|source| source.trouble()),
            age: self.contact.age(),
        }
    }

    /// Waits until every zone has been published once. False if the scope ended before.
    pub async fn synced(&self) -> bool {
        for source in self.sources.iter() {
            if !source.published().await {
                return false;
            }
        }
        true
    }

    /// The imported EndpointSlices, of the zone of the cluster set; `None` without that zone.
    pub fn imported_slices(&self) -> Option<Cache<Object>> {
        let zone = self.sources.iter().find(|source| source.kind() == ZoneKind::ClusterSet);
        zone.map(|source| source.slices().clone())
    }

    /// Adds the age and the completeness of what is published to `registry`.
    pub fn register_metrics(&self, registry: &mut Registry) {
        metrics::register(self, registry);
    }

    /// Present problems of all services.
    pub fn problems(&self) -> Vec<(ZoneKind, ObjectKey, Problem)> {
        self.sources.iter().flat_map(|source| source.problems()).collect()
    }
}
