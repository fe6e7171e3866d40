//! An address on the network, as the programs of a pod hold it: listen on it, dial from it.
//!
//! Handles are guards. Dropping a listener frees its port, dropping the last handle of an interface frees the
//! address. Inside of a pod that is a process of its own, the interface is simply that of the process.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use portolan_dns::{AddressType, Resolution};
use portolan_net::accept;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{OnceCell, OwnedSemaphorePermit};
use tokio::time::{Instant, timeout};

use crate::network::connection::Connection;
use crate::network::datagram::Flow;
use crate::network::fabric::{Cluster, Fabric, Origin};
use crate::network::names;
use crate::network::namespaces::ToolError;
use crate::network::namespaces::kernel::NetworkNamespace;
use crate::network::namespaces::router;
use crate::network::rules::Front;
use crate::network::{ClusterName, DialError, Protocol};

/// How long a program waits for a connection unless it says otherwise: Linux gives up after six SYN retries.
pub const CONNECT_PATIENCE: Duration = Duration::from_secs(127);

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A pod's or a node's place on the network. Clones share the address.
#[derive(Debug, Clone)]
pub struct Interface {
    place: Place,
    node: Option<Arc<str>>,
    namespace: Arc<str>,
}

#[derive(Debug, Clone)]
enum Place {
    /// On the network that this process carries.
    Held(Arc<Held>),
    /// This process is in the namespace of the address.
    Own(IpAddr),
}

#[derive(Debug)]
struct Held {
    fabric: Arc<Fabric>,
    cluster: Arc<Cluster>,
    address: IpAddr,
    /// The namespace of the pod, once it has one.
    wire: OnceCell<Arc<NetworkNamespace>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.cluster.attached.write().remove(&self.address);
        if let IpAddr::V4(address) = self.address {
            self.cluster.pool.lock().release(address);
        }
    }
}

/// Why a program cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Something listens on that port of the address already.
    #[error("address already in use")]
    InUse,
    /// The host has no socket left.
    #[error("no loopback socket")]
    Host(#[source] io::Error),
    /// The network is not this process's.
    #[error("a process inside of a pod has no sockets of other processes to publish")]
    Foreign,
}

impl Interface {
    pub(crate) fn new(fabric: Arc<Fabric>, cluster: Arc<Cluster>, address: IpAddr) -> Self {
        cluster.attached.write().insert(address);
        let held = Held { fabric, cluster, address, wire: OnceCell::new() };
        Self { place: Place::Held(Arc::new(held)), node: None, namespace: "default".into() }
    }

    /// The interface of a process that is in the namespace of this address.
    pub(crate) fn own(address: IpAddr) -> Self {
        Self { place: Place::Own(address), node: None, namespace: "default".into() }
    }

    /// The namespace of the pod, made when it is asked for first; that of the cluster for a node's own address.
    /// `None` on the loopback network.
    pub(crate) async fn wire(&self) -> Result<Option<Arc<NetworkNamespace>>, ToolError> {
        let Place::Held(held) = &self.place else { return Ok(None) };
        let Some(router) = held.fabric.router(&held.cluster.name) else { return Ok(None) };
        let address = match held.address {
            IpAddr::V4(address) if held.cluster.pods.contains(held.address) => address,
            _ => return Ok(Some(router.namespace.clone())),
        };
        let node = self.node.as_deref().unwrap_or_default();
        let wire = held.wire.get_or_try_init(|| router.wire(address, node)).await?;
        Ok(Some(wire.clone()))
    }

    /// The same address as seen from `node` and from a pod of `namespace`: they decide which endpoints count as
    /// local and what a short Service name means.
    #[must_use]
    pub fn located(mut self, node: &str, namespace: &str) -> Self {
        self.node = Some(node.into());
        self.namespace = namespace.into();
        self
    }

    /// The address.
    pub fn address(&self) -> IpAddr {
        match &self.place {
            Place::Held(held) => held.address,
            Place::Own(address) => *address,
        }
    }

