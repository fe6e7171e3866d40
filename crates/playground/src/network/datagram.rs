//! A flow of datagrams from one client to one address.
//!
//! The flow keeps the endpoint that was chosen for its first datagram, as connection tracking does, until it has
//! been idle for too long or the endpoint is gone. Datagrams over a cut link are lost. Where the kernel carries the
//! traffic, it does all of this.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::network::fabric::{Fabric, Origin, Route};
use crate::network::namespaces::router;
use crate::network::rules::Front;
use crate::network::{DialError, Protocol};

/// A flow that was silent for this long starts over with a new endpoint (Linux: `nf_conntrack_udp_timeout_stream`).
pub(crate) const IDLE: Duration = Duration::from_secs(120);

/// An open flow.
#[derive(Debug)]
pub struct Flow {
    fabric: Arc<Fabric>,
    origin: Origin,
    to: SocketAddr,
    socket: UdpSocket,
    /// The socket is inside of the cluster's namespace.
    is_inside: bool,
    used: Mutex<Instant>,
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
    pub(crate) async fn open(fabric: Arc<Fabric>, origin: Origin, to: SocketAddr) -> Result<Self, DialError> {
        let permit = fabric.connections.clone().try_acquire_owned().map_err(|_| DialError::TooMany)?;
        let (socket, is_inside) = match fabric.router(&origin.cluster) {
            Some(router) => {
                let socket = router::bind(&router.namespace, ANY).await;
                (socket.and_then(UdpSocket::from_std).map_err(DialError::Host)?, true)
            }
            None => {
                let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
                (UdpSocket::bind(any).await.map_err(DialError::Host)?, false)
            }
        };
        let used = Mutex::new(Instant::now());
        Ok(Self { fabric, origin, to, socket, is_inside, used, tracked: Mutex::default(), _permit: permit })
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// [`DialError::Refused`] when nobody listens there: the caller learns at once what ICMP would tell it later.
    pub async fn send(&self, bytes: &[u8]) -> Result<(), DialError> {
        *self.used.lock() = Instant::now();
        if self.is_inside {
            return self.socket.send_to(bytes, self.to).await.map(|_| ()).map_err(DialError::Host);
        }
        let route = self.track(Instant::now())?;
        if route.gate.as_ref().is_some_and(|gate| !gate.is_up()) {
            return Ok(());
        }
        self.socket.send_to(bytes, route.socket).await.map(|_| ()).map_err(DialError::Host)
    }

    /// Waits for the next answer of the current endpoint.
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let (length, from) = self.socket.recv_from(buffer).await?;
            if self.is_inside && from == self.to {
                *self.used.lock() = Instant::now();
                return Ok(length);
            }
            let mut tracked = self.tracked.lock();
            let current = tracked.as_mut().filter(|tracked| tracked.route.socket == from);
            if let Some(tracked) = current
                && tracked.route.gate.as_ref().is_none_or(|gate| gate.is_up())
            {
                tracked.used = Instant::now();
                *self.used.lock() = tracked.used;
                return Ok(length);
            }
        }
    }

    /// The time since the last datagram in either direction.
    pub(crate) fn idle(&self, now: Instant) -> Duration {
        now.saturating_duration_since(*self.used.lock())
    }

    fn track(&self, now: Instant) -> Result<Route, DialError> {
        let mut tracked = self.tracked.lock();
        let kept = tracked
            .take()
            .filter(|kept| now.saturating_duration_since(kept.used) < IDLE && self.is_current(&kept.route));
        let route = match kept {
            Some(kept) => kept.route,
            None => self.fabric.route(&self.origin, self.front(), now)?,
        };
        *tracked = Some(Tracked { route: route.clone(), used: now });
        Ok(route)
    }

    /// Whether the endpoint is still one of the Service's, and still listens.
    fn is_current(&self, route: &Route) -> bool {
        self.fabric.leads_to(&self.origin, self.front(), route)
    }

    fn front(&self) -> Front {
        Front { address: self.to, protocol: Protocol::Udp }
    }
}
