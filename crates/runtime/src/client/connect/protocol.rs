//! The interface between [`Link`](super::link::Link) and an HTTP implementation.
//!
//! Everything that depends on the crate `h2` is in `http2`, on hyper in `http1`. A protocol is replaced by another
//! implementation of [`Connection`].

use std::future::Future;

use bytes::Bytes;
use http::{Request, Response};

use crate::client::error::BoxError;
use crate::client::transport::Body;

/// Sends requests to one server. Clones share the connection, or the pool of connections.
pub(super) trait Connection: Clone + Send + Sync + 'static {
    /// Sends a request, which has an absolute URI, and waits for the head of its answer.
    fn send(&self, request: Request<Bytes>)
    -> impl Future<Output = Result<Response<Body>, SendError>> + Send;
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub(super) struct SendError {
    pub(super) source: BoxError,
    /// The server has not acted on the request, so it may be sent again on another connection.
    pub(super) is_unprocessed: bool,
    /// The connection can be used for other requests.
    pub(super) is_usable: bool,
}
