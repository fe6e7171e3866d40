//! The server's sockets: one thread per UDP socket, one task per TCP connection.
//!
//! The caller may pass sockets that it has bound, for instance in a network namespace. All threads and tasks stop with
//! the scope they were started in.

mod slots;
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

/// Requested size of the kernel's receive buffer per UDP socket, in octets.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Read timeout of idle UDP workers, after which they check whether to stop.
const STOP_POLL_INTERVAL: Duration = Duration::from_secs(5);
/// Attempts to find a port that is free for both UDP and TCP.
const PORT_ATTEMPTS: usize = 16;

/// Limits of a server; production uses the default.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Maximum concurrent TCP connections. A further one takes the place of the most idle one of the client with the most.
    pub connections: usize,
    /// Timeout for a TCP client to send its next query, and to read an answer.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 512, idle: Duration::from_secs(10) }
    }
}

/// A server with bound sockets that does not answer yet.
#[derive(Debug)]
pub struct Server {
    zones: Arc<Zones>,
    udp: Vec<UdpSocket>,
    tcp: Vec<TcpListener>,
    limits: Limits,
}

/// Failure to set up a socket or a thread of the server.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve DNS on {socket}")]
pub struct StartError {
    socket: String,
    #[source]
    source: io::Error,
}

impl Server {
    /// Uses sockets that the caller has bound. Each UDP socket gets one thread.
    pub fn on_sockets(zones: Arc<Zones>, udp: Vec<UdpSocket>, tcp: Vec<TcpListener>) -> Self {
        Self { zones, udp, tcp, limits: Limits::default() }
    }

    /// Binds UDP sockets for `workers` threads, and one TCP socket, to one address. Port 0 selects a free port.
    ///
    /// # Errors
    /// [`ListenError`] with the address and the next step.
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

    /// Local addresses of the UDP sockets.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.udp.iter().filter_map(|socket| socket.local_addr().ok()).collect()
    }

    /// Starts to answer; ends when `scope` is asked to stop. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`] when a socket or a thread cannot be set up.
    pub fn start(self, scope: &Shutdown) -> Result<Statistics, StartError> {
        let Self { zones, udp, tcp, limits } = self;
        let statistics = Statistics::default();
        for listener in tcp {
            let socket = name_of("TCP", listener.local_addr());
            let failed = |source| StartError { socket, source };
            let figures =
                tcp::Figures { answers: statistics.worker(), connections: statistics.tcp_listener() };
            tcp::spawn(listener, zones.clone(), figures, limits, scope).map_err(failed)?;
        }
        let workers = Workers { stop: Arc::default(), sockets: Vec::new(), ended: Vec::new() };
        let workers = udp.into_iter().try_fold(workers, |mut workers, socket| {
            let name = name_of("UDP", socket.local_addr());
            let started = workers.start(socket, &zones, &statistics);
            // On an error, dropping `workers` stops the threads that already run.
            started.map_err(|source| StartError { socket: name, source }).map(|()| workers)
        })?;
        let stopping = scope.clone();
        // The scope waits for the task, so the handle is not needed.
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
    // SO_REUSEPORT would also share the port with other programs of this user. Binding once without it detects them.
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
    /// One per thread; its sender is dropped when the thread ends.
    ended: Vec<oneshot::Receiver<()>>,
}

impl Workers {
    fn start(&mut self, socket: UdpSocket, zones: &Arc<Zones>, statistics: &Statistics) -> io::Result<()> {
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(STOP_POLL_INTERVAL))?;
        // Best effort: the kernel caps the buffer size.
        let _ = sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER);
        let socket = Arc::new(socket);
        let (worker, zones, counters) = (socket.clone(), zones.clone(), statistics.worker());
        let (stop, (alive, ended)) = (self.stop.clone(), oneshot::channel::<()>());
        std::thread::Builder::new().name(format!("dns-udp-{}", self.sockets.len())).spawn(move || {
            let turn = AtomicUsize::new(0);
            let begin = || zones.snapshot();
            let served = datagrams::serve(&worker, &stop, begin, |snapshot, query, peer, out| {
                let turn = turn.fetch_add(1, Ordering::Relaxed);
                let answered = respond(snapshot, query, peer.ip(), Transport::Udp, turn, out);
                counters.count(answered);
                answered.is_some()
            });
            if let Err(error) = served {
                tracing::error!(%error, "a DNS worker stopped because it cannot receive queries; restart the program");
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
            // On Linux this wakes a blocked receiver, and fails with ENOTCONN, which is expected.
            let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
        }
    }

    async fn end(mut self) {
        self.wake();
        for ended in std::mem::take(&mut self.ended) {
            // The receiver fails when the thread drops its sender, which is the expected end.
            let _ = ended.await;
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.wake();
    }
}
