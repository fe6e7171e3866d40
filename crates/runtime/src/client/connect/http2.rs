//! One HTTP/2 connection, on the crate `h2`: opens it, sends requests, and detects that it is dead.
//!
//! hyper's client is not used because it passes each request through several tasks and sends the head before it has the
//! body, as two TLS records for which the server wakes up twice. Here the task that waits for the answer sends head and body
//! together. Measured with `portolan-bench` on two busy cores: the median from an address change in one member to the slice
//! in another falls from 4.7 ms to 3.8 ms (docs/decisions/0002-own-client-and-reflector.md).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Ping, PingPong, Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncWrite};

use super::protocol::{self, SendError};
use crate::client::error::BoxError;
use crate::client::transport::Body;

/// Time between two pings.
const PING_INTERVAL: Duration = Duration::from_secs(3);
/// A connection that does not answer a ping for this long is dead.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// After this long it is dead if another connection can be opened: packets were lost, and TCP repeats them after pauses that
/// have become as long as the loss.
const PING_SUSPICION: Duration = Duration::from_secs(2);
/// Time for the answer once another connection is open: perhaps it was only the server that paused.
const PING_GRACE: Duration = Duration::from_millis(500);
/// Time between two attempts to open another connection.
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(500);
/// Receive windows in bytes. The connection's is larger, so that one large list does not block the watches beside it.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// Largest head of an answer, in bytes.
const MAX_HEADER_BYTES: u32 = 64 << 10;

/// An open connection. It closes when the last clone and the body of the last answer are dropped.
#[derive(Clone)]
pub(super) struct Connection {
    sender: SendRequest<Bytes>,
    state: Arc<State>,
}

/// What the clones of a connection share.
#[derive(Debug, Default)]
struct State {
    /// Streams that are open or reserved.
    streams: AtomicUsize,
    /// The task that drives the connection has ended.
    is_closed: AtomicBool,
}

/// A stream of a connection, for one request.
pub(super) struct ReservedStream {
    sender: SendRequest<Bytes>,
    open: OpenStream,
}

/// Counts one stream as open until it is dropped.
#[derive(Debug)]
struct OpenStream(Arc<State>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connection {
    /// Whether no request can be sent any more.
    pub(super) fn is_closed(&self) -> bool {
        self.state.is_closed.load(Ordering::Relaxed)
    }

    /// Whether the server accepts another stream now.
    pub(super) fn has_room(&self) -> bool {
        self.state.streams.load(Ordering::Relaxed) < self.sender.current_max_send_streams()
    }

    /// Reserves a stream; `None` if as many are open as the server accepts. A further request would wait until one ends,
    /// and watches do not end.
    pub(super) fn reserve(&self) -> Option<ReservedStream> {
        let limit = self.sender.current_max_send_streams();
        let another = |open: usize| (open < limit).then_some(open + 1);
        self.state.streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, another).ok()?;
        Some(self.reserved())
    }

    /// Reserves a stream in excess of what the server accepts. The request waits until another ends.
    pub(super) fn wait_in_line(&self) -> ReservedStream {
        self.state.streams.fetch_add(1, Ordering::Relaxed);
        self.reserved()
    }

    /// The stream that was counted.
    fn reserved(&self) -> ReservedStream {
        ReservedStream { sender: self.sender.clone(), open: OpenStream(self.state.clone()) }
    }
}

/// Starts HTTP/2 on a stream, and a task that drives it. `another_opens` tells whether another connection to the server can be
/// opened.
pub(super) async fn open<F>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    another_opens: impl Fn() -> F + Send + Sync + 'static,
) -> Result<Connection, BoxError>
where
    F: Future<Output = bool> + Send,
{
    let (sender, mut connection) = h2::client::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEADER_BYTES)
        .enable_push(false)
        .handshake(stream)
        .await?;
    let pings = connection.ping_pong();
    let state = Arc::<State>::default();
    let driven = state.clone();
    // The task ends with the connection.
    tokio::spawn(async move {
        tokio::select! {
            ended = connection => if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke");
            },
            () = silence(pings, another_opens) => tracing::debug!("closing a connection: the server does not answer pings"),
        }
        driven.is_closed.store(true, Ordering::Relaxed);
    });
    Ok(Connection { sender, state })
}

