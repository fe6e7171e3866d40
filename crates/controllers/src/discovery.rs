//! Service discovery: exports of one member become imports in others.
//!
//! Endpoints go from the caches of the exporting members directly to the importing members, without an object on the
//! hub: the hub may be restarted, and never serves outdated endpoints. `portolan_plan::discovery` computes the desired
//! objects and conditions; this module watches and applies the differences.
//!
//! ```text
//! member A: ServiceExport, Service, EndpointSlice ─┬► queue of imports of B ─► plan ─► import, Service, slices in B
//!                                                  └► queue of exports of A ─► plan ─► conditions of the export
//! ```
//!
//! # From a ServiceExport to a DNS answer in another member
//!
//! | # | step | file |
//! | --- | --- | --- |
//! | 1 | The caches of member A receive a ServiceExport, a Service or an EndpointSlice. | `controllers/src/discovery/site.rs` |
//! | 2 | Their observers queue the service in every member: all of them after a changed export or Service, the importing ones after changed endpoints. | `controllers/src/discovery.rs` |
//! | 3 | Exporter of A: validates the export, and merges it with the exports of the other members. | `plan/src/discovery/{export,merge}.rs` |
//! | 4 | Exporter of A: writes the conditions of the ServiceExport. | `controllers/src/discovery/exporter.rs`, `plan/src/discovery/conditions.rs` |
//! | 5 | Importer of B: chooses the form of the import, explicit or of the set. | `controllers/src/discovery/importer.rs` |
//! | 6 | Importer of B: collects the exports of the set from a cache. | `controllers/src/discovery/{set_import,export_cache}.rs` |
//! | 7 | Plans the derived Service, the ServiceImport and the EndpointSlices. | `plan/src/discovery/set_import.rs` (of a set), `plan/src/discovery/explicit_import.rs` |
//! | 8 | Writes them to B, and puts each result into the cache of B. | `controllers/src/discovery/member_writer.rs` |
//! | 9 | DNS in B: the caches of B report the changed import or EndpointSlice. | `controllers/src/dns/source.rs` |
//! | 10 | Computes the records of the service. | `plan/src/dns/{import,endpoints}.rs` |
//! | 11 | Encodes the records, and replaces the snapshot of the zone. | `dns/src/{zones,zone,service,record_set}.rs` |
//! | 12 | A query looks up its name in the snapshot and copies the records into the answer. | `dns/src/{server,datagrams,respond}.rs` |

mod dispatcher;
mod explicit_import;
mod export_cache;
mod exporter;
mod exporter_names;
mod exporters_read;
mod held_services;
mod importer;
pub(crate) mod member_slices;
mod member_writer;
mod moving_traffic;
mod policy_status;
mod problems;
mod refusals;
mod set_exports;
mod set_import;
mod sightings;
mod site;
mod traffic;
mod withdrawal;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::RwLock;
use portolan_api::annotations::cluster::DRAINED;
use portolan_api::cluster::Cluster;
use portolan_api::inventory::ClusterProfile;
use portolan_api::networking::MultiClusterService;
use portolan_api::traffic::TrafficPolicy;
use portolan_net::{Clock, Shutdown};
use portolan_object::ObjectKey;
use portolan_runtime::members::MembershipChange;
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, ClusterName, EventRecorder, Member, Queue};

use crate::MANAGER;
use crate::hub::{ClusterSets, Hub, MembershipState};
use crate::multi_cluster_services::{Dispatches, Services};
use dispatcher::Dispatcher;
use export_cache::ExportCache;
use exporter::Exporter;
use exporters_read::not_ready_since;
use importer::Importer;
use problems::Problems;
use refusals::Refusals;
use sightings::Sightings;
use site::Site;
use traffic::{place, properties_changed, said};
use withdrawal::Withdrawals;

/// Concurrent reconciliations of imports per member.
const WORKERS_PER_MEMBER: usize = 4;

