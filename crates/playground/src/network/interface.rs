//! The address of a pod or a node, as programs use it: listen on it, dial from it, resolve names.
//!
//! Handles are guards: dropping a listener frees its port, dropping the last handle of an interface frees the address.
//! An interface is either bound in this process, or it stands for the network namespace that this process runs in.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use portolan_dns::{AddressType, Resolution};
use portolan_net::accept;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{OnceCell, OwnedSemaphorePermit};
use tokio::time::{Instant, timeout};

use crate::network::address::{ClusterName, Frontend, Protocol};
use crate::network::connection::Connection;
use crate::network::datagram::Flow;
use crate::network::error::{DialError, ListenError};
use crate::network::namespaces::kernel::{NetworkNamespace, ToolError};
use crate::network::namespaces::router;
use crate::network::routing::{ClusterNetwork, Origin, RoutingTable};
use crate::network::search_path;

/// Default timeout of a connection attempt: Linux gives up after six SYN retries.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(127);

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Address of a pod or a node on the network. Clones share the address.
#[derive(Debug, Clone)]
pub struct Interface {
    attachment: Attachment,
    node: Option<Arc<str>>,
    /// Kubernetes namespace of the pod, for short Service names.
    pod_namespace: Arc<str>,
}

#[derive(Debug, Clone)]
enum Attachment {
    /// Bound in this process, which carries the traffic or holds the namespace.
    Bound(Arc<BoundAddress>),
    /// This process runs inside the pod with this address.
    InPod(IpAddr),
}

/// An address that is taken from its cluster's pool until it is dropped.
#[derive(Debug)]
struct BoundAddress {
    routing: Arc<RoutingTable>,
    cluster: Arc<ClusterNetwork>,
    address: IpAddr,
    /// HTTP requests that the built-in programs have answered.
    answered: Arc<AtomicU64>,
    /// The network namespace of the pod, once it exists.
    namespace: OnceCell<Arc<NetworkNamespace>>,
}

impl Drop for BoundAddress {
    fn drop(&mut self) {
        self.cluster.attached.write().remove(&self.address);
        if let IpAddr::V4(address) = self.address {
            self.cluster.pool.lock().release(address);
        }
    }
}

/// The network namespace behind an interface.
#[derive(Debug)]
pub(crate) enum PodNamespace {
    /// None: this process carries the traffic over loopback sockets.
    Loopback,
    /// The namespace that this process runs in.
    Current,
    /// A namespace held open by this process.
    Held(Arc<NetworkNamespace>),
}

impl Interface {
    pub(crate) fn new(routing: Arc<RoutingTable>, cluster: Arc<ClusterNetwork>, address: IpAddr) -> Self {
        let answered = Arc::new(AtomicU64::new(0));
        cluster.attached.write().insert(address, answered.clone());
        let bound = BoundAddress { routing, cluster, address, answered, namespace: OnceCell::new() };
        Self { attachment: Attachment::Bound(Arc::new(bound)), node: None, pod_namespace: "default".into() }
    }

    /// The interface of a process that runs in the network namespace of this address.
    pub(crate) fn in_pod(address: IpAddr) -> Self {
        Self { attachment: Attachment::InPod(address), node: None, pod_namespace: "default".into() }
    }

    /// The network namespace of a pod, created on first use; for a node's address, the namespace of its cluster.
    pub(crate) async fn network_namespace(&self) -> Result<PodNamespace, ToolError> {
        let Attachment::Bound(bound) = &self.attachment else { return Ok(PodNamespace::Current) };
        let Some(router) = bound.routing.router(&bound.cluster.name) else {
            return Ok(PodNamespace::Loopback);
        };
        let address = match bound.address {
            IpAddr::V4(address) if bound.cluster.pods.contains(bound.address) => address,
            _ => return Ok(PodNamespace::Held(router.namespace.clone())),
        };
        let node = self.node.as_deref().unwrap_or_default();
        let namespace = bound.namespace.get_or_try_init(|| router.connect_pod(address, node)).await?;
        Ok(PodNamespace::Held(namespace.clone()))
    }

    /// The same address, seen from `node` and from a pod of `namespace`: the node decides which endpoints are local, the
    /// namespace what a short Service name means.
    #[must_use]
    pub fn for_pod(mut self, node: &str, namespace: &str) -> Self {
        self.node = Some(node.into());
        self.pod_namespace = namespace.into();
        self
    }

