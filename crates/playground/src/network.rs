//! The one network of all clusters in this process.
//!
//! Pods and Services carry ordinary addresses; behind every port that listens stands a loopback socket, and the
//! network knows which. Programs dial through their pod's [`Interface`], which applies the Service rules of their
//! cluster as a node's proxy would and then crosses to whichever cluster owns the endpoint. Nothing of that needs
//! privileges, and nothing here decides what runs. With them, `namespaces` puts the kernel in place of the sockets.
//!
//! ```text
//! program ─ Interface::dial(10.13.0.9:80) ─► proxy rules of the cluster ─► 10.10.0.5:8080 of member1
//!                                                     ─► link up? ─► 127.0.0.1:40123
//! ```

mod address_pool;
mod balance;
mod connection;
mod datagram;
mod door;
mod error;
mod fabric;
mod interface;
mod links;
mod names;
pub mod namespaces;
mod proxy;
mod ranges;
mod rules;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use portolan_dns::Zones;
use portolan_object::{Object, ObjectKey};
pub use portolan_runtime::ClusterName;
use tokio_util::task::TaskTracker;

pub use self::address_pool::ClaimError;
pub use self::connection::Connection;
pub use self::datagram::Flow;
pub use self::door::Door;
pub use self::error::{AttachError, DialError, JoinError, SwitchError};
pub use self::interface::{CONNECT_PATIENCE, Datagrams, Interface, ListenError, Listener, Publication};
pub use self::links::Link;
pub use self::ranges::{Ranges, RangesError};

use self::fabric::{Fabric, Origin};
use self::namespaces::router::{Plan, Router};
use self::namespaces::{Namespaces, ToolError};

/// A transport protocol that the network carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
    /// Messages of SCTP: only kernels carry them, so pods of the loopback network cannot listen on such ports.
    Sctp,
}

impl Protocol {
    /// Reads the spelling of the Kubernetes API, where nothing means TCP; `None` for what is not carried.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "TCP" => Some(Self::Tcp),
            "UDP" => Some(Self::Udp),
            "SCTP" => Some(Self::Sctp),
            _ => None,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        })
    }
}

