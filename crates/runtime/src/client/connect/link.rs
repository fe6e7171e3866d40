//! The way to one server: the connection that all requests share, opened when it is needed and again when it broke.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use http::{Request, Response};
use http_body_util::BodyExt;
use parking_lot::Mutex;

use super::dial::Target;
use super::http1::{self, Pool};
use super::http2::{self, Failure, Sender};
use crate::client::error::{BoxError, chain};
use crate::client::transport::{Body, full};

/// Connections on which a request is tried, when the ones before were closed before the server looked at it.
const TRIES: usize = 3;

/// The way to a server; a clone is the same one.
#[derive(Clone)]
pub(super) struct Link {
    inner: Arc<Inner>,
}

struct Inner {
    target: Arc<Target>,
    /// The server does not speak HTTP/2.
    is_old: AtomicBool,
    pool: Pool,
    current: Mutex<Option<Connecting>>,
}

/// A connection that is there or on its way; all who need one wait for the same.
type Connecting = Shared<BoxFuture<'static, Result<Connected, Unconnected>>>;

#[derive(Clone)]
enum Connected {
    Http2(Sender),
    /// It was opened only to learn this.
    Http1,
}

/// Why there is no connection.
#[derive(Debug, Clone)]
struct Unconnected(Arc<str>);

impl fmt::Display for Unconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unconnected {}

impl Link {
    /// Nothing is opened yet.
    pub(super) fn new(target: Target) -> Self {
        let target = Arc::new(target);
        let is_old = AtomicBool::new(!target.may_speak_http_2());
        let pool = http1::pool(target.clone());
        Self { inner: Arc::new(Inner { target, is_old, pool, current: Mutex::new(None) }) }
    }

    /// Sends a request, whose URI is absolute, and waits for the head of its answer.
    pub(super) async fn send(self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let mut tried = 0;
        loop {
            let request = Request::from_parts(head.clone(), body.clone());
            if self.inner.is_old.load(Ordering::Relaxed) {
                return self.send_http_1(request).await;
            }
            let connecting = self.connecting();
            let sender = match connecting.clone().await {
                Ok(Connected::Http2(sender)) => sender,
                Ok(Connected::Http1) => {
                    self.inner.is_old.store(true, Ordering::Relaxed);
                    self.forget(&connecting);
                    continue;
                }
                Err(error) => {
                    self.forget(&connecting);
                    return Err(error.into());
                }
            };
            tried += 1;
            match http2::ask(sender, request).await {
                Ok(response) => return Ok(response.map(BodyExt::boxed_unsync)),
                Err(Failure::Unsent(error)) if tried < TRIES => {
                    tracing::debug!(%error, "a connection was closed, trying another one");
                    self.forget(&connecting);
                }
                Err(Failure::Unsent(error) | Failure::Broken(error)) => {
                    if !error.is_reset() {
                        self.forget(&connecting);
                    }
                    return Err(error.into());
                }
            }
        }
    }

    async fn send_http_1(&self, request: Request<Bytes>) -> Result<Response<Body>, BoxError> {
        let response = self.inner.pool.request(request.map(full)).await?;
        Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
    }

    /// The connection, or a new one on its way.
    fn connecting(&self) -> Connecting {
        let mut current = self.inner.current.lock();
        let start = || {
            let target = self.inner.target.clone();
            // A task of its own: it goes on when whoever asked first does not wait any longer.
            let opening = tokio::spawn(async move { open(&target).await });
            let opened = opening.map(|opened| match opened {
                Ok(Ok(connected)) => Ok(connected),
                Ok(Err(error)) => Err(Unconnected(chain(error.as_ref()).into())),
                Err(_) => Err(Unconnected("the program is stopping".into())),
            });
            opened.boxed().shared()
        };
        current.get_or_insert_with(start).clone()
    }

    /// Has the next request open a connection, unless another one did.
    fn forget(&self, connecting: &Connecting) {
        let mut current = self.inner.current.lock();
        if current.as_ref().is_some_and(|current| current.ptr_eq(connecting)) {
            *current = None;
        }
    }
}

async fn open(target: &Target) -> Result<Connected, BoxError> {
    let stream = target.dial().await?;
    match stream.is_http_2() {
        true => Ok(Connected::Http2(http2::open(stream).await?)),
        false => Ok(Connected::Http1),
    }
}
