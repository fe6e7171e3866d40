//! Follows the objects of one cluster and publishes the DNS records that come of them.
//!
//! Only the cluster's own objects are read: what it imports is there already, so look-ups go on when the hub is away,
//! and with the last state when its own API server is. Which records exist is decided by `portolan_plan::dns`; who
//! answers with them is the affair of the [`RecordSink`].
//!
//! ```text
//! ServiceImport ─┐                                  ┌─ one service at a time
//! Service ───────┼─► caches ─► changed services ─► plan::dns ─► RecordSink
//! EndpointSlice ─┘
//! ```

mod contact;
mod source;

use std::sync::Arc;
use std::time::Duration;

use portolan_net::{Clock, Shutdown};
use portolan_object::ObjectKey;
use portolan_plan::dns::{Problem, RecordSink, ZoneKind};
use portolan_runtime::Client;
use portolan_runtime::cache::Caches;

use contact::Contact;
use source::Source;

/// One zone to keep filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// From which objects.
    pub kind: ZoneKind,
    /// Its name, without a final dot; names that become too long under it are left out.
    pub name: String,
}

impl Zone {
    /// The zone under its usual name.
    pub fn new(kind: ZoneKind) -> Self {
        Self { kind, name: kind.default_zone().to_owned() }
    }
}

/// Caches that hold no more than records are made of, for a program that does nothing else.
pub fn caches(client: &Client, scope: &Shutdown) -> Caches {
    Caches::trimmed(client, scope, source::trim_slice)
}

/// How much is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Why the first state is not complete yet; `None` once it was.
    pub waiting_for: Option<String>,
    /// Why there is no contact with the API server now.
    pub trouble: Option<String>,
    /// Time since the state was last known to be the newest.
    pub age: Duration,
}

/// Keeps zones filled; a clone is the same one. It ends with the scope it was started in.
#[derive(Clone)]
pub struct Follower {
    sources: Arc<[Arc<Source>]>,
    contact: Arc<Contact>,
}

impl Follower {
    /// Starts to follow the cluster behind `caches`.
    pub fn start(
        caches: &Caches,
        zones: &[Zone],
        sink: &Arc<impl RecordSink>,
        clock: &Clock,
        scope: &Shutdown,
    ) -> Self {
        let start = |zone: &Zone| Source::start(caches, zone, sink.clone(), scope);
        let sources: Arc<[Arc<Source>]> = zones.iter().map(start).collect();
        let contact = Contact::start(sources.clone(), clock, scope);
        Self { sources, contact }
    }

    /// How much is known now.
    pub fn state(&self) -> State {
        State {
            waiting_for: self.sources.iter().find_map(|source| source.waiting_for()),
            trouble: self.sources.iter().find_map(|source| source.trouble()),
            age: self.contact.age(),
        }
    }

    /// Waits until every zone has been published once. False when the scope ended before.
    pub async fn synced(&self) -> bool {
        for source in self.sources.iter() {
            if !source.published().await {
                return false;
            }
        }
        true
    }

    /// Everything that has no records although it should, by service.
    pub fn problems(&self) -> Vec<(ZoneKind, ObjectKey, Problem)> {
        self.sources.iter().flat_map(|source| source.problems()).collect()
    }
}
