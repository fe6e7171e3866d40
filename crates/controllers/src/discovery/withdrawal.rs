//! Decides for each importing member which exporters it uses: collects the facts, asks API servers of suspected clusters, and
//! queues the imports that change.
//!
//! `portolan_plan::discovery::withdrawal` decides. The decisions survive a restart in the marks of the imported EndpointSlices.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::labels::endpoint_slice::SOURCE_CLUSTER;
use portolan_api::probes::Sight;
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::http_probe;
use portolan_plan::discovery::probing::service_of;
use portolan_plan::discovery::usage::Usage;
use portolan_plan::discovery::withdrawal::{Cause, Contact, Decision, Facts, Timing};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{ClientError, ClusterName};
use tokio::sync::Notify;

use super::Discovery;
use super::exporter_names::ExporterNames;
use super::sightings::{Failing, MAX_AGE};
use super::site::Site;

/// Time for an API server to answer before the contact counts as lost.
const CONTACT_TIMEOUT: Duration = Duration::from_secs(1);
/// Time between two questions to one API server, and between two looks while something is in doubt.
const TICK: Duration = Duration::from_millis(250);
/// Time between two looks otherwise: results of agents grow old.
const IDLE_TICK: Duration = Duration::from_secs(3);

/// A decision, and since when it has held.
#[derive(Debug, Clone, Default)]
struct Held {
    decision: Decision,
    since: String,
}

/// How an imported EndpointSlice was used by an earlier run.
struct Mark<'a> {
    slice: &'a Object,
    source: &'a str,
    is_probed: bool,
    is_withdrawn: bool,
}

impl<'a> Mark<'a> {
    fn of_slice(slice: &'a Object) -> Option<Self> {
        Some(Self {
            slice,
            source: slice.label(SOURCE_CLUSTER)?,
            is_probed: http_probe::of_slice(slice).is_some(),
            is_withdrawn: Usage::of_slice(slice) == Usage::Withdraw,
        })
    }
}

/// The decisions, by importing cluster and label of the exporter.
#[derive(Default)]
pub(super) struct Withdrawals {
    decisions: Mutex<BTreeMap<(ClusterName, String), Held>>,
    /// Members with imported EndpointSlices that were looked at for decisions of an earlier run.
    inherited: Mutex<BTreeSet<ClusterName>>,
    contacts: Mutex<BTreeMap<ClusterName, Contact>>,
    /// Imports with endpoints that fail their HTTP probe, by importing cluster.
    failing: Mutex<BTreeSet<(ClusterName, Failing)>>,
    /// Those that marks of an earlier run show. They hold until an agent tells more, and no longer than until this time.
    inherited_failing: Mutex<BTreeMap<(ClusterName, Failing), Duration>>,
    asking: Mutex<BTreeSet<ClusterName>>,
    changed: Notify,
}

impl Withdrawals {
    /// Something about the facts has changed.
    pub(super) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Forgets a member that left.
    pub(super) fn forget(&self, cluster: &ClusterName) {
        self.decisions.lock().retain(|(importer, _), _| importer != cluster);
        self.inherited.lock().remove(cluster);
        self.inherited_failing.lock().retain(|(importer, _), _| importer != cluster);
        self.contacts.lock().remove(cluster);
    }

    /// The clusters, by label, with endpoints of a service that fail their HTTP probe in an importing cluster.
    pub(super) fn failing(&self, importer: &ClusterName, service: &ObjectKey) -> BTreeSet<String> {
        let failing = self.failing.lock();
        let of_service = failing.iter().filter(|(cluster, (key, _))| cluster == importer && key == service);
        of_service.map(|(_, (_, source))| source.clone()).collect()
    }

    fn is_pending(&self) -> bool {
        !self.inherited_failing.lock().is_empty()
            || self
                .decisions
                .lock()
                .values()
                .any(|held| held.decision.is_pending() || held.decision.withdrawn.is_some())
    }
}

