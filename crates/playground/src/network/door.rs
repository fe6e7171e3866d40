//! A loopback socket of the host that leads to an address of a cluster.
//!
//! Pods dial through their interface; a door is for whoever is not on the network: a browser, a benchmark, a DNS
//! client. What comes in at the door is forwarded as if a caller inside the cluster had dialled: to the ready
//! endpoints of a Service, or to a pod.

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use portolan_net::accept::{self, AcceptOptions};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::debug;

use crate::network::datagram::{Flow, IDLE};
use crate::network::fabric::{Fabric, Origin};
use crate::network::interface::dial;

/// Clients that a datagram door remembers; the next one is not answered until one has been idle.
const DATAGRAM_CLIENTS: usize = 256;
/// Connections that one listener forwards at a time; more wait in the kernel.
const MAX_CONNECTIONS: usize = 512;
/// A door does not wait as long as a pod: its client sits at a terminal.
const PATIENCE: Duration = Duration::from_secs(10);
const LARGEST_DATAGRAM: usize = 65_535;
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// An open door. Dropping it closes the socket and all connections through it.
#[derive(Debug)]
pub struct Door {
    address: SocketAddr,
    _close: DropGuard,
}

impl Door {
    /// The loopback socket to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn open_tcp(
        fabric: Arc<Fabric>,
        origin: Origin,
        to: SocketAddr,
        tasks: &tokio_util::task::TaskTracker,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(LOOPBACK).await?;
        let address = listener.local_addr()?;
        let closed = CancellationToken::new();
        let options = AcceptOptions { listener: "host listener", max_connections: MAX_CONNECTIONS };
        let accept = accept::serve(listener, options, pending(), move |(client, _peer)| {
            let (fabric, origin) = (fabric.clone(), origin.clone());
            async move { forward(client, &fabric, &origin, to).await }
        });
        tasks.spawn(closed.clone().run_until_cancelled_owned(accept));
        Ok(Self { address, _close: closed.drop_guard() })
    }

    pub(crate) async fn open_udp(
        fabric: Arc<Fabric>,
        origin: Origin,
        to: SocketAddr,
        tasks: &tokio_util::task::TaskTracker,
    ) -> io::Result<Self> {
        let socket = Arc::new(UdpSocket::bind(LOOPBACK).await?);
        let address = socket.local_addr()?;
        let closed = CancellationToken::new();
        let relay = Relay { socket, fabric, origin, to };
        tasks.spawn(closed.clone().run_until_cancelled_owned(relay.run()));
        Ok(Self { address, _close: closed.drop_guard() })
    }
}

async fn forward(mut client: TcpStream, fabric: &Fabric, origin: &Origin, to: SocketAddr) {
    match dial(fabric, origin, to, PATIENCE).await {
        Ok(mut connection) => {
            // Either side may break off at any time; the other sees the end of the stream.
            let _ = copy_bidirectional(&mut client, &mut connection).await;
        }
        Err(error) => {
            debug!(%to, %error, "door cannot reach its address");
            // The client sees a reset, the nearest to a refusal once its connection was accepted.
            let _ = client.set_zero_linger();
        }
    }
}

/// Forwards datagrams, one flow per client.
struct Relay {
    socket: Arc<UdpSocket>,
    fabric: Arc<Fabric>,
    origin: Origin,
    to: SocketAddr,
}

impl Relay {
    async fn run(self) {
        let mut clients: BTreeMap<SocketAddr, Arc<Flow>> = BTreeMap::new();
        let mut answers = JoinSet::new();
        let mut sweep = interval(IDLE / 4);
        let mut buffer = vec![0; LARGEST_DATAGRAM];
        loop {
            tokio::select! {
                received = self.socket.recv_from(&mut buffer) => {
                    let Ok((length, client)) = received else { continue };
                    if let Some(flow) = self.flow(client, &mut clients, &mut answers).await
                        && let Err(error) = flow.send(&buffer[..length]).await
                    {
                        debug!(to = %self.to, %error, "door drops a datagram");
                    }
                }
                _ = sweep.tick() => {
                    let now = Instant::now();
                    clients.retain(|_, flow| flow.idle(now) < IDLE);
                }
                Some(_) = answers.join_next() => {}
            }
        }
    }

    async fn flow(
        &self,
        client: SocketAddr,
        clients: &mut BTreeMap<SocketAddr, Arc<Flow>>,
        answers: &mut JoinSet<()>,
    ) -> Option<Arc<Flow>> {
        if let Some(flow) = clients.get(&client) {
            return Some(flow.clone());
        }
        if clients.len() >= DATAGRAM_CLIENTS {
            return None;
        }
        let flow = Arc::new(Flow::open(self.fabric.clone(), self.origin.clone(), self.to).await.ok()?);
        clients.insert(client, flow.clone());
        answers.spawn(answer(Arc::downgrade(&flow), self.socket.clone(), client));
        Some(flow)
    }
}

/// Carries the answers of a flow back to its client until the flow is idle.
async fn answer(flow: std::sync::Weak<Flow>, socket: Arc<UdpSocket>, client: SocketAddr) {
    let mut buffer = vec![0; LARGEST_DATAGRAM];
    while let Some(flow) = flow.upgrade() {
        match tokio::time::timeout(IDLE / 4, flow.receive(&mut buffer)).await {
            Ok(Ok(length)) => {
                let _ = socket.send_to(&buffer[..length], client).await;
            }
            Ok(Err(_)) => return,
            // Lets go of the flow so that an idle one can end.
            Err(_) => {}
        }
    }
}