/// The network. Clones share it.
#[derive(Debug, Clone)]
pub struct Network {
    fabric: Arc<Fabric>,
    tasks: TaskTracker,
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl Network {
    /// A network without clusters, over loopback sockets.
    pub fn new() -> Self {
        Self { fabric: Arc::new(Fabric::new(None)), tasks: TaskTracker::new() }
    }

    /// A network without clusters, made of namespaces; [`namespaces::check`] tells whether that can work.
    pub fn of_namespaces() -> Self {
        Self { fabric: Arc::new(Fabric::new(Some(Namespaces::default()))), tasks: TaskTracker::new() }
    }

    /// Whether pods have namespaces of their own.
    pub fn has_namespaces(&self) -> bool {
        self.fabric.namespaces.is_some()
    }

    /// Adds a cluster with the ranges of its pods and its Services.
    ///
    /// # Errors
    /// When the name is taken or a range overlaps one that is there.
    pub fn join(&self, cluster: &ClusterName, pods: Ranges, services: Ranges) -> Result<(), JoinError> {
        if let Some((range, other_range)) = services.overlap(&pods) {
            let (cluster, other) = (cluster.clone(), cluster.clone());
            return Err(JoinError::Overlap { cluster, range, other, other_range });
        }
        for ranges in [pods, services] {
            if let Some((range, other, other_range)) = self.fabric.overlapping(&ranges) {
                return Err(JoinError::Overlap { cluster: cluster.clone(), range, other, other_range });
            }
        }
        match self.fabric.add_cluster(cluster, pods, services) {
            true => Ok(()),
            false => Err(JoinError::Taken(cluster.clone())),
        }
    }

    /// Makes the namespace of a cluster that joined, with the addresses of its machines: its API server and its nodes,
    /// by name. Does nothing on the loopback network.
    ///
    /// # Errors
    /// When a program that sets up the network fails.
    pub async fn build(
        &self,
        cluster: &ClusterName,
        api_server: Option<IpAddr>,
        nodes: &[(&str, IpAddr)],
    ) -> Result<(), ToolError> {
        let (Some(namespaces), Some(owner)) = (&self.fabric.namespaces, self.fabric.cluster(cluster)) else {
            return Ok(());
        };
        let addresses = nodes.iter().map(|(_, address)| *address);
        let numbered = nodes.iter().enumerate();
        let plan = Plan {
            cluster: cluster.clone(),
            number: 0,
            pods: owner.pods,
            services: owner.services,
            machines: api_server.into_iter().chain(addresses).collect(),
            nodes: numbered.map(|(number, (name, _))| (Arc::from(*name), number)).collect(),
        };
        namespaces.build(plan).await?;
        Ok(())
    }

    /// Gives a new pod an address.
    pub fn attach_pod(&self, cluster: &ClusterName) -> Result<Interface, AttachError> {
        let owner = self.owner(cluster)?;
        let free = owner.pool.lock().allocate();
        let exhausted = || AttachError::Exhausted { cluster: cluster.clone(), range: owner.pods.v4 };
        let address = free.ok_or_else(exhausted)?;
        Ok(Interface::new(self.fabric.clone(), owner, IpAddr::V4(address)))
    }

    /// Takes the address that a pod had before this process started.
    pub fn reattach_pod(&self, cluster: &ClusterName, address: IpAddr) -> Result<Interface, AttachError> {
        let owner = self.owner(cluster)?;
        let claimed = match address {
            IpAddr::V4(address) => owner.pool.lock().claim(address),
            IpAddr::V6(_) => return self.attach_pod(cluster),
        };
        claimed.map_err(|reason| AttachError::Claim { cluster: cluster.clone(), reason })?;
        Ok(Interface::new(self.fabric.clone(), owner, address))
    }

    /// Puts a node on the network: pods on its host network and published host sockets share this address.
    pub fn attach_node(&self, cluster: &ClusterName, address: IpAddr) -> Result<Interface, AttachError> {
        let owner = self.owner(cluster)?;
        if owner.attached.read().contains(&address) {
            return Err(AttachError::NodeTaken { cluster: cluster.clone(), address });
        }
        Ok(Interface::new(self.fabric.clone(), owner, address))
    }

    /// Replaces the forwarding rules of one Service of `cluster`.
    ///
    /// `slices` may hold those of other Services; `nodes` are the addresses on which node ports answer.
    pub fn serve<'a>(
        &self,
        cluster: &ClusterName,
        service: &Object,
        slices: impl IntoIterator<Item = &'a Object>,
        nodes: &[IpAddr],
    ) {
        if let Some(cluster) = self.fabric.cluster(cluster) {
            cluster.proxy.replace(&service.key(), Some(rules::service_rules(service, slices, nodes)));
        }
    }

    /// Says what names mean to the pods of a cluster, once: a cluster keeps its zones.
    pub fn resolve_with(&self, cluster: &ClusterName, zones: Arc<Zones>) {
        if let Some(cluster) = self.fabric.cluster(cluster) {
            // A second call would be a second DNS server for one cluster.
            let _ = cluster.zones.set(zones);
        }
    }

    /// Drops the forwarding rules of a Service that is gone.
    pub fn forget(&self, cluster: &ClusterName, service: &ObjectKey) {
        if let Some(cluster) = self.fabric.cluster(cluster) {
            cluster.proxy.replace(service, None);
        }
    }

    /// Gives the kernel what [`Network::serve`] and [`Network::forget`] have changed for one Service. Does nothing on
    /// the loopback network.
    ///
    /// # Errors
    /// When `nft` fails; nothing has changed then, and the call may be repeated.
    pub async fn program(&self, cluster: &ClusterName, service: &ObjectKey) -> Result<(), ToolError> {
        match (self.router(cluster), self.fabric.cluster(cluster)) {
            (Some(router), Some(owner)) => router.program(service, owner.proxy.owned(service)).await,
            _ => Ok(()),
        }
    }

    /// A TCP socket that listens inside of a cluster's namespace, on an address of the cluster itself: those of its
    /// nodes and [`namespaces::dns_address`]. `None` on the loopback network.
    ///
    /// # Errors
    /// When the address is taken, or is not one of the cluster's.
    pub async fn listen_inside(
        &self,
        cluster: &ClusterName,
        address: SocketAddr,
    ) -> io::Result<Option<std::net::TcpListener>> {
        match self.router(cluster) {
            Some(router) => namespaces::router::listen(&router.namespace, address).await.map(Some),
            None => Ok(None),
        }
    }

