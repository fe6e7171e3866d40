//! Pod network: one network of all clusters in this process.
//!
//! Pods and Services have ordinary addresses. On the *loopback network* every port that listens is a loopback socket of
//! this process, and a routing table maps addresses to sockets; that needs no privileges. In *namespaces mode* the
//! kernel carries the traffic instead ([`namespaces`]).
//!
//! ```text
//! program ─ Interface::dial(10.13.0.9:80) ─► Service rules of the cluster ─► 10.10.0.5:8080 of member1
//!                                                     ─► link up? ─► 127.0.0.1:40123
//! ```
//!
//! | file | purpose | uses |
//! | --- | --- | --- |
//! | `address`, `ranges`, `error` | protocols, frontends, address ranges, errors | – |
//! | `address_pool`, `search_path` | pure: allocate pod addresses; names that a resolver queries | – |
//! | `rules`, `balance`, `proxy` | Service rules from EndpointSlices, choice of the endpoint, rules of a cluster | address |
//! | `links` | state of the links between clusters | address |
//! | `namespaces` | network namespaces, `ip` and `nft` commands | rules |
//! | `routing` | the routing table | all above |
//! | `connection`, `datagram`, `interface` | what programs use | routing |
//!
//! Each file uses only files above it. To change how a Service forwards, edit `rules` (and `namespaces::ruleset` if the
//! kernel needs other commands); to add an operation for programs, edit `interface`.
//!
//! This room uses no other room of the crate.

mod address;
mod address_pool;
mod balance;
mod connection;
mod datagram;
mod error;
mod interface;
mod links;
pub mod namespaces;
mod proxy;
mod ranges;
mod routing;
mod rules;
mod search_path;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portolan_dns::Zones;
use portolan_object::{Object, ObjectKey};

pub use self::address::{ClusterName, Protocol};
pub use self::address_pool::ClaimError;
pub use self::connection::Connection;
pub use self::datagram::Flow;
pub use self::error::{AttachError, DialError, JoinError, ListenError, SwitchError};
pub(crate) use self::interface::PodNamespace;
pub use self::interface::{CONNECT_TIMEOUT, Datagrams, Interface, Listener, Publication};
pub use self::links::Link;
pub use self::namespaces::ClusterNamespace;
pub use self::ranges::{Ranges, RangesError};

use self::address::Frontend;
use self::namespaces::Namespaces;
use self::namespaces::kernel::ToolError;
use self::namespaces::router::NetworkPlan;
use self::routing::{ClusterNetwork, Origin, RoutingTable};

