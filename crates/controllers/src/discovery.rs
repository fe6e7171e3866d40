//! Services across clusters: what one member exports and others import.
//!
//! Endpoints go from the caches of the exporting members straight to the importing ones; no object in between is
//! written, so the hub can be away or restarted and never serves old endpoints. What an importing member must have, and
//! what exports say of themselves, is decided by `portolan_plan::discovery`; this module watches and applies the
//! difference.
//!
//! ```text
//! member A: ServiceExport, Service, EndpointSlice ─► fan out ─► queue of member B ─► plan ─► import, Service, slices
//!                                                      └──────► queue of exports of A ────► conditions
//! ```

mod explicit;
mod exporter;
mod importer;
mod of_set;
mod offered;
mod site;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::RwLock;
use portolan_api::cluster::Cluster;
use portolan_net::Clock;
use portolan_object::ObjectKey;
use portolan_runtime::members::MembershipChange;
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, ClusterName, EventRecorder, Member};

use crate::MANAGER;
use crate::cluster_sets::{ClusterSets, Standing};
use crate::hub::Hub;
use exporter::Exporter;
use importer::Importer;
use offered::Offered;
use site::Site;

/// Passes over imports of one member at a time.
const WORKERS_PER_MEMBER: usize = 4;

/// All members as exporters and importers.
struct Discovery {
    sites: RwLock<BTreeMap<ClusterName, Arc<Site>>>,
    /// The Cluster objects of the hub: a source that is in there and cannot be read is not gone.
    clusters: Cache<Cluster>,
    sets: ClusterSets,
    offered: Offered,
    clock: Clock,
}

/// Starts for every member that is there or joins.
pub(crate) fn start(hub: &Hub) {
    let discovery = Arc::new(Discovery {
        sites: RwLock::new(BTreeMap::new()),
        clusters: hub.clusters.clone(),
        sets: hub.cluster_sets.clone(),
        offered: Offered::default(),
        clock: hub.clock.clone(),
    });
    let joining = discovery.clone();
    hub.members.observe(move |change| match change {
        MembershipChange::Joined(member) => joining.join(member),
        MembershipChange::Left(name) => joining.leave(name),
    });
    let withdrawing = discovery.clone();
    hub.clusters.observe(move |change| {
        // A cluster left for good: what came from it is withdrawn everywhere.
        if change.new.is_none() {
            let cluster = ClusterName::new(change.key.name.as_str());
            withdrawing.queue_cluster(&cluster, []);
        }
    });
    let mut standings = hub.cluster_sets.watch();
    spawn_until_stop(&hub.scope, async move {
        let mut known = discovery.standings();
        discovery.queue_everything();
        while standings.changed().await.is_ok() {
            let now = discovery.standings();
            discovery.standings_changed(&known, &now);
            known = now;
        }
    });
}

impl Discovery {
    fn join(self: &Arc<Self>, member: &Arc<Member>) {
        let site = Arc::new(Site::new(member.clone()));
        self.sites.write().insert(member.name().clone(), site.clone());
        site.follow(self);
        let importer = Arc::new(Importer::new(self, &site));
        portolan_runtime::driver::run(importer, site.imports_queue(), WORKERS_PER_MEMBER, member.scope());
        let events = EventRecorder::new(member.client(), MANAGER, self.clock.clone(), member.scope());
        let exporter = Arc::new(Exporter { discovery: self.clone(), site: site.clone(), events });
        portolan_runtime::driver::run(exporter, site.exports_queue(), 1, member.scope());

        let (discovery, mut discovered) = (self.clone(), member.watch_discovery());
        spawn_until_stop(member.scope(), async move {
            loop {
                site.follow_types(&discovery);
                let settled = async {
                    site.synced().await;
                    // Now this member can be judged, as an importer and as a source.
                    discovery.site_settled(&site);
                    std::future::pending::<()>().await;
                };
                tokio::select! {
                    changed = discovered.changed() => if changed.is_err() { return },
                    () = settled => {}
                }
            }
        });
    }

    fn leave(&self, name: &ClusterName) {
        self.sites.write().remove(name);
        self.offered.forget_all();
    }

    fn all_sites(&self) -> Vec<Arc<Site>> {
        self.sites.read().values().cloned().collect()
    }