    /// The address.
    pub fn address(&self) -> IpAddr {
        match &self.attachment {
            Attachment::Bound(bound) => bound.address,
            Attachment::InPod(address) => *address,
        }
    }

    /// Counts an HTTP request that a program has answered. Without effect in a process inside the pod.
    pub(crate) fn note_answer(&self) {
        if let Attachment::Bound(bound) = &self.attachment {
            bound.answered.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The address, and in a dual-stack cluster the pod's IPv6 address.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let ipv6 = match (&self.attachment, self.address()) {
            (Attachment::Bound(bound), IpAddr::V4(address)) if bound.routing.namespaces.is_some() => {
                bound.cluster.pods.ipv6_for(address)
            }
            _ => None,
        };
        std::iter::once(self.address()).chain(ipv6.map(IpAddr::V6)).collect()
    }

    /// The cluster of the address; `None` if this process runs inside the pod.
    pub fn cluster(&self) -> Option<&ClusterName> {
        match &self.attachment {
            Attachment::Bound(bound) => Some(&bound.cluster.name),
            Attachment::InPod(_) => None,
        }
    }

    /// Listens for TCP connections on a port of this address.
    pub async fn listen(&self, port: u16) -> Result<Listener, ListenError> {
        if let Attachment::InPod(_) = self.attachment {
            let socket = dual_stack_or_ipv4(
                TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await,
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)),
            );
            let socket = socket.await.map_err(listen_error)?;
            return Ok(Listener { socket, _publication: None });
        }
        let socket = TcpListener::bind(LOOPBACK).await.map_err(ListenError::Host)?;
        let local = socket.local_addr().map_err(ListenError::Host)?;
        let publication = self.publish(port, Protocol::Tcp, local)?;
        Ok(Listener { socket, _publication: Some(publication) })
    }

    /// Receives datagrams on a port of this address.
    pub async fn bind(&self, port: u16) -> Result<Datagrams, ListenError> {
        if let Attachment::InPod(_) = self.attachment {
            let socket = dual_stack_or_ipv4(
                UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)).await,
                UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)),
            );
            let socket = socket.await.map_err(listen_error)?;
            return Ok(Datagrams { socket, _publication: None });
        }
        let socket = UdpSocket::bind(LOOPBACK).await.map_err(ListenError::Host)?;
        let local = socket.local_addr().map_err(ListenError::Host)?;
        let publication = self.publish(port, Protocol::Udp, local)?;
        Ok(Datagrams { socket, _publication: Some(publication) })
    }

    /// Makes a socket of the host reachable as a port of this address until the result is dropped.
    pub fn publish(
        &self,
        port: u16,
        protocol: Protocol,
        socket: SocketAddr,
    ) -> Result<Publication, ListenError> {
        let frontend = Frontend { address: SocketAddr::new(self.address(), port), protocol };
        let Attachment::Bound(bound) = &self.attachment else { return Err(ListenError::InPod) };
        if !bound.routing.listen(&bound.cluster.name, frontend, socket) {
            return Err(ListenError::InUse);
        }
        Ok(Publication { bound: bound.clone(), frontend })
    }

    /// Connects to a pod or a Service. A silent link counts against `connect_timeout`.
    pub async fn dial(&self, to: SocketAddr, connect_timeout: Duration) -> Result<Connection, DialError> {
        match &self.attachment {
            Attachment::Bound(bound) => dial(&bound.routing, &self.origin(bound), to, connect_timeout).await,
            Attachment::InPod(_) => dial_kernel(TcpStream::connect(to), connect_timeout, None).await,
        }
    }

    /// Connects to a port of this address, as from inside the pod.
    pub async fn dial_self(&self, port: u16) -> Result<Connection, DialError> {
        if let Attachment::Bound(bound) = &self.attachment
            && let Some(namespace) = bound.namespace.get()
        {
            let permit = permit(&bound.routing)?;
            let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            return dial_kernel(router::connect(namespace, to), CONNECT_TIMEOUT, Some(permit)).await;
        }
        self.dial(SocketAddr::new(self.address(), port), CONNECT_TIMEOUT).await
    }

    /// Opens a flow of datagrams to a pod or a Service.
    ///
    /// # Errors
    /// [`DialError::Unreachable`] inside a pod, where programs use the kernel's sockets.
    pub async fn flow(&self, to: SocketAddr) -> Result<Flow, DialError> {
        match &self.attachment {
            Attachment::Bound(bound) => Flow::open(bound.routing.clone(), self.origin(bound), to).await,
            Attachment::InPod(_) => Err(DialError::Unreachable),
        }
    }

    /// The first address of `host`, which is an address or the name of a Service.
    pub async fn resolve(&self, host: &str) -> Option<IpAddr> {
        if let Ok(address) = host.parse() {
            return Some(address);
        }
        match &self.attachment {
            Attachment::Bound(_) if host == "localhost" => Some(self.address()),
            Attachment::Bound(bound) => {
                let zones = bound.cluster.zones.read().clone()?;
                search_path::candidates(host, &self.pod_namespace).iter().find_map(|name| {
                    match zones.resolve(name, AddressType::V4) {
                        Resolution::Addresses(addresses) => addresses.first().copied(),
                        _ => None,
                    }
                })
            }
            Attachment::InPod(_) => {
                let found = tokio::net::lookup_host((host, 0)).await;
                found.ok()?.map(|address| address.ip()).find(IpAddr::is_ipv4)
            }
        }
    }

    fn origin(&self, bound: &BoundAddress) -> Origin {
        Origin { cluster: bound.cluster.name.clone(), address: Some(bound.address), node: self.node.clone() }
    }
}

