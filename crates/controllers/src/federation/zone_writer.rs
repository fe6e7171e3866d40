//! One zone at one provider: what it has, and the writes that bring it up to date.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::federation::DnsProvider;
use portolan_object::Object;
use portolan_plan::federation::dns::difference::{Conflict, Wanted, difference};
use portolan_plan::federation::dns::record::{Change, DomainName, NameError, RecordKey, RecordSet, Write};
use portolan_plan::federation::dns::registry::{Registry, owner_of};
use portolan_providers::built_in::Writers;
use portolan_providers::{Mode, ProviderError, Publisher};
use tokio::time::Instant;

use super::credentials::{CredentialsError, OwnTargets, publisher};

/// Time after which a zone is read again, so that what others changed in it is put right.
pub(super) const RESYNC: Duration = Duration::from_secs(60);

/// The writers of all zones, by the identity of their target.
#[derive(Default)]
pub(super) struct ZoneWriters(Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<ZoneWriter>>>>);

impl ZoneWriters {
    pub(super) fn of(&self, identity: &str) -> Arc<tokio::sync::Mutex<ZoneWriter>> {
        self.0.lock().entry(identity.to_owned()).or_default().clone()
    }

    pub(super) fn forget(&self, identity: &str) {
        self.0.lock().remove(identity);
    }
}

/// What is remembered of a zone.
#[derive(Default)]
pub(super) struct ZoneWriter {
    publisher: Option<(Settings, Publisher)>,
    known: Option<Known>,
    /// What was said of it last, so that it is not said again.
    pub(super) reported: BTreeSet<String>,
}

/// What the publisher was made from.
#[derive(PartialEq)]
struct Settings {
    provider: DnsProvider,
    /// Version of its Secret.
    secret: Option<String>,
    /// Who writes into the zone.
    writers: Writers,
}

/// The record sets of a zone.
struct Known {
    sets: BTreeMap<RecordKey, RecordSet>,
    read: Instant,
}

/// A name that changed.
#[derive(Debug)]
pub(super) struct Changed {
    /// What its records were for, as their mark says; empty if the mark stays as it is.
    pub(super) resource: String,
    pub(super) name: DomainName,
}

/// Result of bringing a zone up to date.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Names that changed.
    pub(super) changed: Vec<Changed>,
    /// Names that could not be changed, with the reason.
    pub(super) failed: BTreeMap<DomainName, ProviderError>,
    /// Names that are left alone.
    pub(super) conflicts: Vec<Conflict>,
}

/// Nothing could be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum ZoneError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

impl ZoneWriter {
    /// Takes over settings and credentials. Others than before may be for another server: the zone is read again.
    pub(super) async fn configure(
        &mut self,
        own: &OwnTargets,
        zone: &str,
        provider: &DnsProvider,
        secret: Option<&Object>,
    ) -> Result<(), CredentialsError> {
        let version = secret.map(|secret| format!("{} {}", secret.uid(), secret.resource_version()));
        let settings = Settings { provider: provider.clone(), secret: version, writers: own.writers.clone() };
        if self.publisher.as_ref().is_some_and(|(before, _)| *before == settings) {
            return Ok(());
        }
        self.publisher = None;
        self.known = None;
        self.publisher = Some((settings, publisher(own, zone, provider, secret).await?));
        Ok(())
    }

    /// Writes what differs from `wanted`. Reads the zone before if it was not read for a while.
    pub(super) async fn write(
        &mut self,
        zone: &DomainName,
        registry: &Registry,
        wanted: &[Wanted],
        is_clearing: bool,
    ) -> Result<Written, ZoneError> {
        let Some((_, publisher)) = &self.publisher else { return Err(CredentialsError::NoProvider.into()) };
        let known = match self.known.take() {
            Some(known) if known.read.elapsed() < RESYNC => known,
            _ => {
                let listed = publisher.list(zone).await;
                let sets = match listed {
                    Ok(sets) => sets,
                    Err(error) => {
                        // Another Federation may have withdrawn a zone that this process serves: a new publisher serves it again.
                        self.publisher = None;
                        return Err(error.into());
                    }
                };
                let sets = sets.into_iter().map(|set| (set.key(), set)).collect();
                Known { sets, read: Instant::now() }
            }
        };
        let listed = registry.read(known.sets.values().cloned().collect());
        let difference = difference(zone, registry, wanted, &listed);
        let mut written = Written { conflicts: difference.conflicts, ..Written::default() };
        let mut sets = known.sets;
        if !difference.changes.is_empty() {
            let report = publisher.publish(zone, &difference.changes, Mode::Write).await;
            for (change, result) in difference.changes.iter().zip(report.results) {
                match result {
                    Ok(()) => {
                        apply(change, &mut sets);
                        let marks = change.writes.iter().filter_map(|write| owner_of(write.set()));
                        let resource = marks.map(|owner| owner.resource).next().unwrap_or_default();
                        written.changed.push(Changed { resource, name: change.name.clone() });
                    }
                    Err(error) => drop(written.failed.insert(change.name.clone(), error)),
                }
            }
        }
        // After a failure the content of the zone is unknown until it is read again.
        if written.failed.is_empty() {
            publisher.complete(zone, is_clearing);
            self.known = Some(Known { sets, read: known.read });
        }
        Ok(written)
    }
}

/// What a change makes of the record sets of a zone.
fn apply(change: &Change, sets: &mut BTreeMap<RecordKey, RecordSet>) {
    for write in &change.writes {
        match write {
            Write::Put { set, .. } => drop(sets.insert(set.key(), set.clone())),
            Write::Delete(set) => drop(sets.remove(&set.key())),
        }
    }
}