    /// All addresses: that one, and in a dual-stack cluster the pod's IPv6 address.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let second = match (&self.place, self.address()) {
            (Place::Held(held), IpAddr::V4(address)) if held.fabric.namespaces.is_some() => {
                held.cluster.pods.second(address)
            }
            _ => None,
        };
        std::iter::once(self.address()).chain(second.map(IpAddr::V6)).collect()
    }

    /// The cluster it belongs to, unless this process is inside of the pod.
    pub fn cluster(&self) -> Option<&ClusterName> {
        match &self.place {
            Place::Held(held) => Some(&held.cluster.name),
            Place::Own(_) => None,
        }
    }

    /// Listens for TCP connections on a port of this address.
    pub async fn listen(&self, port: u16) -> Result<Listener, ListenError> {
        if let Place::Own(_) = self.place {
            let socket = either(
                TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await,
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)),
            );
            let socket = socket.await.map_err(in_use)?;
            return Ok(Listener { socket, _publication: None });
        }
        let socket = TcpListener::bind(LOOPBACK).await.map_err(ListenError::Host)?;
        let local = socket.local_addr().map_err(ListenError::Host)?;
        let publication = self.publish(port, Protocol::Tcp, local)?;
        Ok(Listener { socket, _publication: Some(publication) })
    }

    /// Receives datagrams on a port of this address.
    pub async fn bind(&self, port: u16) -> Result<Datagrams, ListenError> {
        if let Place::Own(_) = self.place {
            let socket = either(
                UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)).await,
                UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)),
            );
            let socket = socket.await.map_err(in_use)?;
            return Ok(Datagrams { socket, _publication: None });
        }
        let socket = UdpSocket::bind(LOOPBACK).await.map_err(ListenError::Host)?;
        let local = socket.local_addr().map_err(ListenError::Host)?;
        let publication = self.publish(port, Protocol::Udp, local)?;
        Ok(Datagrams { socket, _publication: Some(publication) })
    }

    /// Makes a socket of the host reachable as a port of this address, for as long as the result is kept.
    pub fn publish(
        &self,
        port: u16,
        protocol: Protocol,
        socket: SocketAddr,
    ) -> Result<Publication, ListenError> {
        let front = Front { address: SocketAddr::new(self.address(), port), protocol };
        let Place::Held(held) = &self.place else { return Err(ListenError::Foreign) };
        if !held.fabric.listen(&held.cluster.name, front, socket) {
            return Err(ListenError::InUse);
        }
        Ok(Publication { held: held.clone(), front })
    }

    /// Connects to a pod or a Service; a silent link is waited for until `patience` is over.
    pub async fn dial(&self, to: SocketAddr, patience: Duration) -> Result<Connection, DialError> {
        match &self.place {
            Place::Held(held) => dial(&held.fabric, &self.origin(held), to, patience).await,
            Place::Own(_) => real(TcpStream::connect(to), patience, None).await,
        }
    }

    /// Connects to a port of this very address, as from inside of the pod.
    pub async fn dial_self(&self, port: u16) -> Result<Connection, DialError> {
        if let Place::Held(held) = &self.place
            && let Some(wire) = held.wire.get()
        {
            let permit = permit(&held.fabric)?;
            let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            return real(router::connect(wire, to), CONNECT_PATIENCE, Some(permit)).await;
        }
        self.dial(SocketAddr::new(self.address(), port), CONNECT_PATIENCE).await
    }

    /// Opens a flow of datagrams to a pod or a Service.
    ///
    /// # Errors
    /// [`DialError::Unreachable`] inside of a pod, whose programs have sockets of their own for it.
    pub async fn flow(&self, to: SocketAddr) -> Result<Flow, DialError> {
        match &self.place {
            Place::Held(held) => Flow::open(held.fabric.clone(), self.origin(held), to).await,
            Place::Own(_) => Err(DialError::Unreachable),
        }
    }

    /// The first address behind `host`: an address as it is, or the name of a Service.
    pub async fn resolve(&self, host: &str) -> Option<IpAddr> {
        if let Ok(address) = host.parse() {
            return Some(address);
        }
        match &self.place {
            Place::Held(_) if host == "localhost" => Some(self.address()),
            Place::Held(held) => {
                let zones = held.cluster.zones.get()?;
                names::candidates(host, &self.namespace).iter().find_map(|name| {
                    match zones.resolve(name, AddressType::V4) {
                        Resolution::Addresses(addresses) => addresses.first().copied(),
                        _ => None,
                    }
                })
            }
            Place::Own(_) => {
                let found = tokio::net::lookup_host((host, 0)).await;
                found.ok()?.map(|address| address.ip()).find(IpAddr::is_ipv4)
            }
        }
    }

    fn origin(&self, held: &Held) -> Origin {
        Origin { cluster: held.cluster.name.clone(), address: Some(held.address), node: self.node.clone() }
    }
}

