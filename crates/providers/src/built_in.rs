//! The DNS server of the control plane itself, and NOTIFY to its secondaries.
//!
//! Several Federations can write into one zone: it has the settings of one of them, is answered when all have written, and is served
//! until the last one has left.

mod notifier;
mod shares;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
pub use portolan_dns::Zones;
use portolan_dns::public::PublicZoneError;
pub use portolan_dns::public::places::{Coordinates, PlaceDatabase, PlacedRegion, Places};
pub use portolan_dns::public::{NameServer, Nearness, PublicZoneSettings, Transfers};
use portolan_net::{Clock, Shutdown};
use portolan_plan::federation::dns::record::{Change, DomainName, RecordKey, RecordSet, Write};

use crate::error::ProviderError;
use crate::provider::{Limits, Provider};
use notifier::Notifier;
use shares::{Next, Shares};

/// The server in messages.
const SERVER: &str = "the DNS server of the control plane";
/// Writes of one batch: one change of the zone, which secondaries get as a whole.
const WRITES_PER_BATCH: usize = 10_000;

/// The zones of the server of this process.
#[derive(Clone)]
pub struct PublicDns {
    zones: Arc<Zones>,
    clock: Clock,
    notifier: Notifier,
    shares: Arc<Shares>,
    places: Option<Arc<PlaceDatabase>>,
}

impl fmt::Debug for PublicDns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicDns").finish_non_exhaustive()
    }
}

impl PublicDns {
    /// The zones that the server answers from, the clock of their serial numbers, and the scope that ends the NOTIFY messages.
    pub fn new(zones: Arc<Zones>, clock: Clock, scope: Shutdown) -> Self {
        Self { zones, clock, notifier: Notifier::new(scope), shares: Arc::default(), places: None }
    }

    /// With a database of places, for the regions of clients.
    #[must_use]
    pub fn with_places(mut self, places: Option<Arc<PlaceDatabase>>) -> Self {
        self.places = places;
        self
    }

    /// The zones that the server answers from.
    pub fn zones(&self) -> &Arc<Zones> {
        &self.zones
    }

    /// The database of places, if there is one.
    pub fn places(&self) -> Option<&Arc<PlaceDatabase>> {
        self.places.as_ref()
    }

    /// Notes that serial numbers of a zone below `floor` may have been used before this process started. Counts once.
    pub fn begin(&self, zone: &DomainName, floor: u32) {
        self.shares.begin(zone, floor);
    }

    /// The serial number of the next change of a zone.
    ///
    /// It is the time in seconds since 1970, or the next number where changes came faster or the clock went back. Secondaries
    /// compare the low 32 bits (RFC 1982).
    pub fn next_serial(&self, zone: &DomainName) -> u32 {
        let seconds = self.clock.now().as_second();
        let now = u32::try_from(seconds.rem_euclid(1 << 32)).unwrap_or_default();
        let after = self.zones.public_serial(zone).map_or(0, |serial| serial.wrapping_add(1));
        now.max(after).max(self.shares.floor(zone))
    }
}

/// Who writes into a zone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Writers {
    /// This writer.
    pub this: String,
    /// All writers; without `this` when it leaves the zone.
    pub all: BTreeSet<String>,
}

/// One zone of the server.
#[derive(Debug)]
pub struct BuiltIn {
    dns: PublicDns,
    settings: PublicZoneSettings,
    secondaries: Vec<SocketAddr>,
    writers: Writers,
}

impl BuiltIn {
    /// Serves the zone. Queries for it are answered when it has all records of all writers, see [`Provider::complete`].
    ///
    /// # Errors
    /// When the settings have no name server, or a name that does not fit into a record.
    pub fn new(
        dns: PublicDns,
        settings: PublicZoneSettings,
        secondaries: Vec<SocketAddr>,
        writers: Writers,
    ) -> Result<Self, ProviderError> {
        let built_in = Self { dns, settings, secondaries, writers };
        let serial = built_in.serial();
        built_in.dns.zones.serve_public(&built_in.settings, serial).map_err(failure)?;
        // Also when the zone's own records stay: a secondary or its key may be new.
        if built_in.dns.zones.is_public_complete(&built_in.settings.name) {
            built_in.notify();
        }
        Ok(built_in)
    }

    fn serial(&self) -> u32 {
        self.dns.next_serial(&self.settings.name)
    }

    fn change(&self, zone: &DomainName, batch: &[Change]) -> Result<(), ProviderError> {
        let mut names: BTreeMap<DomainName, BTreeMap<RecordKey, RecordSet>> = BTreeMap::new();
        for write in batch.iter().flat_map(|change| &change.writes) {
            let name = &write.set().name;
            let sets = names.entry(name.clone()).or_insert_with(|| {
                let sets = self.dns.zones.public_sets_at(zone, name).into_iter();
                sets.map(|set| (set.key(), set)).collect()
            });
            match write {
                Write::Put { set, .. } => drop(sets.insert(set.key(), set.clone())),
                Write::Delete(set) => drop(sets.remove(&set.key())),
            }
        }
        let names = names.into_iter().map(|(name, sets)| (name, sets.into_values().collect())).collect();
        let is_changed = self.dns.zones.change_public(zone, names, self.serial()).map_err(failure)?;
        // While the zone is not complete, secondaries would get no copy; `complete` tells them.
        if is_changed && self.dns.zones.is_public_complete(zone) {
            self.notify();
        }
        Ok(())
    }

    fn notify(&self) {
        let key = self.settings.transfers.as_ref().and_then(|transfers| transfers.key.clone());
        for secondary in &self.secondaries {
            self.dns.notifier.tell(&self.settings.name, *secondary, key.clone());
        }
    }
}

fn failure(error: PublicZoneError) -> ProviderError {
    ProviderError::ServerFailure { server: SERVER.to_owned(), reason: error.to_string() }
}

impl Provider for BuiltIn {
    fn name(&self) -> &'static str {
        "built-in"
    }

    fn limits(&self) -> Limits {
        Limits { size_per_batch: WRITES_PER_BATCH, interval: Duration::ZERO, is_atomic: true }
    }

    fn list<'a>(&'a self, zone: &'a DomainName) -> BoxFuture<'a, Result<Vec<RecordSet>, ProviderError>> {
        async move { self.dns.zones.public_sets(zone).map_err(failure) }.boxed()
    }

    fn apply<'a>(
        &'a self,
        zone: &'a DomainName,
        batch: &'a [Change],
    ) -> BoxFuture<'a, Vec<Result<(), ProviderError>>> {
        async move { vec![self.change(zone, batch); batch.len()] }.boxed()
    }

    fn complete(&self, zone: &DomainName, is_cleared: bool) {
        let Writers { this, all } = &self.writers;
        match self.dns.shares.written(zone, this, is_cleared, all) {
            Next::Wait => {}
            Next::Answer => {
                if self.dns.zones.complete_public(zone) {
                    self.notify();
                }
            }
            Next::Withdraw => {
                let is_empty = self.dns.zones.public_sets(zone).is_ok_and(|sets| sets.is_empty());
                if is_empty {
                    // Secondaries may hold the number; the zone may come back.
                    self.dns.shares.used(zone, self.serial());
                    self.dns.zones.withdraw_public(zone);
                }
            }
        }
    }
}
