//! The routing table of the network: the cluster that owns an address, the loopback socket behind it, and the route of a
//! new connection.
//!
//! [`Interface`](super::Interface) uses it; nothing here waits or moves bytes.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use ipnet::IpNet;
use parking_lot::{Mutex, RwLock};
use portolan_dns::Zones;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::network::address::{ClusterName, Frontend};
use crate::network::address_pool::AddressPool;
use crate::network::balance::Caller;
use crate::network::error::DialError;
use crate::network::links::{LinkWatch, Links};
use crate::network::namespaces::Namespaces;
use crate::network::namespaces::router::Router;
use crate::network::proxy::{Proxy, Verdict};
use crate::network::ranges::Ranges;

/// Limit of open connections and datagram flows, all clusters together.
const MAX_CONNECTIONS: usize = 8192;

/// State shared by all clusters.
#[derive(Debug)]
pub(crate) struct RoutingTable {
    clusters: RwLock<BTreeMap<ClusterName, Arc<ClusterNetwork>>>,
    /// The host socket behind each address, port and protocol with a listener.
    sockets: RwLock<BTreeMap<(ClusterName, Frontend), SocketAddr>>,
    pub(crate) links: Links,
    pub(crate) connections: Arc<Semaphore>,
    /// Network namespaces of the clusters, in namespaces mode.
    pub(crate) namespaces: Option<Namespaces>,
}

/// Addresses and Service rules of one cluster.
#[derive(Debug)]
pub(crate) struct ClusterNetwork {
    pub(crate) name: ClusterName,
    pub(crate) pods: Ranges,
    pub(crate) services: Ranges,
    pub(crate) pool: Mutex<AddressPool>,
    /// Addresses of pods and nodes that are in use, with the number of HTTP requests that their programs have answered.
    pub(crate) attached: RwLock<BTreeMap<IpAddr, Arc<AtomicU64>>>,
    pub(crate) proxy: Proxy,
    /// DNS zones of its pods.
    pub(crate) zones: RwLock<Option<Arc<Zones>>>,
}

/// Origin of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) cluster: ClusterName,
    /// Address of the calling pod; `None` for callers outside any pod.
    pub(crate) address: Option<IpAddr>,
    pub(crate) node: Option<Arc<str>>,
}

/// Route of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// Address of the pod, after Service rules were applied.
    pub(crate) endpoint: SocketAddr,
    /// The host socket behind it.
    pub(crate) socket: SocketAddr,
    pub(crate) link: Option<Arc<LinkWatch>>,
}

impl RoutingTable {
    pub(crate) fn new(namespaces: Option<Namespaces>) -> Self {
        Self {
            clusters: RwLock::default(),
            sockets: RwLock::default(),
            links: Links::default(),
            connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            namespaces,
        }
    }

    /// The router of a cluster; `None` on the loopback network.
    pub(crate) fn router(&self, cluster: &ClusterName) -> Option<Arc<Router>> {
        self.namespaces.as_ref()?.router(cluster)
    }

    pub(crate) fn cluster(&self, name: &ClusterName) -> Option<Arc<ClusterNetwork>> {
        self.clusters.read().get(name).cloned()
    }

    /// Names of all clusters, sorted.
    pub(crate) fn names(&self) -> Vec<ClusterName> {
        self.clusters.read().keys().cloned().collect()
    }

    /// Adds a cluster; `false` when its name is taken.
    pub(crate) fn add_cluster(&self, name: &ClusterName, pods: Ranges, services: Ranges) -> bool {
        let mut clusters = self.clusters.write();
        if clusters.contains_key(name) {
            return false;
        }
        let cluster = ClusterNetwork {
            name: name.clone(),
            pods,
            services,
            pool: Mutex::new(AddressPool::new(pods.v4)),
            attached: RwLock::default(),
            proxy: Proxy::default(),
            zones: RwLock::default(),
        };
        clusters.insert(name.clone(), Arc::new(cluster));
        true
    }

    /// The first of `ranges` that overlaps, with the range of the other cluster.
    pub(crate) fn overlapping(&self, ranges: &Ranges) -> Option<(IpNet, ClusterName, IpNet)> {
        let clusters = self.clusters.read();
        let mut others = clusters.values().flat_map(|c| [(&c.name, c.pods), (&c.name, c.services)]);
        others.find_map(|(name, other)| ranges.overlap(&other).map(|(own, other)| (own, name.clone(), other)))
    }