/// Follows the facts until the control plane stops.
pub(super) async fn run(discovery: Arc<Discovery>) {
    loop {
        let suspects = discovery.suspects();
        discovery.ask(&suspects);
        discovery.decide();
        let is_quiet = suspects.is_empty() && !discovery.withdrawals.is_pending();
        let pause = if is_quiet { IDLE_TICK } else { TICK };
        // Agents wake it only when one of them sees a cluster in another way than before.
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = discovery.withdrawals.changed.notified() => {}
        }
    }
}

impl Discovery {
    /// Why exporters do not answer in a member, and since when, by the label of their EndpointSlices.
    pub(super) fn withdrawn(&self, site: &Site) -> BTreeMap<String, (Cause, String)> {
        self.inherit(site);
        let importer = site.member().name();
        let decisions = self.withdrawals.decisions.lock();
        let of_importer = decisions.iter().filter(|((cluster, _), _)| cluster == importer);
        let withdrawn = of_importer.filter_map(|((_, source), held)| {
            Some((source.clone(), (held.decision.withdrawn?, held.since.clone())))
        });
        withdrawn.collect()
    }

    /// Whether the API server of a cluster does not answer, and no agent tells whether its endpoints do.
    pub(super) fn is_unseen(&self, cluster: &ClusterName) -> bool {
        let (recent, names) = (self.sightings.recent(self.clock.elapsed()), self.exporter_names());
        !recent
            .iter()
            .any(|(importer, seen)| seen.keys().any(|source| names.cluster(importer, source) == *cluster))
    }

    /// Takes over the decisions that imported EndpointSlices of a synced member show, once.
    fn inherit(&self, site: &Site) {
        let importer = site.member().name();
        if !site.is_synced() || !self.withdrawals.inherited.lock().insert(importer.clone()) {
            return;
        }
        let slices = site.slice_cache().list();
        let marks = slices.iter().filter_map(|slice| Mark::of_slice(slice));
        let (probed, others): (Vec<Mark<'_>>, Vec<Mark<'_>>) = marks.partition(|mark| mark.is_probed);
        let is_alone = |mark: &&Mark<'_>| !others.iter().any(|other| other.source == mark.source);
        // Endpoints that fail their HTTP probe have the same mark: what is probed in other ways tells of the cluster.
        let dead = others.iter().chain(probed.iter().filter(is_alone)).filter(|mark| mark.is_withdrawn);
        let mut decisions = self.withdrawals.decisions.lock();
        for mark in dead {
            decisions.entry((importer.clone(), mark.source.to_owned())).or_insert_with(|| Held {
                decision: Decision::inherited(Usage::Withdraw),
                since: crate::time::rfc3339(&self.clock),
            });
        }
        let until = self.clock.elapsed() + MAX_AGE;
        let failing = probed.iter().filter(|mark| mark.is_withdrawn);
        let failing = failing.filter_map(|mark| Some((service_of(mark.slice)?, mark.source.to_owned())));
        let mut inherited = self.withdrawals.inherited_failing.lock();
        inherited.extend(failing.map(|failing| ((importer.clone(), failing), until)));
    }

    /// Clusters that an agent sees less than well, and those with withdrawn endpoints.
    fn suspects(&self) -> BTreeSet<ClusterName> {
        let decisions = self.withdrawals.decisions.lock();
        let withdrawn =
            decisions.iter().filter(|(_, held)| held.decision.withdrawn.is_some()).map(|(key, _)| key);
        let suspects: BTreeSet<(ClusterName, String)> =
            withdrawn.cloned().chain(self.sightings.suspects(self.clock.elapsed())).collect();
        drop(decisions);
        let names = self.exporter_names();
        suspects.iter().map(|(importer, source)| names.cluster(importer, source)).collect()
    }

