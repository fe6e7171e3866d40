//! Brings the zones of one Federation up to date, and says how that went.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use parking_lot::Mutex;
use portolan_api::federation::{Federation, PublishedZone};
use portolan_api::names::SYSTEM_NAMESPACE;
use portolan_api::resources;
use portolan_object::{Object, ObjectKey};
use portolan_plan::federation::dns::difference::Wanted;
use portolan_plan::federation::dns::record::DomainName;
use portolan_plan::federation::dns::sharing::{Claim, OwnZone, claim, own_zone, taken, without_effect};
use portolan_plan::federation::dns::zones::{Target, Unnamed, problems, wanted};
use portolan_providers::ProviderError;
use portolan_providers::built_in::Writers;
use portolan_runtime::Queue;
use portolan_runtime::events::{Regarding, Severity};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::credentials::{OwnTargets, secret_of};
use super::observed::{Observed, Observer};
use super::zone_writer::{Written, ZoneError, ZoneWriter, ZoneWriters};

/// Event on a Service: names of it were written.
const PUBLISHED: &str = "RecordsPublished";
/// Event on a Service: names of it were deleted.
const DELETED: &str = "RecordsDeleted";
/// Event on a Service: a name of it cannot be written.
const NOT_PUBLISHED: &str = "RecordsNotPublished";
/// Event on a Federation: a zone cannot be written.
const ZONE_FAILED: &str = "ZoneFailed";

/// Time for which a pass waits for its zones.
const PATIENCE: Duration = Duration::from_secs(1);

/// The result for one zone.
pub(super) struct ZoneReport {
    /// As the status of the Federation has it.
    pub(super) zone: PublishedZone,
    /// Whether the zone is cleared and needs no entry any more.
    pub(super) is_cleared: bool,
}

/// What was to be written into a zone, and how that went.
struct Publication<'a> {
    zone: &'a str,
    wanted: &'a [Wanted],
    /// Services without a name in the zone.
    unnamed: &'a [Unnamed],
    written: &'a Written,
}

/// Writes records.
pub(super) struct Records {
    pub(super) observer: Observer,
    pub(super) writers: ZoneWriters,
    /// The Federations with zones that are still written when their pass has ended, by Federation and zone.
    running: Mutex<BTreeMap<String, JoinHandle<Option<ZoneReport>>>>,
    /// Receives a Federation when such a zone has ended.
    queue: Queue<ObjectKey>,
}

impl Records {
    pub(super) fn new(observer: Observer, queue: Queue<ObjectKey>) -> Self {
        Self { observer, writers: ZoneWriters::default(), running: Mutex::default(), queue }
    }

    /// Brings all zones up to date, at the same time. A zone that takes longer than [`PATIENCE`] goes on by itself, so that
    /// a provider that does not answer holds up no other zone: its report is the last one until it ends.
    pub(super) async fn publish(
        self: &Arc<Self>,
        federation: &Arc<Federation>,
        targets: &[Target],
        observed: &Arc<Observed>,
    ) -> Vec<ZoneReport> {
        join_all(targets.iter().map(|target| self.zone(federation, target, observed))).await
    }

    /// The report of a zone that has ended since the last pass, or that ends soon; the last one otherwise.
    async fn zone(
        self: &Arc<Self>,
        federation: &Arc<Federation>,
        target: &Target,
        observed: &Arc<Observed>,
    ) -> ZoneReport {
        // Two Federations can have the same target, of which one waits.
        let identity = format!("{} {}", federation.metadata.name, target.identity());
        let running = self.running.lock().remove(&identity);
        let mut task = match running {
            // What failed is reported, and tried again with a later pass. After a success there may be changes since then.
            Some(task) if task.is_finished() => match task.await {
                Ok(Some(report)) if !report.zone.message.is_empty() => return report,
                _ => self.start(federation, target, observed),
            },
            Some(task) => task,
            None => self.start(federation, target, observed),
        };
        match tokio::time::timeout(PATIENCE, &mut task).await {
            Ok(Ok(Some(report))) => report,
            // The task panicked, or the controllers stop.
            Ok(Ok(None) | Err(_)) => ZoneReport { zone: unanswered(federation, target), is_cleared: false },
            Err(_) => {
                self.running.lock().insert(identity, task);
                ZoneReport { zone: unanswered(federation, target), is_cleared: false }
            }
        }
    }

