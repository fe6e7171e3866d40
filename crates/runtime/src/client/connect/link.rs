//! The connections to one server, shared by all requests.
//!
//! One is opened at the first request, another where the others have as many streams as the server accepts (kube-apiserver
//! accepts 100), and again after one broke.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use http::{Request, Response};
use http_body_util::BodyExt;
use parking_lot::Mutex;

use super::OneConnection;
use super::dial::Target;
use super::http1::Pool;
use super::http2::{self, ReservedStream};
use super::protocol::{Connection as _, SendError};
use crate::client::dial_error::{DialError, is_distrusted};
use crate::client::error::{BoxError, chain};
use crate::client::transport::Body;

/// Connections on which one request is tried, if each is closed before the server processes it.
const MAX_TRIES: usize = 3;
/// HTTP/2 connections to one server, at most. Requests that fit into none wait.
const MAX_CONNECTIONS: usize = 16;

/// The connections to a server; clones share them.
#[derive(Clone)]
pub(super) struct Link {
    shared: Arc<SharedLink>,
}

struct SharedLink {
    target: Arc<Target>,
    /// The server does not speak HTTP/2.
    is_http_1: AtomicBool,
    pool: Pool,
    /// Connections that are open or are being opened, the oldest first.
    open: Mutex<Vec<Connecting>>,
}

/// An open connection, or one that is being opened. All requests wait for the same one.
type Connecting = Shared<BoxFuture<'static, Result<Connected, DialError>>>;

#[derive(Clone)]
enum Connected {
    Http2(http2::Connection),
    /// The server chose HTTP/1.1; its connections are in the pool.
    Http1,
}

impl Link {
    /// A link without a connection.
    pub(super) fn new(target: Target) -> Self {
        let target = Arc::new(target);
        let is_http_1 = AtomicBool::new(!target.may_speak_http_2());
        let pool = Pool::new(target.clone());
        Self { shared: Arc::new(SharedLink { target, is_http_1, pool, open: Mutex::default() }) }
    }

    /// Sends a request, which has an absolute URI, and waits for the head of its answer.
    pub(super) async fn send(self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        if head.extensions.get::<OneConnection>().is_some() {
            let request = Request::from_parts(head, body);
            return self.shared.pool.send(request).await.map_err(|error| error.source);
        }
        let mut tried = 0;
        loop {
            let request = Request::from_parts(head.clone(), body.clone());
            if self.shared.is_http_1.load(Ordering::Relaxed) {
                return self.shared.pool.send(request).await.map_err(|error| error.source);
            }
            let connecting = self.connecting();
            let connection = match connecting.clone().await {
                Ok(Connected::Http2(connection)) => connection,
                Ok(Connected::Http1) => {
                    self.shared.is_http_1.store(true, Ordering::Relaxed);
                    self.forget(&connecting);
                    continue;
                }
                Err(error) => {
                    self.forget(&connecting);
                    return Err(error.into());
                }
            };
            let Some(stream) = self.reserve(&connection) else { continue };
            tried += 1;
            match stream.send(request).await {
                Ok(response) => return Ok(response),
                // More streams than the server accepts were opened before its settings arrived.
                Err(SendError { is_unprocessed: true, is_usable: true, .. }) if tried < MAX_CONNECTIONS => {}
                Err(error @ SendError { is_unprocessed: true, is_usable: false, .. })
                    if tried < MAX_TRIES =>
                {
                    tracing::debug!(%error, "a connection was closed, trying another one");
                    self.forget(&connecting);
                }
                Err(error) => {
                    if !error.is_usable {
                        self.forget(&connecting);
                    }
                    return Err(error.source);
                }
            }
        }
    }

    /// The oldest connection with room for a stream, or a new one that is being opened.
    fn connecting(&self) -> Connecting {
        let mut open = self.shared.open.lock();
        open.retain(
            |connecting| !matches!(connecting.peek(), Some(Ok(Connected::Http2(open))) if open.is_closed()),
        );
        let has_room = |connecting: &&Connecting| match connecting.peek() {
            Some(Ok(Connected::Http2(open))) => open.has_room(),
            _ => true,
        };
        if let Some(found) = open.iter().find(has_room) {
            return found.clone();
        }
        if let (true, Some(last)) = (open.len() >= MAX_CONNECTIONS, open.last()) {
            return last.clone();
        }
        let connecting = start(self.shared.target.clone());
        open.push(connecting.clone());
        connecting
    }

    /// A stream of a connection; `None` if other requests took the last one and another connection may be opened.
    fn reserve(&self, connection: &http2::Connection) -> Option<ReservedStream> {
        connection.reserve().or_else(|| {
            let is_at_limit = self.shared.open.lock().len() >= MAX_CONNECTIONS;
            is_at_limit.then(|| connection.wait_in_line())
        })
    }

    /// Gives a connection to no further request.
    fn forget(&self, connecting: &Connecting) {
        self.shared.open.lock().retain(|open| !open.ptr_eq(connecting));
    }
}

/// Starts to open a connection, in a task of its own: the request that started it may be cancelled while others wait.
fn start(target: Arc<Target>) -> Connecting {
    let opening = tokio::spawn(async move { open(&target).await });
    let opened = opening.map(|opened| match opened {
        Ok(Ok(connected)) => Ok(connected),
        Ok(Err(error)) => Err(DialError::new(chain(error.as_ref()), is_distrusted(error.as_ref()))),
        Err(_) => Err(DialError::new("the program is stopping".to_owned(), false)),
    });
    opened.boxed().shared()
}

async fn open(target: &Arc<Target>) -> Result<Connected, BoxError> {
    let stream = target.dial().await?;
    let again = target.clone();
    let another_opens = move || {
        let target = again.clone();
        async move { target.dial().await.is_ok() }
    };
    match stream.is_http_2() {
        true => Ok(Connected::Http2(http2::open(stream, another_opens).await?)),
        false => Ok(Connected::Http1),
    }
}
