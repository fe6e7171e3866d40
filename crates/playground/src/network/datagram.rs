//! A flow of datagrams from one client to one address.
//!
//! The flow keeps the endpoint that was chosen for its first datagram, as connection tracking does, until it has
//! been idle for too long or the endpoint is gone. Datagrams over a cut link are lost.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::network::fabric::{Fabric, Origin, Route};
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
    tracked: Mutex<Option<Tracked>>,
    _permit: OwnedSemaphorePermit,
}

#[derive(Debug, Clone)]
struct Tracked {
    route: Route,
    used: Instant,
}

impl Flow {
    pub(crate) async fn open(fabric: Arc<Fabric>, origin: Origin, to: SocketAddr) -> Result<Self, DialError> {
        let permit = fabric.connections.clone().try_acquire_owned().map_err(|_| DialError::TooMany)?;
        let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let socket = UdpSocket::bind(any).await.map_err(DialError::Host)?;
        Ok(Self { fabric, origin, to, socket, tracked: Mutex::default(), _permit: permit })
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// [`DialError::Refused`] when nobody listens there: the caller learns at once what ICMP would tell it later.
    pub async fn send(&self, bytes: &[u8]) -> Result<(), DialError> {
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
            let mut tracked = self.tracked.lock();
            let current = tracked.as_mut().filter(|tracked| tracked.route.socket == from);
            if let Some(tracked) = current
                && tracked.route.gate.as_ref().is_none_or(|gate| gate.is_up())
            {
                tracked.used = Instant::now();
                return Ok(length);
            }
        }
    }

    /// The time since the last datagram in either direction.
    pub(crate) fn idle(&self, now: Instant) -> Duration {
        let tracked = self.tracked.lock();
        tracked.as_ref().map_or(Duration::ZERO, |tracked| now.saturating_duration_since(tracked.used))
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
