//! The tables behind the network: which cluster owns an address, which loopback socket stands for it, and how a
//! connection is routed. `Interface` and `Door` are the ways in; nothing here waits or moves bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use ipnet::IpNet;
use parking_lot::{Mutex, RwLock};
use portolan_dns::Zones;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::network::address_pool::AddressPool;
use crate::network::balance::Caller;
use crate::network::links::{Gate, Links};
use crate::network::namespaces::Namespaces;
use crate::network::namespaces::router::Router;
use crate::network::proxy::{Proxy, Verdict};
use crate::network::rules::Front;
use crate::network::{ClusterName, DialError, Ranges};

/// Open connections and datagram flows of all clusters together.
const CONNECTIONS: usize = 8192;

/// Everything that all clusters share.
#[derive(Debug)]
pub(crate) struct Fabric {
    clusters: RwLock<BTreeMap<ClusterName, Arc<Cluster>>>,
    /// The real socket behind each address, port and protocol that something listens on.
    sockets: RwLock<BTreeMap<(ClusterName, Front), SocketAddr>>,
    pub(crate) links: Links,
    pub(crate) connections: Arc<Semaphore>,
    /// The kernel's part, when there is one.
    pub(crate) namespaces: Option<Namespaces>,
}

/// One cluster's part of the network.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) name: ClusterName,
    pub(crate) pods: Ranges,
    pub(crate) services: Ranges,
    pub(crate) pool: Mutex<AddressPool>,
    /// Addresses in use, of pods and of nodes.
    pub(crate) attached: RwLock<BTreeSet<IpAddr>>,
    pub(crate) proxy: Proxy,
    /// What names mean to its pods.
    pub(crate) zones: OnceLock<Arc<Zones>>,
}

/// Where a connection comes from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) cluster: ClusterName,
    /// The caller's own address; unknown for callers outside of any pod.
    pub(crate) address: Option<IpAddr>,
    pub(crate) node: Option<Arc<str>>,
}

/// Where a connection goes.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// The address after forwarding: a pod's, not a Service's.
    pub(crate) endpoint: SocketAddr,
    /// The loopback socket that stands for it.
    pub(crate) socket: SocketAddr,
    pub(crate) gate: Option<Arc<Gate>>,
}

impl Fabric {
    pub(crate) fn new(namespaces: Option<Namespaces>) -> Self {
        Self {
            clusters: RwLock::default(),
            sockets: RwLock::default(),
            links: Links::default(),
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
            namespaces,
        }
    }

    /// The namespace of a cluster, when it has one.
    pub(crate) fn router(&self, cluster: &ClusterName) -> Option<Arc<Router>> {
        self.namespaces.as_ref()?.router(cluster)
    }

    pub(crate) fn cluster(&self, name: &ClusterName) -> Option<Arc<Cluster>> {
        self.clusters.read().get(name).cloned()
    }

    /// All clusters, in the order of their names.
    pub(crate) fn names(&self) -> Vec<ClusterName> {
        self.clusters.read().keys().cloned().collect()
    }

    /// Adds a cluster unless its name is taken.
    pub(crate) fn add_cluster(&self, name: &ClusterName, pods: Ranges, services: Ranges) -> bool {
        let mut clusters = self.clusters.write();
        if clusters.contains_key(name) {
            return false;
        }
        let cluster = Cluster {
            name: name.clone(),
            pods,
            services,
            pool: Mutex::new(AddressPool::new(pods.v4)),
            attached: RwLock::default(),
            proxy: Proxy::default(),
            zones: OnceLock::new(),
        };
        clusters.insert(name.clone(), Arc::new(cluster));
        true
    }

    /// One of `ranges`, and the range of another cluster that it overlaps with.
    pub(crate) fn overlapping(&self, ranges: &Ranges) -> Option<(IpNet, ClusterName, IpNet)> {
        let clusters = self.clusters.read();
        let mut others = clusters.values().flat_map(|c| [(&c.name, c.pods), (&c.name, c.services)]);
        others.find_map(|(name, other)| ranges.overlap(&other).map(|(own, other)| (own, name.clone(), other)))
    }

