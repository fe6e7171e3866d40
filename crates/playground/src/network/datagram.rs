//! A flow of datagrams from one client to one address.
//!
//! The flow keeps the endpoint that was chosen for its first datagram, as connection tracking does, until it was idle
//! for [`IDLE_TIMEOUT`] or the endpoint is gone. Datagrams over a link that is down are lost. In namespaces mode the
//! kernel does all of this.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::network::address::{Frontend, Protocol};
use crate::network::error::DialError;
use crate::network::namespaces::router;
use crate::network::routing::{Origin, Route, RoutingTable};

/// Idle time after which a flow chooses a new endpoint (Linux: `nf_conntrack_udp_timeout_stream`).
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// An open flow.
#[derive(Debug)]
pub struct Flow {
    routing: Arc<RoutingTable>,
    origin: Origin,
    to: SocketAddr,
    socket: UdpSocket,
    /// Whether the socket is in the network namespace of the cluster.
    is_in_namespace: bool,
    tracked: Mutex<Option<Tracked>>,
    _permit: OwnedSemaphorePermit,
}

#[derive(Debug, Clone)]
struct Tracked {
    route: Route,
    used: Instant,
}

const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

impl Flow {
    pub(crate) async fn open(
        routing: Arc<RoutingTable>,
        origin: Origin,
        to: SocketAddr,
    ) -> Result<Self, DialError> {
        let permit = routing.connections.clone().try_acquire_owned().map_err(|_| DialError::TooMany)?;
        let (socket, is_in_namespace) = match routing.router(&origin.cluster) {
            Some(router) => {
                let socket = router::bind(&router.namespace, ANY).await;
                (socket.and_then(UdpSocket::from_std).map_err(DialError::Host)?, true)
            }
            None => {
                let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
                (UdpSocket::bind(any).await.map_err(DialError::Host)?, false)
            }
        };
        Ok(Self { routing, origin, to, socket, is_in_namespace, tracked: Mutex::default(), _permit: permit })
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// [`DialError::Refused`] when the port is closed; a kernel would report it later, by ICMP.
    pub async fn send(&self, bytes: &[u8]) -> Result<(), DialError> {
        if self.is_in_namespace {
            return self.socket.send_to(bytes, self.to).await.map(|_| ()).map_err(DialError::Host);
        }
        let route = self.track(Instant::now())?;
        if route.link.as_ref().is_some_and(|link| !link.is_up()) {
            return Ok(());
        }
        self.socket.send_to(bytes, route.socket).await.map(|_| ()).map_err(DialError::Host)
    }

    /// The next answer of the current endpoint.
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let (length, from) = self.socket.recv_from(buffer).await?;
            if self.is_in_namespace && from == self.to {
                return Ok(length);
            }
            let mut tracked = self.tracked.lock();
            let current = tracked.as_mut().filter(|tracked| tracked.route.socket == from);
            if let Some(tracked) = current
                && tracked.route.link.as_ref().is_none_or(|link| link.is_up())
            {
                tracked.used = Instant::now();
                return Ok(length);
            }
        }
    }

    fn track(&self, now: Instant) -> Result<Route, DialError> {
        let mut tracked = self.tracked.lock();
        let kept = tracked.take().filter(|kept| {
            now.saturating_duration_since(kept.used) < IDLE_TIMEOUT && self.is_current(&kept.route)
        });
        let route = match kept {
            Some(kept) => kept.route,
            None => self.routing.route(&self.origin, self.frontend(), now)?,
        };
        *tracked = Some(Tracked { route: route.clone(), used: now });
        Ok(route)
    }

    /// Whether the endpoint still belongs to the Service and still listens.
    fn is_current(&self, route: &Route) -> bool {
        self.routing.leads_to(&self.origin, self.frontend(), route)
    }

    fn frontend(&self) -> Frontend {
        Frontend { address: self.to, protocol: Protocol::Udp }
    }
}