/// A socket for both address families, or for IPv4 alone where the kernel has no other.
async fn either<T>(both: io::Result<T>, fourth: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match both {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => fourth.await,
        result => result,
    }
}

/// A port that is taken is told apart, for programs say so.
fn in_use(error: io::Error) -> ListenError {
    match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse,
        _ => ListenError::Host(error),
    }
}

fn permit(fabric: &Fabric) -> Result<OwnedSemaphorePermit, DialError> {
    fabric.connections.clone().try_acquire_owned().map_err(|_| DialError::TooMany)
}

/// A connection that the kernel makes.
async fn real(
    connect: impl Future<Output = io::Result<TcpStream>>,
    patience: Duration,
    permit: Option<OwnedSemaphorePermit>,
) -> Result<Connection, DialError> {
    let stream = timeout(patience, connect).await.map_err(|_| DialError::TimedOut)?;
    let stream = stream.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => DialError::Refused,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => DialError::Unreachable,
        io::ErrorKind::TimedOut => DialError::TimedOut,
        _ => DialError::Host(error),
    })?;
    stream.set_nodelay(true).map_err(DialError::Host)?;
    Ok(Connection::new(stream, None, permit))
}

/// Connects from `origin`, shared by interfaces, doors and callers outside of any pod.
pub(crate) async fn dial(
    fabric: &Fabric,
    origin: &Origin,
    to: SocketAddr,
    patience: Duration,
) -> Result<Connection, DialError> {
    let permit = permit(fabric)?;
    if let Some(router) = fabric.router(&origin.cluster) {
        return real(router::connect(&router.namespace, to), patience, Some(permit)).await;
    }
    let route = fabric.route(origin, Front { address: to, protocol: Protocol::Tcp }, Instant::now())?;
    let connect = async {
        if let Some(gate) = &route.gate {
            gate.passable().await?;
        }
        TcpStream::connect(route.socket).await.map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => DialError::Refused,
            _ => DialError::Host(error),
        })
    };
    let stream = timeout(patience, connect).await.map_err(|_| DialError::TimedOut)??;
    stream.set_nodelay(true).map_err(DialError::Host)?;
    Ok(Connection::new(stream, route.gate, Some(permit)))
}

/// A registered port; dropping it frees the port.
#[derive(Debug)]
pub struct Publication {
    held: Arc<Held>,
    front: Front,
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.held.fabric.unlisten(&self.held.cluster.name, self.front);
    }
}

/// Accepts the TCP connections of one port.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    _publication: Option<Publication>,
}

impl accept::Listener for Listener {
    /// The peer address is a loopback socket on the loopback network, not the caller's address.
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

    /// Answers a peer that [`Datagrams::receive`] named.
    pub async fn send(&self, bytes: &[u8], peer: SocketAddr) -> io::Result<()> {
        self.socket.send_to(bytes, peer).await.map(|_| ())
    }
}