/// A socket for both address families, or for IPv4 where the kernel has no IPv6.
async fn dual_stack_or_ipv4<T>(
    dual_stack: io::Result<T>,
    ipv4: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    match dual_stack {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => ipv4.await,
        result => result,
    }
}

/// Programs report a port in use differently from other errors.
fn listen_error(error: io::Error) -> ListenError {
    match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse,
        _ => ListenError::Host(error),
    }
}

fn permit(routing: &RoutingTable) -> Result<OwnedSemaphorePermit, DialError> {
    routing.connections.clone().try_acquire_owned().map_err(|_| DialError::TooMany)
}

/// Waits for a connection made by the kernel in a network namespace.
async fn dial_kernel(
    connect: impl Future<Output = io::Result<TcpStream>>,
    connect_timeout: Duration,
    permit: Option<OwnedSemaphorePermit>,
) -> Result<Connection, DialError> {
    let stream = timeout(connect_timeout, connect).await.map_err(|_| DialError::TimedOut)?;
    let stream = stream.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => DialError::Refused,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => DialError::Unreachable,
        io::ErrorKind::TimedOut => DialError::TimedOut,
        _ => DialError::Host(error),
    })?;
    stream.set_nodelay(true).map_err(DialError::Host)?;
    Ok(Connection::new(stream, None, permit))
}

/// Connects from `origin`: an interface, or a caller outside any pod.
pub(crate) async fn dial(
    routing: &RoutingTable,
    origin: &Origin,
    to: SocketAddr,
    connect_timeout: Duration,
) -> Result<Connection, DialError> {
    let permit = permit(routing)?;
    if let Some(router) = routing.router(&origin.cluster) {
        let connect = router::connect(&router.namespace, to);
        return dial_kernel(connect, connect_timeout, Some(permit)).await;
    }
    let route = routing.route(origin, Frontend { address: to, protocol: Protocol::Tcp }, Instant::now())?;
    let connect = async {
        if let Some(link) = &route.link {
            link.until_up().await?;
        }
        TcpStream::connect(route.socket).await.map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => DialError::Refused,
            _ => DialError::Host(error),
        })
    };
    let stream = timeout(connect_timeout, connect).await.map_err(|_| DialError::TimedOut)??;
    stream.set_nodelay(true).map_err(DialError::Host)?;
    Ok(Connection::new(stream, route.link, Some(permit)))
}

/// A registered port; dropping it frees the port.
#[derive(Debug)]
pub struct Publication {
    bound: Arc<BoundAddress>,
    frontend: Frontend,
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.bound.routing.unlisten(&self.bound.cluster.name, self.frontend);
    }
}

/// Accepts the TCP connections of one port.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    _publication: Option<Publication>,
}

impl accept::Listener for Listener {
    /// On the loopback network the peer address is a loopback socket, not the caller's address.
    type Connection = TcpStream;

    async fn accept(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.socket.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Receives and answers the datagrams of one port.
#[derive(Debug)]
pub struct Datagrams {
    socket: UdpSocket,
    _publication: Option<Publication>,
}

impl Datagrams {
    /// The next datagram and the socket to answer to.
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.recv_from(buffer).await
    }

    /// Answers a peer from [`Datagrams::receive`].
    pub async fn send(&self, bytes: &[u8], peer: SocketAddr) -> io::Result<()> {
        self.socket.send_to(bytes, peer).await.map(|_| ())
    }
}