    fn start(
        self: &Arc<Self>,
        federation: &Arc<Federation>,
        target: &Target,
        observed: &Arc<Observed>,
    ) -> JoinHandle<Option<ZoneReport>> {
        let (records, federation) = (self.clone(), federation.clone());
        let (target, observed) = (target.clone(), observed.clone());
        self.observer.hub.scope.spawn(async move {
            let begun = Instant::now();
            let report = records.publish_zone(&federation, &target, &observed).await;
            if begun.elapsed() > PATIENCE {
                records.queue.add(federation.metadata.key());
            }
            report
        })
    }

    async fn publish_zone(
        &self,
        federation: &Federation,
        target: &Target,
        observed: &Observed,
    ) -> ZoneReport {
        let federations = self.observer.hub.federations.list();
        let mut zone = target.zone.clone();
        match claim(federation, target, &federations) {
            Claim::Own => {}
            Claim::HandedOver(_) => return ZoneReport { zone, is_cleared: true },
            Claim::Taken(other) => {
                zone.message = taken(&other);
                zone.record_sets = 0;
                return ZoneReport { zone, is_cleared: false };
            }
        }
        let (wanted, unnamed) = wanted(federation, target, &observed.clusters, &observed.services);
        let writer = self.writers.of(&target.identity());
        let mut writer = writer.lock().await;
        let own_zone = own_zone(target, &federations);
        let result = self.write(&mut writer, federation, target, own_zone.as_ref(), &wanted).await;
        let is_clearing = target.domains.is_empty();
        match result {
            // A zone that is not there has no records to delete.
            Err(ZoneError::Provider(ProviderError::NoZone { .. })) if is_clearing => {
                self.writers.forget(&target.identity());
                ZoneReport { zone, is_cleared: true }
            }
            Err(error) => {
                zone.message = error.to_string();
                self.report_zone(federation, &mut writer, &zone);
                ZoneReport { zone, is_cleared: false }
            }
            Ok(written) => {
                let failures: BTreeSet<String> = written.failed.values().map(ToString::to_string).collect();
                let mut failures: Vec<String> = failures.into_iter().collect();
                failures.extend(own_zone.as_ref().and_then(|own| self.without_effect(own)));
                zone.message = problems(&unnamed, &written.conflicts, &failures);
                let left: BTreeSet<&DomainName> =
                    written.failed.keys().chain(written.conflicts.iter().map(|one| &one.name)).collect();
                let there = wanted.iter().filter(|one| !left.contains(&one.set.name)).count();
                zone.record_sets = i64::try_from(there).unwrap_or(i64::MAX);
                let is_cleared = is_clearing && written.failed.is_empty();
                let publication = Publication {
                    zone: &target.zone.zone,
                    wanted: &wanted,
                    unnamed: &unnamed,
                    written: &written,
                };
                self.report_services(&mut writer, observed, &publication);
                if !failures.is_empty() {
                    self.report_zone(federation, &mut writer, &zone);
                }
                if is_cleared {
                    self.writers.forget(&target.identity());
                }
                ZoneReport { zone, is_cleared }
            }
        }
    }