/// Completes when the connection carries nothing any more.
async fn silence<F: Future<Output = bool>>(pings: Option<PingPong>, another_opens: impl Fn() -> F) {
    // `ping_pong()` returns `Some` on its first call only.
    let Some(mut pings) = pings else { return std::future::pending().await };
    loop {
        tokio::time::sleep(PING_INTERVAL).await;
        let suspicion = async {
            tokio::time::sleep(PING_SUSPICION).await;
            while !another_opens().await {
                tokio::time::sleep(ATTEMPT_INTERVAL).await;
            }
            tokio::time::sleep(PING_GRACE).await;
        };
        let answered = tokio::select! {
            answered = pings.ping(Ping::opaque()) => answered.is_ok(),
            () = suspicion => false,
            () = tokio::time::sleep(PING_TIMEOUT) => false,
        };
        if !answered {
            return;
        }
    }
}

impl ReservedStream {
    /// Sends a request, which has an absolute URI, and waits for the head of its answer.
    pub(super) async fn send(self, request: Request<Bytes>) -> Result<Response<Body>, SendError> {
        let answer = send(self, request).await;
        Ok(answer?.map(BodyExt::boxed_unsync))
    }
}

impl protocol::Connection for Connection {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, SendError> {
        self.wait_in_line().send(request).await
    }
}

/// The server has not acted on the request.
fn unprocessed(error: h2::Error) -> SendError {
    SendError { is_usable: error.is_reset(), source: error.into(), is_unprocessed: true }
}

/// The server may have acted on the request.
fn broken(error: h2::Error) -> SendError {
    SendError { is_usable: error.is_reset(), source: error.into(), is_unprocessed: false }
}

async fn send(stream: ReservedStream, request: Request<Bytes>) -> Result<Response<Answer>, SendError> {
    let ReservedStream { sender, open } = stream;
    let (mut head, body) = request.into_parts();
    if !body.is_empty() {
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    let mut sender = sender.ready().await.map_err(unprocessed)?;
    let opened = sender.send_request(Request::from_parts(head, ()), body.is_empty());
    let (answer, mut upload) = opened.map_err(unprocessed)?;
    if !body.is_empty() {
        // Queued behind the head before the task of the connection runs, so that both leave in one record. h2 applies flow
        // control.
        upload.send_data(body, true).map_err(broken)?;
    }
    match answer.await {
        Ok(response) => Ok(response.map(|body| Answer { body, is_over: false, _open: open })),
        Err(error) if is_unprocessed(&error) => Err(unprocessed(error)),
        Err(error) => Err(broken(error)),
    }
}

/// Whether the server says that it has not processed the request (RFC 9113, section 8.7).
fn is_unprocessed(error: &h2::Error) -> bool {
    let was_closing = error.is_go_away() && error.is_remote();
    was_closing || (error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM))
}

/// The body of an answer.
#[derive(Debug)]
struct Answer {
    body: RecvStream,
    is_over: bool,
    _open: OpenStream,
}

impl Answer {
    fn poll_trailers(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<HeaderMap, h2::Error>>> {
        self.is_over = true;
        self.body.poll_trailers(context).map(Result::transpose)
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        match self.body.poll_data(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(data))) => {
                // Fails only if we release more than we received.
                let _ = self.body.flow_control().release_capacity(data.len());
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            // The answer is complete, and the server does not read the rest of the request.
            Poll::Ready(Some(Err(error))) if error.reason() == Some(Reason::NO_ERROR) && error.is_reset() => {
                self.is_over = true;
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                self.is_over = true;
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                self.poll_trailers(context).map(|found| found.map(|found| Ok(Frame::trailers(found?))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.body.is_end_stream()
    }
}
