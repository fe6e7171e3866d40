//! HTTP servers: TLS, HTTP/1.1 or HTTP/2 on the connections of one listener, and an orderly end.
//!
//! It hands each request to a tower service, with [`PeerIdentity`] and [`PeerAddress`] among the request's extensions.
//! Connections, handshakes and their duration are bounded, so that clients cannot exhaust the process. It does not
//! authenticate, route or log requests.

mod body;
mod connection;
mod handshakes;
mod linger;
mod metrics;
mod slots;
mod turns;

use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use rustls_pki_types::CertificateDer;
use tokio::net::TcpListener;
use tower::Service;

use crate::accept::{self, AcceptOptions};
use crate::shutdown::Shutdown;
use crate::tls::ServerTls;

use handshakes::Handshakes;
pub use metrics::ConnectionMetrics;
use slots::Slots;

/// Error of bodies and services.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Connections waiting to be accepted, in the kernel, which allows at most net.core.somaxconn. A client that finds no room
/// tries again after a second.
const BACKLOG: u32 = 4096;

/// Bytes that wait in the kernel for their first transmission; bytes in flight do not count, so that long distances stay
/// fast. Without a limit, the kernel takes megabytes for a client that does not read, and each of them was encrypted before.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 128 << 10;

/// The certificate chain of a client, its own certificate first; `None` without TLS or without a certificate.
///
/// Verified against the authorities of the listener's TLS settings. Every request carries it as an extension.
#[derive(Debug, Clone)]
pub struct PeerIdentity(pub Option<Arc<[CertificateDer<'static>]>>);

/// The client has presented a certificate that is not trusted: of another authority, or expired. Its requests carry this as an
/// extension, and no [`PeerIdentity`] with a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DistrustedPeer;

/// Address of the client. Every request carries it as an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", advice(source))]
pub struct ListenError {
    /// The requested address.
    pub address: SocketAddr,
    /// The answer of the operating system.
    #[source]
    pub source: io::Error,
}

fn advice(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is taken; stop the program that has it, or choose another port".into()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine does not have the address; choose one that it has".into()
        }
        io::ErrorKind::PermissionDenied => "not permitted; choose a port from 1024 on".into(),
        _ => source.to_string(),
    }
}

/// Listens on a TCP address; port 0 takes a free one.
///
/// # Errors
/// [`ListenError`] naming the address and the next step.
pub fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let bound = || {
        let socket = match address {
            SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
            SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
        };
        // Lets a restart bind the port while old connections are in TIME_WAIT; a second listener is still refused.
        socket.set_reuseaddr(true)?;
        limit_unsent(&socket)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    bound().map_err(|source| ListenError { address, source })
}

/// Limits what the kernel buffers for each connection of a listener; accepted connections have the options of the listener.
#[cfg(target_os = "linux")]
fn limit_unsent(listener: &tokio::net::TcpSocket) -> io::Result<()> {
    socket2::SockRef::from(listener).set_tcp_notsent_lowat(UNSENT_BYTES)
}

#[cfg(not(target_os = "linux"))]
fn limit_unsent(_: &tokio::net::TcpSocket) -> io::Result<()> {
    Ok(())
}

/// Bounds of a server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Concurrent connections. For a further one, the one that is unused for the longest time is closed.
    pub connections: usize,
    /// Concurrent connections of one address. For a further one, an unused one of the same address is closed.
    pub connections_per_address: usize,
    /// Concurrent connections without a request so far. For a further one, the oldest is closed.
    pub handshakes: usize,
    /// Timeout of a handshake, and again of the first request after it.
    pub handshake_timeout: Duration,
    /// Timeout for the head of the next request on an HTTP/1.1 connection.
    pub idle_timeout: Duration,
    /// Concurrent requests on one HTTP/2 connection. Each watch is one.
    pub streams: u32,
    /// Time without a frame on an HTTP/2 connection until a ping is sent.
    pub ping_interval: Duration,
    /// Timeout of the ping reply.
    pub ping_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: 8_000,
            handshakes: 2_000,
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(90),
            streams: 1000,
            ping_interval: Duration::from_secs(30),
            ping_timeout: Duration::from_secs(15),
        }
    }
}

/// A server on one listener.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    tls: Option<ServerTls>,
    limits: Limits,
    metrics: ConnectionMetrics,
}

/// Connections that are accepted beyond the limit, until one that makes room for them has ended.
const CONNECTIONS_IN_EXCHANGE: usize = 64;

impl Server {
    /// Without TLS: for loopback only.
    pub fn plain(listener: TcpListener) -> Self {
        Self { listener, tls: None, limits: Limits::default(), metrics: ConnectionMetrics::default() }
    }

    /// With TLS.
    pub fn tls(listener: TcpListener, config: ServerTls) -> Self {
        let (limits, metrics) = (Limits::default(), ConnectionMetrics::default());
        Self { listener, tls: Some(config), limits, metrics }
    }

    /// Replaces the default limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Counts the connections in `metrics`.
    #[must_use]
    pub fn metrics(mut self, metrics: ConnectionMetrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Serves until `shutdown` is requested, on tasks that `shutdown` owns.
    ///
    /// Then no connection is accepted any more, idle ones are closed, and the others end after their last response or
    /// when [`Shutdown::drain`] reaches its deadline. Responses without an end, such as watches, are for the service
    /// to end. An upgraded connection belongs to the service.
    pub fn spawn<S, B>(self, service: S, shutdown: &Shutdown)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: http_body::Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let scope = shutdown.clone();
        shutdown.spawn(async move {
            let Self { listener, tls, limits, metrics } = self;
            let max_connections = limits.connections + CONNECTIONS_IN_EXCHANGE;
            let options = AcceptOptions { listener: "HTTP", max_connections };
            let context = connection::Context {
                tls,
                handshakes: Handshakes::new(available_parallelism().map_or(1, NonZero::get)),
                slots: Slots::new(&limits, metrics),
                limits,
                shutdown: scope.clone(),
            };
            accept::serve(listener, options, scope.requested(), |(stream, peer)| {
                // A task of the scope, so that `Shutdown::drain` counts the connections that it has to drop.
                let connection =
                    connection::serve(context.clone(), stream, PeerAddress(peer), service.clone());
                let connection = scope.spawn(connection);
                async move {
                    // A panic of one request ends its connection only.
                    let _ = connection.await;
                }
            })
            .await;
        });
    }
}

#[cfg(test)]
mod tests;