    /// The same for datagrams.
    ///
    /// # Errors
    /// See [`Network::listen_inside`].
    pub async fn bind_inside(
        &self,
        cluster: &ClusterName,
        address: SocketAddr,
    ) -> io::Result<Option<std::net::UdpSocket>> {
        match self.router(cluster) {
            Some(router) => namespaces::router::bind(&router.namespace, address).await.map(Some),
            None => Ok(None),
        }
    }

    fn router(&self, cluster: &ClusterName) -> Option<Arc<Router>> {
        self.fabric.router(cluster)
    }

    /// Sets the state of the link between two clusters.
    pub fn set_link(&self, a: &ClusterName, b: &ClusterName, link: Link) {
        self.fabric.links.set(a, b, link);
    }

    /// Sets the state of the link between two clusters, whatever carries the traffic. The kernel knows only links that
    /// are up and links that are silent.
    ///
    /// # Errors
    /// [`SwitchError`] naming the cluster that does not exist, or what the kernel says.
    pub async fn switch_link(&self, a: &ClusterName, b: &ClusterName, link: Link) -> Result<(), SwitchError> {
        let names = self.fabric.names();
        for cluster in [a, b] {
            if !names.contains(cluster) {
                let known = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                return Err(SwitchError::NoCluster { cluster: cluster.clone(), known });
            }
        }
        if a == b {
            return Err(SwitchError::Same(a.clone()));
        }
        if let Some(namespaces) = &self.fabric.namespaces {
            namespaces.cut(a, b, link != Link::Up).await?;
        }
        self.set_link(a, b, link);
        Ok(())
    }

    /// The links between all clusters and their states, each once, in the order of the names.
    pub fn links(&self) -> Vec<(ClusterName, ClusterName, Link)> {
        let names = self.fabric.names();
        let pairs = names.iter().enumerate().flat_map(|(at, a)| names[at + 1..].iter().map(move |b| (a, b)));
        pairs
            .filter_map(|(a, b)| Some((a.clone(), b.clone(), self.fabric.links.gate(a, b)?.state())))
            .collect()
    }

    /// Cuts two clusters apart on the loopback network: traffic between them is lost until [`Network::restore`].
    pub fn cut(&self, a: &ClusterName, b: &ClusterName) {
        self.set_link(a, b, Link::Silent);
    }

    /// Joins two clusters again on the loopback network; stalled connections go on.
    pub fn restore(&self, a: &ClusterName, b: &ClusterName) {
        self.set_link(a, b, Link::Up);
    }

    /// Connects from somewhere in `cluster` that is not a pod.
    pub async fn dial(
        &self,
        cluster: &ClusterName,
        to: SocketAddr,
        patience: Duration,
    ) -> Result<Connection, DialError> {
        interface::dial(&self.fabric, &outsider(cluster), to, patience).await
    }

    /// Opens a flow of datagrams from somewhere in `cluster` that is not a pod.
    pub async fn flow(&self, cluster: &ClusterName, to: SocketAddr) -> Result<Flow, DialError> {
        Flow::open(self.fabric.clone(), outsider(cluster), to).await
    }

    /// Opens a socket on the host that leads to an address of `cluster`.
    pub async fn door(&self, cluster: &ClusterName, to: SocketAddr, protocol: Protocol) -> io::Result<Door> {
        let (fabric, origin) = (self.fabric.clone(), outsider(cluster));
        match protocol {
            Protocol::Tcp => Door::open_tcp(fabric, origin, to, &self.tasks).await,
            Protocol::Udp => Door::open_udp(fabric, origin, to, &self.tasks).await,
            Protocol::Sctp => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// The loopback socket behind a port of a pod or node, `None` when nobody listens there.
    pub fn socket(&self, cluster: &ClusterName, to: SocketAddr, protocol: Protocol) -> Option<SocketAddr> {
        self.fabric.socket(cluster, rules::Front { address: to, protocol })
    }

    /// Waits for the forwarding tasks to end; their doors must be closed.
    pub async fn closed(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn owner(&self, cluster: &ClusterName) -> Result<Arc<fabric::Cluster>, AttachError> {
        self.fabric.cluster(cluster).ok_or_else(|| AttachError::NoCluster(cluster.clone()))
    }
}

fn outsider(cluster: &ClusterName) -> Origin {
    Origin { cluster: cluster.clone(), address: None, node: None }
}

#[cfg(test)]
mod tests;
