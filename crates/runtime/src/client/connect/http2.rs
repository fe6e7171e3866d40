//! One HTTP/2 connection: opening it, asking on it, and noticing that it is dead.
//!
//! Used directly and not through hyper, whose client hands every request from task to task and sends its head before it
//! has the body, as two TLS records for which the server wakes up twice. Here a request is handed over whole, by the task
//! that waits for the answer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Ping, PingPong, Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body::Frame;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::client::error::BoxError;

/// A half-open connection is noticed after the sum of these two.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// Receive windows: one large list must not hold up the watches beside it.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// Head of an answer.
const HEADER_BYTES: u32 = 64 << 10;

/// What requests are handed to; a clone is the same connection, which is closed when the last one and the last answer
/// are dropped.
pub(super) type Sender = SendRequest<Bytes>;

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server has not acted on it: it may be sent again on another connection.
    Unsent(h2::Error),
    /// The server may have acted on it.
    Broken(h2::Error),
}

/// Begins HTTP/2 on a connection, and keeps it up.
pub(super) async fn open(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<Sender, h2::Error> {
    let (sender, mut connection) = h2::client::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEADER_BYTES)
        .enable_push(false)
        .handshake(stream)
        .await?;
    let pings = connection.ping_pong();
    // It ends with the connection, which ends with the last sender and the last answer.
    tokio::spawn(async move {
        tokio::select! {
            ended = connection => if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke");
            },
            () = silence(pings) => tracing::debug!("a connection is given up: no sign of life"),
        }
    });
    Ok(sender)
}

/// Completes when the server does not answer a ping.
async fn silence(pings: Option<PingPong>) {
    // There is one for the asking, once.
    let Some(mut pings) = pings else { return std::future::pending().await };
    loop {
        tokio::time::sleep(PING_INTERVAL).await;
        let answered = tokio::time::timeout(PING_TIMEOUT, pings.ping(Ping::opaque())).await;
        if !matches!(answered, Ok(Ok(_))) {
            return;
        }
    }
}

/// Sends a request and waits for the head of its answer.
pub(super) async fn ask(sender: Sender, request: Request<Bytes>) -> Result<Response<Answer>, Failure> {
    let (mut head, body) = request.into_parts();
    if !body.is_empty() {
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    let mut sender = sender.ready().await.map_err(Failure::Unsent)?;
    let opened = sender.send_request(Request::from_parts(head, ()), body.is_empty());
    let (answer, mut upload) = opened.map_err(Failure::Unsent)?;
    if !body.is_empty() {
        // Queued behind the head before the connection's task gets its turn. Flow control is the connection's affair.
        upload.send_data(body, true).map_err(Failure::Broken)?;
    }
    match answer.await {
        Ok(response) => Ok(response.map(|body| Answer { body, is_over: false })),
        Err(error) if is_unprocessed(&error) => Err(Failure::Unsent(error)),
        Err(error) => Err(Failure::Broken(error)),
    }
}

/// Whether the server says that it has not looked at the request (RFC 9113, 8.7).
fn is_unprocessed(error: &h2::Error) -> bool {
    let was_leaving = error.is_go_away() && error.is_remote();
    was_leaving || (error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM))
}

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Answer {
    body: RecvStream,
    is_over: bool,
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
                // Fails only for more than there was.
                let _ = self.body.flow_control().release_capacity(data.len());
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            // The server has said everything and does not want the rest of the request.
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
