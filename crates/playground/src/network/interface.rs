//! An address on the network, as the programs of a pod hold it: listen on it, dial from it.
//!
//! Handles are guards. Dropping a listener frees its port, dropping the last handle of an interface frees the
//! address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::{Instant, timeout};

use crate::network::connection::Connection;
use crate::network::datagram::Flow;
use crate::network::fabric::{Cluster, Fabric, Origin};
use crate::network::names;
use crate::network::rules::Front;
use crate::network::{ClusterName, DialError, Protocol};

/// How long a program waits for a connection unless it says otherwise: Linux gives up after six SYN retries.
pub const CONNECT_PATIENCE: Duration = Duration::from_secs(127);

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A pod's or a node's place on the network. Clones share the address.
#[derive(Debug, Clone)]
pub struct Interface {
    held: Arc<Held>,
    node: Option<Arc<str>>,
    namespace: Arc<str>,
}

#[derive(Debug)]
struct Held {
    fabric: Arc<Fabric>,
    cluster: Arc<Cluster>,
    address: IpAddr,
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
}

impl Interface {
    pub(crate) fn new(fabric: Arc<Fabric>, cluster: Arc<Cluster>, address: IpAddr) -> Self {
        cluster.attached.write().insert(address);
        Self { held: Arc::new(Held { fabric, cluster, address }), node: None, namespace: "default".into() }
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
        self.held.address
    }

    /// The cluster it belongs to.
    pub fn cluster(&self) -> &ClusterName {
        &self.held.cluster.name
    }

    /// Listens for TCP connections on a port of this address.
    pub async fn listen(&self, port: u16) -> Result<Listener, ListenError> {
        let socket = TcpListener::bind(LOOPBACK).await.map_err(ListenError::Host)?;
        let local = socket.local_addr().map_err(ListenError::Host)?;
        let publication = self.publish(port, Protocol::Tcp, local)?;
        Ok(Listener { socket, _publication: publication })
    }

    /// Receives datagrams on a port of this address.
    pub async fn bind(&self, port: u16) -> Result<Datagrams, ListenError> {
        let socket = UdpSocket::bind(LOOPBACK).await.map_err(ListenError::Host)?;
        let local = socket.local_addr().map_err(ListenError::Host)?;
        let publication = self.publish(port, Protocol::Udp, local)?;
        Ok(Datagrams { socket, _publication: publication })
    }

    /// Makes a socket of the host reachable as a port of this address, for as long as the result is kept.
    pub fn publish(
        &self,
        port: u16,
        protocol: Protocol,
        socket: SocketAddr,
    ) -> Result<Publication, ListenError> {
        let front = Front { address: SocketAddr::new(self.address(), port), protocol };
        if !self.held.fabric.listen(self.cluster(), front, socket) {
            return Err(ListenError::InUse);
        }
        Ok(Publication { interface: self.clone(), front })
    }

    /// Connects to a pod or a Service; a silent link is waited for until `patience` is over.
    pub async fn dial(&self, to: SocketAddr, patience: Duration) -> Result<Connection, DialError> {
        dial(&self.held.fabric, &self.origin(), to, patience).await
    }

    /// Connects to a port of this very address, as from inside of the pod.
    pub async fn dial_self(&self, port: u16) -> Result<Connection, DialError> {
        self.dial(SocketAddr::new(self.address(), port), CONNECT_PATIENCE).await
    }

    /// Opens a flow of datagrams to a pod or a Service.
    pub async fn flow(&self, to: SocketAddr) -> Result<Flow, DialError> {
        Flow::open(self.held.fabric.clone(), self.origin(), to).await
    }

    /// The first address behind `host`: an address as it is, or the name of a Service.
    pub fn resolve(&self, host: &str) -> Option<IpAddr> {
        if let Ok(address) = host.parse() {
            return Some(address);
        }
        if host == "localhost" {
            return Some(self.address());
        }
        let candidates = names::services(host, &self.namespace);
        candidates.iter().find_map(|service| self.held.cluster.proxy.named(service).first().copied())
    }

    fn origin(&self) -> Origin {
        Origin { cluster: self.cluster().clone(), address: Some(self.address()), node: self.node.clone() }
    }
}

/// Connects from `origin`, shared by interfaces, doors and callers outside of any pod.
pub(crate) async fn dial(
    fabric: &Fabric,
    origin: &Origin,
    to: SocketAddr,
    patience: Duration,
) -> Result<Connection, DialError> {
    let permit = fabric.connections.clone().try_acquire_owned().map_err(|_| DialError::TooMany)?;
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
    Ok(Connection::new(stream, route.gate, permit))
}

/// A registered port; dropping it frees the port.
#[derive(Debug)]
pub struct Publication {
    interface: Interface,
    front: Front,
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.interface.held.fabric.unlisten(self.interface.cluster(), self.front);
    }
}

/// Accepts the TCP connections of one port.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    _publication: Publication,
}

impl Listener {
    /// The next connection. Its peer address is a loopback socket, not the caller's address on the network.
    pub async fn accept(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.socket.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Receives and answers the datagrams of one port.
#[derive(Debug)]
pub struct Datagrams {
    socket: UdpSocket,
    _publication: Publication,
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