    /// Asks the API servers of suspected clusters, each once at a time.
    fn ask(self: &Arc<Self>, suspects: &BTreeSet<ClusterName>) {
        self.withdrawals.contacts.lock().retain(|cluster, _| suspects.contains(cluster));
        for cluster in suspects {
            let Some(site) = self.site(cluster) else { continue };
            if !self.withdrawals.asking.lock().insert(cluster.clone()) {
                continue;
            }
            let (discovery, cluster, client) =
                (self.clone(), cluster.clone(), site.member().client().clone());
            spawn_until_stop(&self.scope, async move {
                let contact = match client.with_timeout(CONTACT_TIMEOUT).text("/livez").await {
                    // Every answer of the server is contact, also a refusal.
                    Err(ClientError::Unreachable { .. }) => Contact::Lost,
                    _ => Contact::Present,
                };
                let before = discovery.withdrawals.contacts.lock().insert(cluster.clone(), contact);
                if before != Some(contact) {
                    discovery.withdrawals.wake();
                }
                tokio::time::sleep(TICK).await;
                discovery.withdrawals.asking.lock().remove(&cluster);
            });
        }
    }

    /// Decides again about every exporter that an agent sees or that is withdrawn.
    fn decide(self: &Arc<Self>) {
        for site in self.all_sites() {
            self.inherit(&site);
        }
        let (now, names) = (self.clock.elapsed(), self.exporter_names());
        let recent = self.sightings.recent(now);
        let mut sights: BTreeMap<ClusterName, Vec<(&ClusterName, Sight)>> = BTreeMap::new();
        for (importer, seen) in &recent {
            for (source, sight) in seen {
                sights.entry(names.cluster(importer, source)).or_default().push((importer, *sight));
            }
        }
        let mut pairs: BTreeSet<(ClusterName, String)> =
            self.withdrawals.decisions.lock().keys().cloned().collect();
        pairs.extend(self.sightings.pairs());
        pairs.extend(self.pairs_without_agent(&names, &sights));
        let mut changed = BTreeSet::new();
        for (importer, source) in pairs {
            let exporter = names.cluster(&importer, &source);
            let others = sights.get(&exporter).into_iter().flatten().filter(|(other, _)| **other != importer);
            let facts = Facts {
                own: recent.get(&importer).and_then(|seen| seen.get(&source)).copied(),
                has_agent: self.sightings.has_agent(&importer),
                others: others.map(|(_, sight)| *sight).collect(),
                contact: self.withdrawals.contacts.lock().get(&exporter).copied().unwrap_or_default(),
            };
            if self.decide_one((importer.clone(), source), &exporter, &facts, now) {
                changed.insert((importer, exporter));
            }
        }
        self.follow_failing(now);
        for (importer, exporter) in changed {
            self.report_withdrawn(&importer);
            self.queue_imports_of(&importer, &exporter);
            self.queue_exports_of(&exporter);
        }
    }

    /// Queues the services with endpoints that begin or cease to fail their HTTP probe.
    fn follow_failing(&self, now: Duration) {
        let mut failing = self.sightings.failing(now);
        let mut inherited = self.withdrawals.inherited_failing.lock();
        inherited.retain(|(importer, _), until| now < *until && !self.sightings.is_recent(importer, now));
        failing.extend(inherited.keys().cloned());
        drop(inherited);
        let before = std::mem::replace(&mut *self.withdrawals.failing.lock(), failing.clone());
        for (importer, (service, source)) in before.symmetric_difference(&failing) {
            let fails = failing.contains(&(importer.clone(), (service.clone(), source.clone())));
            tracing::info!(%importer, exporter = source, %service, fails, "HTTP probes of endpoints");
            let Some(site) = self.site(importer) else { continue };
            site.imports_queue().add(service.clone());
            site.dispatch_queue().add(service.clone());
            let exporting = self.all_sites().into_iter().filter(|site| site.exports_service(service));
            exporting.for_each(|site| site.exports_queue().add(service.clone()));
        }
    }

