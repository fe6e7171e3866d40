//! One connection from its handshake to its end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::body::GuardedBody;
use super::handshakes::Handshakes;
use super::linger::{BodyNote, Lingering};
use super::slots::{Slots, Slotted};
use super::turns::InTurns;
use super::{BoxError, DistrustedPeer, Limits, PeerAddress, PeerIdentity};
use crate::shutdown::Shutdown;
use crate::tls::ServerTls;

/// Bytes that a client may send before we read them, per HTTP/2 stream and per connection. A connection that is not read
/// from costs the latter.
const STREAM_WINDOW: u32 = 512 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Bytes that are buffered for an HTTP/2 stream when its client reads slowly, besides the chunk that is being sent. A
/// client that opens many watches and reads none costs this much for each.
const SEND_BUFFER: usize = 16 << 10;
/// Bytes that are buffered for an HTTP/1.1 connection in each direction, and so the limit of a request's head.
const HTTP1_BUFFER: usize = 16 << 10;
/// Header fields of an HTTP/1.1 request. A proxy sends one for each group of the user that it impersonates.
const HTTP1_HEADERS: usize = 500;
/// Bytes that are encrypted at once, and so the records that are buffered for a connection when its client reads slowly. With
/// what a record adds, it fits into 8 KiB.
const TLS_BUFFER: usize = (8 << 10) - 64;
/// Maximum size of the header fields of an HTTP/2 request, in bytes. Continue tokens and selectors can be long.
const HEADER_BYTES: u32 = 64 << 10;
/// The first byte of a TLS record that starts a handshake.
const TLS_HANDSHAKE: u8 = 0x16;
/// The response of Go's HTTPS server, which users know.
const NOT_TLS: &[u8] = b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n\
    Client sent an HTTP request to an HTTPS server.\n";

/// State shared by the connections of a server.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) tls: Option<ServerTls>,
    pub(super) handshakes: Handshakes,
    pub(super) slots: Slots,
    pub(super) limits: Limits,
    pub(super) shutdown: Shutdown,
}

/// Serves a connection to its end. Errors of a connection are logged at debug level.
pub(super) async fn serve<S, B>(context: Context, stream: TcpStream, peer: PeerAddress, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: http_body::Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let Some(slot) = context.slots.take(peer.0.ip()) else {
        tracing::debug!(peer = %peer.0, "connection refused: all others have requests in flight");
        return;
    };
    // Watch frames are small: send them without delay.
    let _ = stream.set_nodelay(true);
    tokio::select! {
        () = serve_stream(&context, stream, peer, &slot, service) => {}
        () = slot.removed() => tracing::debug!(peer = %peer.0, "connection closed to make room"),
    }
}

/// The handshake, if there is one, and then HTTP. Each is boxed, so that a connection keeps the memory of neither its
/// handshake nor several copies of its state.
async fn serve_stream<S, B>(
    context: &Context,
    stream: TcpStream,
    peer: PeerAddress,
    slot: &Arc<Slotted>,
    service: S,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: http_body::Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let Some(tls) = &context.tls else {
        let unknown = Certificates { identity: PeerIdentity(None), is_distrusted: false };
        return Box::pin(serve_http(context, stream, (peer, unknown), slot, service)).await;
    };
    let Some((stream, identity)) = Box::pin(shake_hands(context, tls, stream, peer)).await else {
        return;
    };
    Box::pin(serve_http(context, stream, (peer, identity), slot, service)).await;
}

/// What a client has presented.
struct Certificates {
    identity: PeerIdentity,
    /// It has presented a chain that is not trusted.
    is_distrusted: bool,
}

