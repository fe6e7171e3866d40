//! DNS over TCP (RFC 7766): several queries on one connection, each prefixed with its length.
//!
//! The number of connections, their idle time and the memory of each are limited. A connection has one query at a time:
//! the next one is read when the answer to the last one is written. [`Slots`] decides which connection is closed when there
//! are too many.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_net::Shutdown;
use portolan_net::accept::{self, AcceptOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::Limits;
use super::slots::{ClientAddress, ConnectionId, Slots};
use crate::counters::{Counters, TcpCounters};
use crate::public::transfer;
use crate::respond::{Transport, respond};
use crate::zones::Zones;

/// Connections that are being closed for others. Further ones wait in the kernel's backlog until these are closed.
const CLOSING: usize = 64;
/// Least time between two warnings.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Counters of a TCP listener.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    pub(super) answers: Arc<Counters>,
    pub(super) connections: Arc<TcpCounters>,
}

/// Serves a listener until `scope` is asked to stop.
pub(super) fn spawn(
    listener: TcpListener,
    zones: Arc<Zones>,
    figures: Figures,
    limits: Limits,
    scope: &Shutdown,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let max_connections = limits.connections.saturating_add(CLOSING);
    let options = AcceptOptions { listener: "DNS over TCP", max_connections };
    let connections = Arc::new(Connections::new(limits.connections, figures.connections));
    let (stop, answers) = (scope.clone(), figures.answers);
    // The scope waits for the task; the handle is not needed.
    let _handle = scope.spawn(async move {
        accept::serve(listener, options, stop.requested(), |(stream, peer)| {
            let (zones, answers, stop) = (zones.clone(), answers.clone(), stop.clone());
            let (slot, closed) = Slot::open(&connections, peer.ip());
            async move {
                tokio::select! {
                    // Ignore disconnect errors.
                    _ = serve_connection(stream, peer.ip(), &zones, &answers, &slot, limits.idle) => {}
                    // The sender is dropped, never used.
                    _ = closed => {}
                    () = stop.requested() => {}
                }
            }
        })
        .await;
    });
    Ok(())
}

/// Answers queries in order, until the client closes the connection, is idle for too long, or sends a packet that is
/// not a query.
async fn serve_connection(
    stream: TcpStream,
    peer: IpAddr,
    zones: &Zones,
    counters: &Counters,
    slot: &Slot,
    idle: Duration,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut query, mut answer, mut turn) = (Vec::new(), Vec::new(), 0usize);
    loop {
        timeout(idle, async {
            let length = stream.read_u16().await?;
            query.resize(usize::from(length), 0);
            stream.read_exact(&mut query).await
        })
        .await??;
        slot.used();
        turn = turn.wrapping_add(1);
        if let Some(request) = transfer::Request::parse(&query) {
            let snapshot = zones.snapshot_owned();
            counters.count(Some(request.serve(&snapshot, peer, &mut stream, idle).await?));
            continue;
        }
        let answered = respond(&zones.snapshot(), &query, peer, Transport::Tcp, turn, &mut answer);
        counters.count(answered);
        if answered.is_none() {
            return Ok(());
        }
        let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
        answer.splice(0..0, length.to_be_bytes());
        timeout(idle, stream.write_all(&answer)).await??;
    }
}

/// The open connections of a listener.
struct Connections {
    open: Mutex<Open>,
    figures: Arc<TcpCounters>,
}

struct Open {
    slots: Slots,
    /// Dropping the sender closes the connection.
    closers: HashMap<ConnectionId, oneshot::Sender<()>>,
    warned: Option<Instant>,
}

impl Connections {
    fn new(limit: usize, figures: Arc<TcpCounters>) -> Self {
        let open = Open { slots: Slots::new(limit), closers: HashMap::new(), warned: None };
        Self { open: Mutex::new(open), figures }
    }
}

/// The place of one connection, until it is dropped.
struct Slot {
    id: ConnectionId,
    connections: Arc<Connections>,
}

impl Slot {
    /// A place for a connection from `peer`. The receiver completes when the connection must close for another one.
    fn open(connections: &Arc<Connections>, peer: IpAddr) -> (Self, oneshot::Receiver<()>) {
        let (closer, closed) = oneshot::channel();
        let mut open = connections.open.lock();
        let (id, evicted) = open.slots.open(ClientAddress::new(peer));
        open.closers.insert(id, closer);
        if let Some(evicted) = evicted {
            open.closers.remove(&evicted.id);
            connections.figures.evicted();
            let now = Instant::now();
            if open.warned.is_none_or(|warned| now.duration_since(warned) >= WARNING_INTERVAL) {
                open.warned = Some(now);
                tracing::warn!(
                    client = %evicted.client, connections = evicted.connections,
                    "all connections of DNS over TCP are in use; closing the most idle of the client with the most"
                );
            }
        }
        connections.figures.set_open(open.slots.len());
        drop(open);
        (Self { id, connections: connections.clone() }, closed)
    }

    /// Notes a query.
    fn used(&self) {
        self.connections.open.lock().slots.used(self.id);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock();
        open.slots.close(self.id);
        open.closers.remove(&self.id);
        self.connections.figures.set_open(open.slots.len());
    }
}