    fn site(&self, cluster: &ClusterName) -> Option<Arc<Site>> {
        self.sites.read().get(cluster).cloned()
    }

    /// Where each cluster stands that has a site.
    fn standings(&self) -> BTreeMap<ClusterName, Standing> {
        let clusters: Vec<ClusterName> = self.sites.read().keys().cloned().collect();
        clusters.into_iter().map(|cluster| (cluster.clone(), self.sets.standing(&cluster))).collect()
    }

    /// Has looked at again what depends on where clusters stand.
    fn standings_changed(
        &self,
        before: &BTreeMap<ClusterName, Standing>,
        after: &BTreeMap<ClusterName, Standing>,
    ) {
        let clusters: BTreeSet<&ClusterName> = before.keys().chain(after.keys()).collect();
        let changed: Vec<_> =
            clusters.into_iter().filter(|cluster| before.get(cluster) != after.get(cluster)).collect();
        match changed[..] {
            [] => {}
            [cluster] => {
                let standings = [before.get(cluster), after.get(cluster)];
                self.queue_cluster(cluster, standings.into_iter().flatten());
            }
            _ => self.queue_everything(),
        }
    }

    /// A member can be judged from now on.
    fn site_settled(&self, site: &Site) {
        let cluster = site.member().name();
        self.queue_cluster(cluster, [&self.sets.standing(cluster)]);
    }

    /// One cluster came, went, or stands elsewhere: everything is looked at again there, and elsewhere what it exports
    /// or brought, under its own name and under its ids where it stood and stands.
    fn queue_cluster<'a>(&self, cluster: &ClusterName, standings: impl IntoIterator<Item = &'a Standing>) {
        self.offered.forget_all();
        let ids = standings.into_iter().filter_map(id_of).map(str::to_owned);
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
                let brought = site.brought_from(&names);
                exported.iter().cloned().chain(brought).for_each(|key| site.imports_queue().add(key));
                // What an export is told depends on whether all members can be seen.
                site.queue_exports();
            }
        }
    }

    /// Has every service looked at again, everywhere.
    fn queue_everything(&self) {
        self.offered.forget_all();
        let sites = self.all_sites();
        let exported: BTreeSet<ObjectKey> = sites.iter().flat_map(|site| site.exported()).collect();
        for site in &sites {
            site.queue_own();
            exported.iter().for_each(|key| site.imports_queue().add(key.clone()));
        }
    }

    /// Has the services of one namespace looked at again in one member.
    fn queue_namespace(&self, site: &Site, namespace: &str) {
        let exported = self.all_sites().into_iter().flat_map(|site| site.exported_in(namespace));
        exported.chain(site.imported_in(namespace)).for_each(|key| site.imports_queue().add(key));
    }

    /// Endpoints changed: every importer of the service looks again.
    fn fan_out_endpoints(&self, service: &ObjectKey) {
        for site in self.sites.read().values() {
            if site.imports_service(service) {
                site.imports_queue().add(service.clone());
            }
        }
    }

    /// What a cluster offers changed: so may every import, and every other export of the service.
    fn fan_out_offer(&self, service: &ObjectKey) {
        self.offered.forget(service);
        for site in self.sites.read().values() {
            site.imports_queue().add(service.clone());
            if site.exports_service(service) {
                site.exports_queue().add(service.clone());
            }
        }
    }

    /// The members of a set that can be judged, with their ids, and the ids of those that cannot.
    fn members_of(&self, set: &str) -> (Vec<(Arc<Site>, String)>, BTreeSet<String>) {
        let (mut known, mut unknown) = (Vec::new(), BTreeSet::new());
        for (cluster, membership) in self.sets.of_set(set) {
            let site = self.site(&cluster).filter(|site| site.is_known());
            let is_told = matches!(self.sets.standing(&cluster), Standing::Member(_));
            match site.filter(|_| is_told) {
                Some(site) => known.push((site, membership.id)),
                None => drop(unknown.insert(membership.id)),
            }
        }
        (known, unknown)
    }
}

/// The id by which members of its set know a cluster.
fn id_of(standing: &Standing) -> Option<&str> {
    match standing {
        Standing::Unknown | Standing::Alone => None,
        Standing::Pending(membership) | Standing::Member(membership) => Some(&membership.id),
    }
}