    async fn write(
        &self,
        writer: &mut ZoneWriter,
        federation: &Federation,
        target: &Target,
        own_zone: Option<&OwnZone>,
        wanted: &[Wanted],
    ) -> Result<Written, ZoneError> {
        let provider = own_zone.map_or(&target.zone.provider, |own| &own.provider);
        let secret = secret_of(provider).and_then(|name| self.secret(name));
        let hub = &self.observer.hub;
        let all = own_zone.map(|own| own.writers.clone()).unwrap_or_default();
        let writers = Writers { this: federation.metadata.name.clone(), all };
        let own = OwnTargets { hub: hub.client.clone(), dns: hub.public_dns.clone(), writers };
        writer.configure(&own, &target.zone.zone, provider, secret.as_deref()).await?;
        let zone = DomainName::parse(&target.zone.zone)?;
        writer.write(&zone, &target.registry(), wanted, target.domains.is_empty()).await
    }

    /// What of the settings of a zone of our own server has no effect.
    fn without_effect(&self, zone: &OwnZone) -> Option<String> {
        let dns = self.observer.hub.public_dns.as_ref();
        let has_places = dns.is_some_and(|dns| dns.places().is_some());
        without_effect(zone, has_places)
    }

    fn secret(&self, name: &str) -> Option<Arc<Object>> {
        let key = ObjectKey::namespaced(SYSTEM_NAMESPACE, name);
        self.observer.pipeline.template(&resources::SECRET.gvk(), &key)
    }

    /// Emits an event on the federation for a failure that is new.
    fn report_zone(&self, federation: &Federation, writer: &mut ZoneWriter, zone: &PublishedZone) {
        let message = format!("zone {}: {}", zone.zone, zone.message);
        if writer.reported.insert(message.clone()) {
            let about = Regarding::kind(federation);
            self.observer.hub.events.record(about, Severity::Warning, ZONE_FAILED, message);
        }
    }

    /// Emits events on Services: for what changed, and for what cannot be written and was not said before.
    fn report_services(&self, writer: &mut ZoneWriter, observed: &Observed, publication: &Publication<'_>) {
        let Publication { zone, wanted, unnamed, written } = publication;
        let events = &self.observer.hub.events;
        let of_name: BTreeMap<&DomainName, &str> =
            wanted.iter().map(|one| (&one.set.name, one.resource.as_str())).collect();
        let mut changed: BTreeMap<(&str, bool), usize> = BTreeMap::new();
        for one in &written.changed {
            let wanted = of_name.get(&one.name);
            let resource = wanted.copied().unwrap_or(&one.resource);
            *changed.entry((resource, wanted.is_none())).or_default() += 1;
        }
        for ((resource, is_deleted), count) in changed {
            let Some(service) = observed.templates.get(resource) else { continue };
            let names = if count == 1 { "name" } else { "names" };
            let (reason, what) = if is_deleted { (DELETED, "deleted") } else { (PUBLISHED, "written") };
            let message = format!("{count} {names} {what} in zone {zone}");
            events.success(Regarding::object(service), reason, message);
        }
        let unnamed = unnamed.iter().map(|one| (one.resource.as_str(), one.error.to_string()));
        let conflicts = written.conflicts.iter().map(|one| (one.resource.as_str(), one.to_string()));
        let troubles: Vec<(&str, String)> = unnamed.chain(conflicts).collect();
        let said: BTreeSet<String> =
            troubles.iter().map(|(resource, message)| format!("{resource}: {message}")).collect();
        for (resource, message) in troubles {
            let is_new = !writer.reported.contains(&format!("{resource}: {message}"));
            if let Some(service) = observed.templates.get(resource).filter(|_| is_new) {
                events.record(Regarding::object(service), Severity::Warning, NOT_PUBLISHED, message);
            }
        }
        writer.reported = said;
    }
}

/// The status of a zone that has not answered in this pass: as it was.
fn unanswered(federation: &Federation, target: &Target) -> PublishedZone {
    let place = |zone: &PublishedZone| (zone.zone.clone(), zone.provider.clone(), zone.owner.clone());
    let known = federation.status.zones.iter().find(|zone| place(zone) == place(&target.zone));
    let mut zone = known.unwrap_or(&target.zone).clone();
    if zone.message.is_empty() {
        "it has not answered yet; it is tried until it does".clone_into(&mut zone.message);
    }
    zone
}
