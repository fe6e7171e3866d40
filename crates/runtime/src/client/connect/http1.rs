//! HTTP/1.1, for servers that speak nothing newer: a pool of connections, of which every open watch takes one.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tower::Service;

use super::dial::{Stream, Target};
use crate::client::error::BoxError;
use crate::client::transport::Body;

const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// The connections of one client.
pub(super) type Pool = Client<Connector, Body>;

/// A pool without connections.
pub(super) fn pool(target: Arc<Target>) -> Pool {
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .build(Connector { target })
}

/// Dials the one server that the client is for, whatever URI the pool asks for.
#[derive(Clone)]
pub(super) struct Connector {
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
