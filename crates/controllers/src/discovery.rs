//! Services across clusters: what one member exports and another imports.
//!
//! Endpoints go from the caches of the exporting members straight to the importing ones; no object in between is
//! written, so the hub can be away or restarted and never serves old endpoints. What an importing member must have is
//! decided by `portolan_plan::discovery`; this module watches and applies the difference.
//!
//! ```text
//! member A: ServiceExport, EndpointSlice ─► fan out ─► queue of member B ─► plan ─► derived Service, imported slices
//! ```

mod reconcile;
mod site;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use portolan_api::cluster::Cluster;
use portolan_object::ObjectKey;
use portolan_runtime::members::MembershipChange;
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, ClusterName, Member, Members};

use reconcile::Importer;
use site::Site;

/// Passes over imports of one member at a time.
const WORKERS_PER_MEMBER: usize = 4;

/// All members as exporters and importers.
struct Discovery {
    sites: RwLock<BTreeMap<ClusterName, Arc<Site>>>,
    /// The Cluster objects of the hub: a source that is in there and cannot be read is not gone.
    clusters: Cache<Cluster>,
}

/// Starts for every member that is there or joins.
pub(crate) fn start(members: &Members, clusters: &Cache<Cluster>) {
    let discovery = Arc::new(Discovery { sites: RwLock::new(BTreeMap::new()), clusters: clusters.clone() });
    let joining = discovery.clone();
    members.observe(move |change| match change {
        MembershipChange::Joined(member) => joining.join(member),
        MembershipChange::Left(name) => joining.leave(name),
    });
    clusters.observe(move |change| {
        // A cluster left for good: what came from it is withdrawn everywhere.
        if change.new.is_none() {
            discovery.all_sites().iter().for_each(|site| site.queue_all());
        }
    });
}

impl Discovery {
    fn join(self: &Arc<Self>, member: &Arc<Member>) {
        let site = Arc::new(Site::new(member.clone()));
        self.sites.write().insert(member.name().clone(), site.clone());
        site.follow_slices(self);
        let importer = Arc::new(Importer { discovery: self.clone(), site: site.clone() });
        portolan_runtime::driver::run(importer, site.queue(), WORKERS_PER_MEMBER, member.scope());

        let (discovery, mut discovered) = (self.clone(), member.watch_discovery());
        spawn_until_stop(member.scope(), async move {
            loop {
                site.follow_types(&discovery);
                let settled = async {
                    site.synced().await;
                    // Now this member can be judged, as an importer and as a source.
                    discovery.all_sites().iter().for_each(|site| site.queue_all());
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
    }

    fn all_sites(&self) -> Vec<Arc<Site>> {
        self.sites.read().values().cloned().collect()
    }

    /// Has every importer of a service look again.
    fn fan_out(&self, service: &ObjectKey) {
        for site in self.sites.read().values() {
            if site.imports_service(service) {
                site.queue().add(service.clone());
            }
        }
    }
}
