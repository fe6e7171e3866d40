//! The DNS server of the control plane itself, and NOTIFY to its secondaries.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
pub use portolan_dns::Zones;
use portolan_dns::public::PublicZoneError;
use portolan_dns::public::notify::notify;
pub use portolan_dns::public::{NameServer, Nearness, PublicZoneSettings, Transfers};
use portolan_net::{Clock, Shutdown};
use portolan_plan::federation::dns::record::{Change, DomainName, RecordKey, RecordSet, Write};

use crate::error::ProviderError;
use crate::provider::{Limits, Provider};

/// The server in messages.
const SERVER: &str = "the DNS server of the control plane";
/// Writes of one batch: one change of the zone, which secondaries get as a whole.
const WRITES_PER_BATCH: usize = 10_000;

/// The zones of the server of this process.
#[derive(Clone)]
pub struct PublicDns {
    /// The zones that the server answers from.
    pub zones: Arc<Zones>,
    /// The clock that serial numbers come from.
    pub clock: Clock,
    /// Ends the NOTIFY messages.
    pub scope: Shutdown,
}

impl fmt::Debug for PublicDns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicDns").finish_non_exhaustive()
    }
}

/// One zone of the server.
#[derive(Debug)]
pub struct BuiltIn {
    dns: PublicDns,
    settings: PublicZoneSettings,
    secondaries: Vec<SocketAddr>,
}

impl BuiltIn {
    /// Serves the zone. Queries for it are answered when it has all its records, see [`Provider::complete`].
    ///
    /// # Errors
    /// When the settings have no name server, or a name that does not fit into a record.
    pub fn new(
        dns: PublicDns,
        settings: PublicZoneSettings,
        secondaries: Vec<SocketAddr>,
    ) -> Result<Self, ProviderError> {
        let built_in = Self { dns, settings, secondaries };
        built_in.dns.zones.serve_public(&built_in.settings, built_in.serial()).map_err(failure)?;
        Ok(built_in)
    }

    /// Seconds since 1970: greater than every earlier one, also after a restart (RFC 1982 compares the low 32 bits).
    fn serial(&self) -> u32 {
        let seconds = self.dns.clock.now().as_second();
        u32::try_from(seconds.rem_euclid(1 << 32)).unwrap_or_default()
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
            self.notify(zone);
        }
        Ok(())
    }

    fn notify(&self, zone: &DomainName) {
        let key = self.settings.transfers.as_ref().and_then(|transfers| transfers.key.clone());
        for secondary in self.secondaries.clone() {
            let (zone, key) = (zone.clone(), key.clone());
            // The scope ends it; nothing waits for it.
            let _handle = self.dns.scope.spawn(async move {
                if let Err(error) = notify(&zone, secondary, key.as_ref()).await {
                    tracing::warn!(%zone, %error, "a secondary name server was not told of a change");
                }
            });
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
        let is_empty = || self.dns.zones.public_sets(zone).is_ok_and(|sets| sets.is_empty());
        if is_cleared && is_empty() {
            self.dns.zones.withdraw_public(zone);
        } else if self.dns.zones.complete_public(zone) {
            self.notify(zone);
        }
    }
}
