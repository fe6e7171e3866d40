//! Sends requests through a boxed tower service.
//!
//! The rest of the crate does not distinguish an in-process API server, a TLS connection and a scripted service in a test.

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};

use crate::client::error::{BoxError, ClientError};

/// A request or response body.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

type Boxed = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

/// A body of bytes in memory.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// Sends requests to one server.
#[derive(Clone)]
pub(crate) struct Transport {
    service: Boxed,
    /// Name of the server in errors.
    server: String,
}

impl Transport {
    pub(crate) fn new<S, B>(service: S, server: String) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let service = service
            .map_response(|response: Response<B>| {
                response.map(|body| body.map_err(Into::into).boxed_unsync())
            })
            .map_err(Into::into);
        Self { service: BoxCloneSyncService::new(service), server }
    }

    /// Sends one request and waits for the head of the answer, for at most `limit`.
    pub(crate) async fn send(
        &self,
        request: Request<Body>,
        limit: Duration,
    ) -> Result<Response<Body>, ClientError> {
        // Boxed with a named type: without it, the compiler cannot prove `Send` in indirect callers.
        let answer: BoxFuture<'static, _> = Box::pin(self.service.clone().oneshot(request));
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(source)) => Err(self.unreachable(source)),
            Err(_) => Err(self.unreachable(format!("no answer within {limit:?}").into())),
        }
    }

    /// Reads a whole body, for at most `limit`.
    pub(crate) async fn collect(&self, body: Body, limit: Duration) -> Result<Bytes, ClientError> {
        match tokio::time::timeout(limit, body.collect()).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(source)) => Err(self.unreachable(source)),
            Err(_) => Err(self.unreachable(format!("the answer was not complete within {limit:?}").into())),
        }
    }

    /// Name of the server in errors.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    pub(crate) fn unreachable(&self, source: BoxError) -> ClientError {
        ClientError::Unreachable { server: self.server.clone(), source }
    }
}