    /// Registers the host socket behind an address; `false` when the port is in use.
    pub(crate) fn listen(&self, cluster: &ClusterName, frontend: Frontend, socket: SocketAddr) -> bool {
        let mut sockets = self.sockets.write();
        let entry = sockets.entry((cluster.clone(), frontend));
        match entry {
            std::collections::btree_map::Entry::Occupied(_) => false,
            std::collections::btree_map::Entry::Vacant(slot) => {
                slot.insert(socket);
                true
            }
        }
    }

    pub(crate) fn unlisten(&self, cluster: &ClusterName, frontend: Frontend) {
        self.sockets.write().remove(&(cluster.clone(), frontend));
    }

    /// The host socket behind an address of `cluster`, without Service rules.
    pub(crate) fn socket(&self, cluster: &ClusterName, frontend: Frontend) -> Option<SocketAddr> {
        self.sockets.read().get(&(cluster.clone(), frontend)).copied()
    }

    /// The route of a new connection: first the Service rules of the caller's cluster, then the cluster that owns the
    /// address.
    pub(crate) fn route(
        &self,
        origin: &Origin,
        frontend: Frontend,
        now: Instant,
    ) -> Result<Route, DialError> {
        let own = self.cluster(&origin.cluster).ok_or(DialError::Unreachable)?;
        let frontend = replace_loopback(origin, frontend);
        let caller = Caller { address: origin.address, node: origin.node.as_deref() };
        let endpoint = match own.proxy.choose(frontend, caller, now) {
            Verdict::Forward(endpoint) => endpoint,
            Verdict::Refuse => return Err(DialError::Refused),
            Verdict::Unknown => frontend.address,
        };
        self.route_endpoint(&own, Frontend { address: endpoint, protocol: frontend.protocol })
    }

    fn route_endpoint(&self, own: &ClusterNetwork, frontend: Frontend) -> Result<Route, DialError> {
        let address = frontend.address.ip();
        let Some(owner) = self.owner(own, address) else {
            // A Service address without a Service: kube-proxy in nftables mode rejects it.
            let refused = own.services.contains(address);
            return Err(if refused { DialError::Refused } else { DialError::Unreachable });
        };
        let link = self.links.watch(&own.name, &owner.name);
        match self.socket(&owner.name, frontend) {
            Some(socket) => Ok(Route { endpoint: frontend.address, socket, link }),
            None if owner.attached.read().contains_key(&address) => Err(DialError::Refused),
            None => Err(DialError::Unreachable),
        }
    }

    /// Whether an earlier route still leads from `frontend` to a listening endpoint.
    pub(crate) fn leads_to(&self, origin: &Origin, frontend: Frontend, route: &Route) -> bool {
        let Some(own) = self.cluster(&origin.cluster) else { return false };
        let frontend = replace_loopback(origin, frontend);
        let endpoint = Frontend { address: route.endpoint, protocol: frontend.protocol };
        let listens =
            self.owner(&own, route.endpoint.ip()).and_then(|owner| self.socket(&owner.name, endpoint));
        listens == Some(route.socket)
            && (route.endpoint == frontend.address || own.proxy.still_serves(frontend, route.endpoint))
    }

    /// The cluster that `address` belongs to, seen from `own`, which takes precedence.
    fn owner(&self, own: &ClusterNetwork, address: IpAddr) -> Option<Arc<ClusterNetwork>> {
        let clusters = self.clusters.read();
        let own_first = clusters.get(&own.name).into_iter().chain(clusters.values());
        own_first
            .into_iter()
            .find(|cluster| cluster.attached.read().contains_key(&address))
            .or_else(|| clusters.values().find(|cluster| cluster.pods.contains(address)))
            .cloned()
    }
}

/// A loopback address means the calling pod.
fn replace_loopback(origin: &Origin, frontend: Frontend) -> Frontend {
    match origin.address {
        Some(own) if frontend.address.ip().is_loopback() => {
            Frontend { address: SocketAddr::new(own, frontend.address.port()), ..frontend }
        }
        _ => frontend,
    }
}