    /// Importing members without an agent, each with the exporters that agents of others do not see.
    fn pairs_without_agent(
        &self,
        names: &ExporterNames,
        sights: &BTreeMap<ClusterName, Vec<(&ClusterName, Sight)>>,
    ) -> BTreeSet<(ClusterName, String)> {
        let is_failed = |seen: &Vec<(&ClusterName, Sight)>| seen.iter().any(|(_, sight)| sight.is_failed());
        let failed: BTreeSet<&ClusterName> =
            sights.iter().filter(|(_, seen)| is_failed(seen)).map(|(exporter, _)| exporter).collect();
        let mut pairs = BTreeSet::new();
        if failed.is_empty() {
            return pairs;
        }
        for site in self.all_sites() {
            let importer = site.member().name();
            if self.sightings.has_agent(importer) {
                continue;
            }
            for slice in site.slice_cache().list() {
                let Some(source) = slice.label(SOURCE_CLUSTER) else { continue };
                if failed.contains(&names.cluster(importer, source)) {
                    pairs.insert((importer.clone(), source.to_owned()));
                }
            }
        }
        pairs
    }

    /// Decides about one exporter. True if its endpoints are to be used in another way than before.
    fn decide_one(
        &self,
        key: (ClusterName, String),
        exporter: &ClusterName,
        facts: &Facts,
        now: Duration,
    ) -> bool {
        let mut decisions = self.withdrawals.decisions.lock();
        let before = decisions.get(&key).cloned().unwrap_or_default();
        let decision = before.decision.next(facts, &Timing::default(), now);
        if decision == Decision::default() {
            decisions.remove(&key);
            return false;
        }
        let is_changed = decision.usage() != before.decision.usage();
        let since = if is_changed { crate::time::rfc3339(&self.clock) } else { before.since };
        decisions.insert(key.clone(), Held { decision, since });
        drop(decisions);
        if is_changed {
            self.tell(&key.0, exporter, &decision);
        }
        is_changed
    }

    /// Tells of a changed decision: in the log, and as an Event of the exporting Cluster.
    fn tell(&self, importer: &ClusterName, exporter: &ClusterName, decision: &Decision) {
        let Some(cluster) = self.clusters.get(&ObjectKey::cluster(exporter.as_str())) else { return };
        let regarding = Regarding::kind(&*cluster);
        match decision.withdrawn {
            Some(cause) => {
                let message =
                    format!("cluster {importer} does not use the endpoints of cluster {exporter}: {cause}");
                tracing::warn!(%importer, %exporter, "{message}");
                self.hub_events.record(regarding, Severity::Warning, "EndpointsWithdrawn", message);
            }
            None => {
                let message =
                    format!("cluster {importer} uses the endpoints of cluster {exporter} again: they answer");
                tracing::info!(%importer, %exporter, "{message}");
                self.hub_events.record(regarding, Severity::Normal, "EndpointsUsed", message);
            }
        }
    }

    fn report_withdrawn(&self, importer: &ClusterName) {
        let decisions = self.withdrawals.decisions.lock();
        let withdrawn = decisions
            .iter()
            .filter(|((cluster, _), held)| cluster == importer && held.decision.withdrawn.is_some());
        let count = withdrawn.count();
        drop(decisions);
        if let Some(site) = self.site(importer) {
            site.member().client().metrics().set_withdrawn_exporters(importer, count);
        }
    }

    /// Queues what `importer` imports from `exporter`.
    fn queue_imports_of(&self, importer: &ClusterName, exporter: &ClusterName) {
        let Some(site) = self.site(importer) else { return };
        let mut names = BTreeSet::from([exporter.to_string()]);
        names.extend(self.sets.membership(exporter).map(|membership| membership.id));
        site.imported_from(&names).into_iter().for_each(|key| site.imports_queue().add(key));
        self.services.keys().into_iter().for_each(|key| site.dispatch_queue().add(key));
    }

    /// Queues the conditions of the exports of a cluster, which say who does not use them.
    fn queue_exports_of(&self, exporter: &ClusterName) {
        if let Some(site) = self.site(exporter) {
            site.queue_exports();
        }
    }
}