/// State of service discovery, shared by the controllers of all members.
struct Discovery {
    sites: RwLock<BTreeMap<ClusterName, Arc<Site>>>,
    /// Clusters of the hub. Endpoints of a listed cluster stay while it is unreachable.
    clusters: Cache<Cluster>,
    sets: ClusterSets,
    exports: ExportCache,
    refusals: Refusals,
    problems: Problems,
    services: Cache<MultiClusterService>,
    policies: Cache<TrafficPolicy>,
    /// Policies to report about.
    policy_reports: Queue<ObjectKey>,
    /// ClusterProfiles, which have the properties of the clusters.
    profiles: Cache<ClusterProfile>,
    dispatches: Dispatches,
    sightings: Sightings,
    withdrawals: Withdrawals,
    /// Clusters that are drained.
    drained: RwLock<BTreeSet<ClusterName>>,
    /// Events of Clusters in the hub.
    hub_events: EventRecorder,
    clock: Clock,
    scope: Shutdown,
}

/// Starts the controllers for every present and future member.
pub(crate) fn start(hub: &Hub, services: &Services, profiles: &Cache<ClusterProfile>) {
    let discovery = Arc::new(Discovery {
        sites: RwLock::new(BTreeMap::new()),
        clusters: hub.clusters.clone(),
        sets: hub.cluster_sets.clone(),
        exports: ExportCache::default(),
        refusals: Refusals::default(),
        problems: Problems::default(),
        services: services.cache.clone(),
        policies: Cache::<TrafficPolicy>::of_kind(&hub.client)
            .trim(|policy| policy.metadata.managed_fields.clear())
            .start(&hub.scope),
        policy_reports: hub.client.metrics().queue("traffic-policies", None),
        profiles: profiles.clone(),
        dispatches: services.dispatches.clone(),
        sightings: Sightings::default(),
        withdrawals: Withdrawals::default(),
        drained: RwLock::default(),
        hub_events: hub.events.clone(),
        clock: hub.clock.clone(),
        scope: hub.scope.clone(),
    });
    let joining = discovery.clone();
    hub.members.observe(move |change| match change {
        MembershipChange::Joined(member) => joining.join(member),
        MembershipChange::Left(name) => joining.leave(name),
    });
    let withdrawing = discovery.clone();
    hub.clusters.observe(move |change| {
        let cluster = ClusterName::new(change.key.name.as_str());
        withdrawing.note_drained(&cluster, change.new.as_deref());
        match &change.new {
            // An unjoined cluster: delete its endpoints in all other members.
            None => {
                withdrawing.queue_cluster(&cluster, []);
                withdrawing.queue_dispatches();
            }
            Some(new) => {
                let before = change.old.as_deref().and_then(not_ready_since);
                let drained = |cluster: &Cluster| cluster.metadata.annotation(DRAINED).map(str::to_owned);
                let was_drained = change.old.as_deref().and_then(drained);
                if change.old.as_deref().map(place) != Some(place(new)) {
                    withdrawing.queue_governed();
                }
                if before != not_ready_since(new) || was_drained != drained(new) {
                    withdrawing.queue_imports_from(&cluster);
                    withdrawing.queue_dispatches();
                }
            }
        }
    });
    policy_status::start(hub, &discovery);
    discovery.follow_properties();
    let deciding = discovery.clone();
    discovery.policies.observe(move |change| {
        if change.old.as_deref().map(said) != change.new.as_deref().map(said) {
            deciding.queue_in_namespace(&change.key.namespace);
        }
    });
    let dispatching = discovery.clone();
    services.cache.observe(move |change| {
        let seen =
            |service: &Arc<MultiClusterService>| (service.spec.clone(), service.metadata.is_deleting());
        if change.old.as_ref().map(seen) != change.new.as_ref().map(seen) {
            dispatching.queue_dispatch(&change.key);
        }
        if change.old.is_none() || change.new.is_none() {
            dispatching.report_policies_of(&change.key.namespace);
        }
    });
    spawn_until_stop(&hub.scope, withdrawal::run(discovery.clone()));
    let mut memberships = hub.cluster_sets.watch();
    spawn_until_stop(&hub.scope, async move {
        let mut before = discovery.membership_states();
        discovery.queue_everything();
        while memberships.changed().await.is_ok() {
            let after = discovery.membership_states();
            discovery.memberships_changed(&before, &after);
            before = after;
        }
    });
}

impl Discovery {
    /// Queues the services of TrafficPolicies when a property of a cluster changes.
    fn follow_properties(self: &Arc<Self>) {
        let discovery = Arc::downgrade(self);
        self.profiles.observe(move |change| {
            if properties_changed(change)
                && let Some(discovery) = discovery.upgrade()
            {
                discovery.queue_governed();
            }
        });
    }

