//! HTTP/1.1, for servers without HTTP/2: a pool of connections. Each open watch occupies one.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tower::Service;

use super::dial::{Stream, Target};
use super::protocol::{self, SendError};
use crate::client::error::BoxError;
use crate::client::transport::{Body, full};

const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// The connections of one client.
#[derive(Clone)]
pub(super) struct Pool {
    client: Client<Connector, Body>,
}

impl Pool {
    /// An empty pool.
    pub(super) fn new(target: Arc<Target>) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(Connector { target });
        Self { client }
    }
}

impl protocol::Connection for Pool {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, SendError> {
        let answer = self.client.request(request.map(full)).await;
        // hyper's pool itself repeats a request that found its connection closed.
        let failed = |error: hyper_util::client::legacy::Error| SendError {
            source: error.into(),
            is_unprocessed: false,
            is_usable: true,
        };
        Ok(answer.map_err(failed)?.map(|body| body.map_err(Into::into).boxed_unsync()))
    }
}

/// Dials the one server of the client, whatever URI the pool passes.
#[derive(Clone)]
struct Connector {
    target: Arc<Target>,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _uri: Uri) -> Self::Future {
        let target = self.target.clone();
        Box::pin(async move { Ok(TokioIo::new(target.dial_http_1().await?)) })
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