/// The network. Clones share state.
#[derive(Debug, Clone)]
pub struct Network {
    routing: Arc<RoutingTable>,
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl Network {
    /// A loopback network without clusters.
    pub fn new() -> Self {
        Self { routing: Arc::new(RoutingTable::new(None)) }
    }

    /// A network of namespaces without clusters; [`namespaces::check`] tells whether the machine allows it.
    pub fn of_namespaces() -> Self {
        Self { routing: Arc::new(RoutingTable::new(Some(Namespaces::default()))) }
    }

    /// Adds a cluster with the ranges of its pods and its Services.
    ///
    /// # Errors
    /// When the name is taken or a range overlaps one of another cluster.
    pub fn add_cluster(
        &self,
        cluster: &ClusterName,
        pods: Ranges,
        services: Ranges,
    ) -> Result<(), JoinError> {
        if let Some((range, other_range)) = services.overlap(&pods) {
            let (cluster, other) = (cluster.clone(), cluster.clone());
            return Err(JoinError::Overlap { cluster, range, other, other_range });
        }
        for ranges in [pods, services] {
            if let Some((range, other, other_range)) = self.routing.overlapping(&ranges) {
                return Err(JoinError::Overlap { cluster: cluster.clone(), range, other, other_range });
            }
        }
        match self.routing.add_cluster(cluster, pods, services) {
            true => Ok(()),
            false => Err(JoinError::Taken(cluster.clone())),
        }
    }

    /// In namespaces mode, creates the namespace of a cluster with the addresses of its machines: the API server and the
    /// nodes, by name. On the loopback network there is nothing to create.
    ///
    /// # Errors
    /// When `ip` or `nft` fails.
    pub async fn create_namespace(
        &self,
        cluster: &ClusterName,
        api_server: Option<IpAddr>,
        nodes: &[(&str, IpAddr)],
    ) -> Result<(), ToolError> {
        let (Some(namespaces), Some(owner)) = (&self.routing.namespaces, self.routing.cluster(cluster))
        else {
            return Ok(());
        };
        let addresses = nodes.iter().map(|(_, address)| *address);
        let numbered = nodes.iter().enumerate();
        let plan = NetworkPlan {
            cluster: cluster.clone(),
            number: 0,
            pods: owner.pods,
            services: owner.services,
            machines: api_server.into_iter().chain(addresses).collect(),
            nodes: numbered.map(|(number, (name, _))| (Arc::from(*name), number)).collect(),
        };
        namespaces.create(plan).await
    }

    /// The namespace of a cluster; `None` on the loopback network.
    pub fn cluster_namespace(&self, cluster: &ClusterName) -> Option<ClusterNamespace> {
        self.routing.router(cluster).map(ClusterNamespace::new)
    }

    /// The number of HTTP requests that the built-in programs at an address have answered. 0 for an address that is not in
    /// use, and in namespaces mode, where programs are processes of their own.
    pub fn answered(&self, cluster: &ClusterName, address: IpAddr) -> u64 {
        let Ok(owner) = self.owner(cluster) else { return 0 };
        let attached = owner.attached.read();
        attached.get(&address).map_or(0, |answered| answered.load(Ordering::Relaxed))
    }

    /// Allocates the address of a new pod.
    pub fn attach_pod(&self, cluster: &ClusterName) -> Result<Interface, AttachError> {
        let owner = self.owner(cluster)?;
        let free = owner.pool.lock().allocate();
        let exhausted = || AttachError::Exhausted { cluster: cluster.clone(), range: owner.pods.v4 };
        let address = free.ok_or_else(exhausted)?;
        Ok(Interface::new(self.routing.clone(), owner, IpAddr::V4(address)))
    }

    /// Takes the address that a pod had before this process started.
    pub fn reattach_pod(&self, cluster: &ClusterName, address: IpAddr) -> Result<Interface, AttachError> {
        let owner = self.owner(cluster)?;
        let claimed = match address {
            IpAddr::V4(address) => owner.pool.lock().claim(address),
            IpAddr::V6(_) => return self.attach_pod(cluster),
        };
        claimed.map_err(|reason| AttachError::Claim { cluster: cluster.clone(), reason })?;
        Ok(Interface::new(self.routing.clone(), owner, address))
    }

    /// Attaches a node: pods on its host network and published host sockets share its address.
    pub fn attach_node(&self, cluster: &ClusterName, address: IpAddr) -> Result<Interface, AttachError> {
        let owner = self.owner(cluster)?;
        if owner.attached.read().contains_key(&address) {
            return Err(AttachError::NodeTaken { cluster: cluster.clone(), address });
        }
        Ok(Interface::new(self.routing.clone(), owner, address))
    }

    /// Replaces the forwarding rules of one Service of `cluster`.
    ///
    /// `slices` of other Services are skipped; `nodes` are the addresses with node ports.
    pub fn set_service<'a>(
        &self,
        cluster: &ClusterName,
        service: &Object,
        slices: impl IntoIterator<Item = &'a Object>,
        nodes: &[IpAddr],
    ) {
        let Some(owner) = self.routing.cluster(cluster) else { return };
        let (rules, errors) = rules::service_rules(service, slices, nodes);
        for error in errors {
            tracing::warn!(%cluster, service = %service.key(), %error, "object is left out of the Service rules");
        }
        owner.proxy.replace(&service.key(), Some(rules));
    }

    /// Removes the forwarding rules of a Service.
    pub fn remove_service(&self, cluster: &ClusterName, service: &ObjectKey) {
        if let Some(cluster) = self.routing.cluster(cluster) {
            cluster.proxy.replace(service, None);
        }
    }