    fn join(self: &Arc<Self>, member: &Arc<Member>) {
        let site = Arc::new(Site::new(member.clone()));
        self.sites.write().insert(member.name().clone(), site.clone());
        site.follow(self);
        let events = EventRecorder::new(member.client(), MANAGER, self.clock.clone(), member.scope());
        let importer = Arc::new(Importer::new(self, &site, events.clone()));
        portolan_runtime::driver::run(importer, site.imports_queue(), WORKERS_PER_MEMBER, member.scope());
        let exporter = Arc::new(Exporter { discovery: self.clone(), site: site.clone(), events });
        portolan_runtime::driver::run(exporter, site.exports_queue(), 1, member.scope());
        let dispatcher = Arc::new(Dispatcher::new(self, &site));
        portolan_runtime::driver::run(dispatcher, site.dispatch_queue(), WORKERS_PER_MEMBER, member.scope());

        let (discovery, mut discovered) = (self.clone(), member.watch_discovery());
        let mut held = member.hold().watch();
        spawn_until_stop(member.scope(), async move {
            loop {
                site.follow_types(&discovery);
                let synced = async {
                    site.synced().await;
                    // Passes before they are synced end early.
                    discovery.clusters.synced().await;
                    discovery.policies.synced().await;
                    discovery.profiles.synced().await;
                    discovery.services.synced().await;
                    discovery.site_synced(&site);
                    std::future::pending::<()>().await;
                };
                tokio::select! {
                    changed = discovered.changed() => if changed.is_err() { return },
                    // Passes of a member that is not held end early.
                    changed = held.changed() => if changed.is_err() { return },
                    () = synced => {}
                }
            }
        });
    }

    fn leave(&self, name: &ClusterName) {
        self.sites.write().remove(name);
        self.exports.invalidate_all();
        self.sightings.forget(name);
        self.dispatches.forget_member(name);
        self.withdrawals.forget(name);
        let concerned =
            self.refusals.forget_member(name).into_iter().chain(self.problems.forget_member(name));
        concerned.for_each(|service| self.queue_exporters(&service));
        self.report_policies();
    }

    fn all_sites(&self) -> Vec<Arc<Site>> {
        self.sites.read().values().cloned().collect()
    }

    fn site(&self, cluster: &ClusterName) -> Option<Arc<Site>> {
        self.sites.read().get(cluster).cloned()
    }

    /// Membership state of each member cluster.
    fn membership_states(&self) -> BTreeMap<ClusterName, MembershipState> {
        let clusters: Vec<ClusterName> = self.sites.read().keys().cloned().collect();
        clusters.into_iter().map(|cluster| (cluster.clone(), self.sets.state(&cluster))).collect()
    }

    /// Re-queues the services that depend on changed memberships.
    fn memberships_changed(
        &self,
        before: &BTreeMap<ClusterName, MembershipState>,
        after: &BTreeMap<ClusterName, MembershipState>,
    ) {
        let clusters: BTreeSet<&ClusterName> = before.keys().chain(after.keys()).collect();
        let changed: Vec<_> =
            clusters.into_iter().filter(|cluster| before.get(cluster) != after.get(cluster)).collect();
        match changed[..] {
            [] => {}
            [cluster] => {
                let states = [before.get(cluster), after.get(cluster)];
                self.queue_cluster(cluster, states.into_iter().flatten());
            }
            _ => self.queue_everything(),
        }
    }

    /// Re-queues the services of a member after its caches have synced.
    fn site_synced(&self, site: &Site) {
        let cluster = site.member().name();
        self.queue_cluster(cluster, [&self.sets.state(cluster)]);
        self.queue_dispatches();
        self.report_policies();
    }