impl Certificates {
    fn of(tls: &ServerTls, chain: Option<&[CertificateDer<'_>]>) -> Self {
        let Some(chain) = chain else { return Self { identity: PeerIdentity(None), is_distrusted: false } };
        let is_trusted = tls.trusts(chain);
        let verified = is_trusted.then(|| chain.iter().map(|c| c.clone().into_owned()).collect());
        Self { identity: PeerIdentity(verified), is_distrusted: !is_trusted }
    }
}

/// The TLS handshake; `None` when it fails or takes too long.
async fn shake_hands(
    context: &Context,
    tls: &ServerTls,
    stream: TcpStream,
    peer: PeerAddress,
) -> Option<(TlsStream<TcpStream>, Certificates)> {
    let acceptor = TlsAcceptor::from(Arc::clone(tls.settings()));
    let handshake = context.handshakes.stepwise(accept_tls(&acceptor, stream));
    let shaken = tokio::select! {
        shaken = timeout(context.limits.handshake_timeout, handshake) => shaken,
        () = context.shutdown.requested() => return None,
    };
    match shaken {
        Ok(Ok(mut stream)) => {
            stream.get_mut().1.set_buffer_limit(Some(TLS_BUFFER));
            let certificates = Certificates::of(tls, stream.get_ref().1.peer_certificates());
            return Some((stream, certificates));
        }
        Ok(Err(error)) => tracing::debug!(peer = %peer.0, %error, "TLS handshake failed"),
        Err(_) => tracing::debug!(peer = %peer.0, "TLS handshake took too long"),
    }
    None
}

async fn accept_tls(acceptor: &TlsAcceptor, mut stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && first[0] != TLS_HANDSHAKE && first[0].is_ascii_uppercase() {
        stream.write_all(NOT_TLS).await?;
        stream.shutdown().await?;
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the client speaks plain HTTP"));
    }
    acceptor.accept(stream).await
}

/// HTTP on an open stream, until the client leaves or the server stops.
async fn serve_http<I, S, B>(
    context: &Context,
    stream: I,
    (peer, certificates): (PeerAddress, Certificates),
    slot: &Arc<Slotted>,
    service: S,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: http_body::Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let (first_request, body_note) = (CancellationToken::new(), BodyNote::default());
    let stream = Lingering::new(InTurns::new(stream), body_note.clone());
    let service = service_fn({
        let service = TowerToHyperService::new(service);
        let (arrived, slot) = (first_request.clone(), Arc::clone(slot));
        move |mut request: Request<Incoming>| {
            arrived.cancel();
            // Streams of HTTP/2 end one by one.
            body_note.set(request.version() < Version::HTTP_2 && !request.body().is_end_stream());
            let (in_flight, computing) = (slot.begin(), slot.compute());
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(certificates.identity.clone());
            if certificates.is_distrusted {
                request.extensions_mut().insert(DistrustedPeer);
            }
            let answer = service.call(request);
            async move {
                let answer = answer.await?;
                drop(computing);
                Ok::<_, S::Error>(answer.map(|body| GuardedBody::new(body, in_flight)))
            }
        }
    });
    let builder = protocol(context);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = no_request_within(&first_request, context.limits.handshake_timeout) => {
            tracing::debug!(peer = %peer.0, "connection without a request");
            return;
        }
        () = context.shutdown.requested() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = slot.quiet() => {
                    tracing::debug!(peer = %peer.0, "connection closed: its client did not let it end in time");
                    return;
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %peer.0, error, "connection ended");
    }
}

/// Completes if no request arrives in time: connections without a request are closed.
async fn no_request_within(first_request: &CancellationToken, time: Duration) {
    if timeout(time, first_request.cancelled()).await.is_ok() {
        std::future::pending::<()>().await;
    }
}

fn protocol(context: &Context) -> Builder<Tasks> {
    let limits = &context.limits;
    let mut builder = Builder::new(Tasks(context.shutdown.clone()));
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        // One buffer for each connection, which is used again, in place of many that wait for their client.
        .writev(false)
        .max_headers(HTTP1_HEADERS)
        .max_buf_size(HTTP1_BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(HEADER_BYTES)
        .keep_alive_interval(limits.ping_interval)
        .keep_alive_timeout(limits.ping_timeout);
    builder
}

/// Runs the tasks of HTTP/2 requests, so that they have the same owner as their connection.
#[derive(Clone)]
struct Tasks(Shutdown);

impl<F> Executor<F> for Tasks
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}