    /// In namespaces mode, writes the current rules of a Service to the kernel.
    ///
    /// # Errors
    /// When `nft` fails; nothing has changed then, and the call may be repeated.
    pub async fn program_service(&self, cluster: &ClusterName, service: &ObjectKey) -> Result<(), ToolError> {
        match (self.routing.router(cluster), self.routing.cluster(cluster)) {
            (Some(router), Some(owner)) => router.program_service(service, owner.proxy.owned(service)).await,
            _ => Ok(()),
        }
    }

    /// Sets the DNS zones of a cluster's pods.
    pub fn set_dns_zones(&self, cluster: &ClusterName, zones: Arc<Zones>) {
        if let Some(cluster) = self.routing.cluster(cluster) {
            *cluster.zones.write() = Some(zones);
        }
    }

    /// Sets the state of a link on the loopback network.
    pub fn set_link(&self, a: &ClusterName, b: &ClusterName, link: Link) {
        self.routing.links.set(a, b, link);
    }

    /// Sets the state of a link in either mode. In namespaces mode [`Link::Unreachable`] acts like [`Link::Silent`].
    ///
    /// # Errors
    /// [`SwitchError`] naming the unknown cluster, or the error of `nft`.
    pub async fn switch_link(&self, a: &ClusterName, b: &ClusterName, link: Link) -> Result<(), SwitchError> {
        let names = self.routing.names();
        for cluster in [a, b] {
            if !names.contains(cluster) {
                let known = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                return Err(SwitchError::NoCluster { cluster: cluster.clone(), known });
            }
        }
        if a == b {
            return Err(SwitchError::Same(a.clone()));
        }
        let before = self.routing.links.switched(a, b);
        self.set_link(a, b, link);
        let programmed = self.program_link(a, b).await;
        if programmed.is_err() {
            self.set_link(a, b, before);
        }
        Ok(programmed?)
    }

    /// Drops everything between the pods of a cluster and those of all others, or stops doing so. Cut links stay cut.
    ///
    /// # Errors
    /// The error of `nft`; the call may be repeated.
    pub(crate) async fn isolate(&self, cluster: &ClusterName, is_isolated: bool) -> Result<(), ToolError> {
        self.routing.links.isolate(cluster, is_isolated);
        for other in self.routing.names().iter().filter(|other| *other != cluster) {
            self.program_link(cluster, other).await?;
        }
        Ok(())
    }

    /// In namespaces mode, tells the kernel the state of a link.
    async fn program_link(&self, a: &ClusterName, b: &ClusterName) -> Result<(), ToolError> {
        match &self.routing.namespaces {
            Some(namespaces) => namespaces.cut(a, b, self.routing.links.effective(a, b) != Link::Up).await,
            None => Ok(()),
        }
    }

    /// All links with their states, each once, sorted by name.
    pub fn links(&self) -> Vec<(ClusterName, ClusterName, Link)> {
        let names = self.routing.names();
        let pairs = names.iter().enumerate().flat_map(|(at, a)| names[at + 1..].iter().map(move |b| (a, b)));
        pairs.map(|(a, b)| (a.clone(), b.clone(), self.routing.links.switched(a, b))).collect()
    }

    /// Connects from a caller in `cluster` that is not a pod.
    pub async fn dial(
        &self,
        cluster: &ClusterName,
        to: SocketAddr,
        connect_timeout: Duration,
    ) -> Result<Connection, DialError> {
        let origin = Origin { cluster: cluster.clone(), address: None, node: None };
        interface::dial(&self.routing, &origin, to, connect_timeout).await
    }

    /// The host socket behind a port of a pod or node; `None` when the port is closed.
    pub fn socket(&self, cluster: &ClusterName, to: SocketAddr, protocol: Protocol) -> Option<SocketAddr> {
        self.routing.socket(cluster, Frontend { address: to, protocol })
    }

    fn owner(&self, cluster: &ClusterName) -> Result<Arc<ClusterNetwork>, AttachError> {
        self.routing.cluster(cluster).ok_or_else(|| AttachError::NoCluster(cluster.clone()))
    }
}

#[cfg(test)]
mod tests;
