//! Sockets, and what serves them: threads for UDP, tasks for TCP.
//!
//! The sockets may be the caller's, bound wherever it likes, a network namespace for instance. Everything stops with
//! the scope it was started in.

mod tcp;

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use portolan_net::Shutdown;
use portolan_net::server::ListenError;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use tokio::sync::oneshot;

use crate::counters::Statistics;
use crate::datagrams;
use crate::respond::{Transport, respond};
use crate::zones::Zones;

/// What the kernel keeps of queries that arrive faster than they are answered; it may grant less.
const RECEIVE_BUFFER: usize = 4 << 20;
/// A worker that nothing else woke looks this often whether it shall stop.
const WAKE_UP: Duration = Duration::from_secs(5);
/// Attempts to find one free port for UDP and TCP.
const PORT_ATTEMPTS: usize = 16;

/// Bounds of a server; the default is what production runs with.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// TCP connections at a time; more wait in the kernel.
    pub connections: usize,
    /// Time a TCP client has for its next query, and for taking an answer.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 512, idle: Duration::from_secs(10) }
    }
}

/// A server that has its sockets and does not answer yet.
#[derive(Debug)]
pub struct Server {
    zones: Arc<Zones>,
    udp: Vec<UdpSocket>,
    tcp: Vec<TcpListener>,
    limits: Limits,
}

/// A server could not be started on its sockets.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve DNS on {socket}")]
pub struct StartError {
    socket: String,
    #[source]
    source: io::Error,
}

impl Server {
    /// Takes sockets that the caller has bound. Each UDP socket gets a thread of its own.
    pub fn on_sockets(zones: Arc<Zones>, udp: Vec<UdpSocket>, tcp: Vec<TcpListener>) -> Self {
        Self { zones, udp, tcp, limits: Limits::default() }
    }

    /// Binds UDP sockets for `workers` threads, and a TCP socket, to one address. Port 0 takes a free one.
    ///
    /// # Errors
    /// [`ListenError`] naming the address and what to do.
    pub fn bind(zones: Arc<Zones>, address: SocketAddr, workers: usize) -> Result<Self, ListenError> {
        let mut attempts = if address.port() == 0 { PORT_ATTEMPTS } else { 1 };
        loop {
            attempts -= 1;
            match bind_both(address, workers.max(1)) {
                Ok((udp, tcp)) => return Ok(Self::on_sockets(zones, udp, vec![tcp])),
                Err(error) if attempts > 0 && error.kind() == io::ErrorKind::AddrInUse => {}
                Err(source) => return Err(ListenError { address, source }),
            }
        }
    }

    /// Replaces the default limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where it listens, by UDP.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.udp.iter().filter_map(|socket| socket.local_addr().ok()).collect()
    }

    /// Answers until `scope` is asked to stop. Has to be called within a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`] when a socket or a thread cannot be set up.
    pub fn start(self, scope: &Shutdown) -> Result<Statistics, StartError> {
        let Self { zones, udp, tcp, limits } = self;
        let statistics = Statistics::default();
        for listener in tcp {
            let socket = name_of("TCP", listener.local_addr());
            let failed = |source| StartError { socket, source };
            tcp::spawn(listener, zones.clone(), statistics.worker(), limits, scope).map_err(failed)?;
        }
        let workers = Workers { stop: Arc::default(), sockets: Vec::new(), ended: Vec::new() };
        let workers = udp.into_iter().try_fold(workers, |mut workers, socket| {
            let name = name_of("UDP", socket.local_addr());
            let started = workers.start(socket, &zones, &statistics);
            // On an error, dropping the workers ends those that run already.
            started.map_err(|source| StartError { socket: name, source }).map(|()| workers)
        })?;
        let stopping = scope.clone();
        // The scope waits for it; nobody needs the handle.
        let _handle = scope.spawn(async move {
            stopping.requested().await;
            workers.end().await;
        });
        Ok(statistics)
    }
}

fn name_of(protocol: &str, address: io::Result<SocketAddr>) -> String {
    address.map_or_else(|_| format!("a {protocol} socket"), |address| format!("{protocol} {address}"))
}

fn bind_both(address: SocketAddr, workers: usize) -> io::Result<(Vec<UdpSocket>, TcpListener)> {
    let tcp = TcpListener::bind(address)?;
    let address = tcp.local_addr()?;
    // Workers share a port, and would share it with a stranger as well: without sharing, a taken port is noticed.
    drop(UdpSocket::bind(address)?);
    let udp: io::Result<Vec<UdpSocket>> = (0..workers).map(|_| bind_shared(address)).collect();
    Ok((udp?, tcp))
}

fn bind_shared(address: SocketAddr) -> io::Result<UdpSocket> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = rustix::net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    Ok(socket.into())
}

/// Threads that answer datagrams.
struct Workers {
    stop: Arc<AtomicBool>,
    sockets: Vec<Arc<UdpSocket>>,
    /// Closed by each thread at its end.
    ended: Vec<oneshot::Receiver<()>>,
}

impl Workers {
    fn start(&mut self, socket: UdpSocket, zones: &Arc<Zones>, statistics: &Statistics) -> io::Result<()> {
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(WAKE_UP))?;
        // A wish: the kernel has its own limit.
        let _ = sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER);
        let socket = Arc::new(socket);
        let (worker, zones, counters) = (socket.clone(), zones.clone(), statistics.worker());
        let (stop, (alive, ended)) = (self.stop.clone(), oneshot::channel::<()>());
        std::thread::Builder::new().name(format!("dns-udp-{}", self.sockets.len())).spawn(move || {
            let turn = AtomicUsize::new(0);
            let begin = || zones.snapshot();
            let served = datagrams::serve(&worker, &stop, begin, |snapshot, query, out| {
                let turn = turn.fetch_add(1, Ordering::Relaxed);
                let answered = respond(snapshot, query, Transport::Udp, turn, out);
                counters.count(answered);
                answered.is_some()
            });
            if let Err(error) = served {
                tracing::error!(%error, "a DNS worker cannot receive queries any more; restart the program");
            }
            drop(alive);
        })?;
        self.sockets.push(socket);
        self.ended.push(ended);
        Ok(())
    }

    fn wake(&self) {
        self.stop.store(true, Ordering::Relaxed);
        for socket in &self.sockets {
            // On Linux this wakes whoever receives, and says at the same time that there is no connection to end.
            let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
        }
    }

    async fn end(mut self) {
        self.wake();
        for ended in std::mem::take(&mut self.ended) {
            // An error is what is waited for: the thread dropped its end.
            let _ = ended.await;
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.wake();
    }
}