    /// Registers the real socket behind an address; `false` when something listens there already.
    pub(crate) fn listen(&self, cluster: &ClusterName, front: Front, socket: SocketAddr) -> bool {
        let mut sockets = self.sockets.write();
        let entry = sockets.entry((cluster.clone(), front));
        match entry {
            std::collections::btree_map::Entry::Occupied(_) => false,
            std::collections::btree_map::Entry::Vacant(slot) => {
                slot.insert(socket);
                true
            }
        }
    }

    pub(crate) fn unlisten(&self, cluster: &ClusterName, front: Front) {
        self.sockets.write().remove(&(cluster.clone(), front));
    }

    /// The real socket behind an address of `cluster`, after no forwarding at all.
    pub(crate) fn socket(&self, cluster: &ClusterName, front: Front) -> Option<SocketAddr> {
        self.sockets.read().get(&(cluster.clone(), front)).copied()
    }

    /// Finds the way for a new connection: Service rules of the caller's cluster first, then the owner of the
    /// address, which may be another cluster.
    pub(crate) fn route(&self, origin: &Origin, front: Front, now: Instant) -> Result<Route, DialError> {
        let own = self.cluster(&origin.cluster).ok_or(DialError::Unreachable)?;
        let front = replace_loopback(origin, front);
        let caller = Caller { address: origin.address, node: origin.node.as_deref() };
        let endpoint = match own.proxy.choose(front, caller, now) {
            Verdict::Forward(endpoint) => endpoint,
            Verdict::Refuse => return Err(DialError::Refused),
            Verdict::Unknown => front.address,
        };
        self.route_endpoint(&own, Front { address: endpoint, protocol: front.protocol })
    }

    fn route_endpoint(&self, own: &Cluster, front: Front) -> Result<Route, DialError> {
        let address = front.address.ip();
        let Some(owner) = self.owner(own, address) else {
            // A cluster address that no Service has: proxies in nftables mode reject it.
            let refused = own.services.contains(address);
            return Err(if refused { DialError::Refused } else { DialError::Unreachable });
        };
        let gate = self.links.gate(&own.name, &owner.name);
        match self.socket(&owner.name, front) {
            Some(socket) => Ok(Route { endpoint: front.address, socket, gate }),
            None if owner.attached.read().contains(&address) => Err(DialError::Refused),
            None => Err(DialError::Unreachable),
        }
    }

    /// Whether a route found earlier still leads from `front` to a listening endpoint.
    pub(crate) fn leads_to(&self, origin: &Origin, front: Front, route: &Route) -> bool {
        let Some(own) = self.cluster(&origin.cluster) else { return false };
        let front = replace_loopback(origin, front);
        let endpoint = Front { address: route.endpoint, protocol: front.protocol };
        let listens =
            self.owner(&own, route.endpoint.ip()).and_then(|owner| self.socket(&owner.name, endpoint));
        listens == Some(route.socket)
            && (route.endpoint == front.address || own.proxy.still_serves(front, route.endpoint))
    }

    /// The cluster that `address` belongs to, seen from `own`: its own addresses come first.
    fn owner(&self, own: &Cluster, address: IpAddr) -> Option<Arc<Cluster>> {
        let clusters = self.clusters.read();
        let own_first = clusters.get(&own.name).into_iter().chain(clusters.values());
        own_first
            .into_iter()
            .find(|cluster| cluster.attached.read().contains(&address))
            .or_else(|| clusters.values().find(|cluster| cluster.pods.contains(address)))
            .cloned()
    }
}

/// Inside a pod, the loopback address is the pod itself.
fn replace_loopback(origin: &Origin, front: Front) -> Front {
    match origin.address {
        Some(own) if front.address.ip().is_loopback() => {
            Front { address: SocketAddr::new(own, front.address.port()), ..front }
        }
        _ => front,
    }
}