    /// Re-queues services after a cluster joined, left, or changed its membership: in that cluster every service, and in
    /// other clusters every service that it exports or that has endpoints from it. Endpoints are found by the cluster's
    /// name and by its ids in `states`, the old and the new membership.
    fn queue_cluster<'a>(
        &self,
        cluster: &ClusterName,
        states: impl IntoIterator<Item = &'a MembershipState>,
    ) {
        self.exports.invalidate_all();
        let ids = states.into_iter().filter_map(id_of).map(str::to_owned);
        let names: BTreeSet<String> = ids.chain([cluster.to_string()]).collect();
        let sites = self.all_sites();
        let own = sites.iter().find(|site| site.member().name() == cluster);
        let exported = own.map(|site| site.exported()).unwrap_or_default();
        for site in &sites {
            if site.member().name() == cluster {
                site.queue_own();
                let everything = sites.iter().flat_map(|site| site.exported());
                everything.for_each(|key| site.imports_queue().add(key));
            } else {
                let imported = site.imported_from(&names);
                exported.iter().cloned().chain(imported).for_each(|key| site.imports_queue().add(key));
                // The conditions of an export depend on whether all members of the set are synced.
                site.queue_exports();
            }
        }
    }

    /// Re-queues every service in every member.
    fn queue_everything(&self) {
        self.exports.invalidate_all();
        let sites = self.all_sites();
        let exported: BTreeSet<ObjectKey> = sites.iter().flat_map(|site| site.exported()).collect();
        for site in &sites {
            site.queue_own();
            exported.iter().for_each(|key| site.imports_queue().add(key.clone()));
        }
    }

    /// Re-queues the services of one namespace in one member.
    fn queue_namespace(&self, site: &Site, namespace: &str) {
        self.queue_services(site, namespace, &self.exported_in(namespace));
    }

    /// Re-queues the services of one namespace in every member.
    fn queue_in_namespace(&self, namespace: &str) {
        let exported = self.exported_in(namespace);
        self.all_sites().iter().for_each(|site| self.queue_services(site, namespace, &exported));
    }

    /// Services of one namespace that any member exports.
    fn exported_in(&self, namespace: &str) -> BTreeSet<ObjectKey> {
        self.all_sites().iter().flat_map(|site| site.exported_in(namespace)).collect()
    }

    fn queue_services(&self, site: &Site, namespace: &str, exported: &BTreeSet<ObjectKey>) {
        let imported = site.imported_in(namespace);
        exported.iter().cloned().chain(imported).for_each(|key| site.imports_queue().add(key));
        site.exported_in(namespace).into_iter().for_each(|key| site.exports_queue().add(key));
        let services = self.services.keys_of_namespace(namespace);
        services.into_iter().for_each(|key| site.dispatch_queue().add(key));
    }

    /// Queues a service in every member that imports it, after its endpoints changed.
    fn queue_importers(&self, service: &ObjectKey) {
        for site in self.sites.read().values() {
            if site.imports_service(service) {
                site.imports_queue().add(service.clone());
            }
        }
    }

    /// Queues the conditions of every export of a service, after a member refused its endpoints or accepted them again.
    fn queue_exporters(&self, service: &ObjectKey) {
        for site in self.sites.read().values().filter(|site| site.exports_service(service)) {
            site.exports_queue().add(service.clone());
        }
    }

    /// Queues a service in every member, after its export or its Service changed: each import, and the conditions of
    /// each other export, may change.
    fn queue_service(&self, service: &ObjectKey) {
        self.exports.invalidate(service);
        for site in self.sites.read().values() {
            site.imports_queue().add(service.clone());
            if site.exports_service(service) {
                site.exports_queue().add(service.clone());
            }
        }
    }

    /// Members of a set: those with synced caches and their ids, and the ids of all others.
    fn members_of(&self, set: &str) -> (Vec<(Arc<Site>, String)>, BTreeSet<String>) {
        let (mut known, mut unknown) = (Vec::new(), BTreeSet::new());
        for (cluster, membership) in self.sets.members_of(set) {
            let site = self.site(&cluster).filter(|site| site.is_known());
            let has_joined = matches!(self.sets.state(&cluster), MembershipState::Member(_));
            match site.filter(|_| has_joined) {
                Some(site) => known.push((site, membership.id)),
                None => drop(unknown.insert(membership.id)),
            }
        }
        (known, unknown)
    }
}

/// The id of a cluster in its set.
fn id_of(state: &MembershipState) -> Option<&str> {
    match state {
        MembershipState::Unknown | MembershipState::NoSet => None,
        MembershipState::Pending(membership) | MembershipState::Member(membership) => Some(&membership.id),
    }
}
