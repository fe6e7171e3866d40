//! Sends requests through a boxed tower service.
//!
//! The rest of the crate does not distinguish an in-process API server, a TLS connection and a scripted service in a test.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};

use crate::client::error::{BoxError, ClientError};
use crate::limits::{Budget, Excess, Reservation};

/// A request or response body.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

type Boxed = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

/// A body of bytes in memory.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// The body of an answer. Its memory counts in the budget of the server until it is dropped.
#[derive(Debug)]
pub(crate) struct Answer {
    bytes: Bytes,
    _reserved: Reservation,
}

impl Deref for Answer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Bounds of one answer.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    /// Time for the body.
    pub(crate) time: Duration,
    /// Size of the body.
    pub(crate) bytes: usize,
    /// The budget in which the body counts.
    pub(crate) budget: Option<Arc<Budget>>,
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

    /// The same connection to a server behind this one: each path gets `prefix`, and errors name `server`.
    pub(crate) fn behind(&self, prefix: &str, server: String) -> Self {
        let (prefix, service): (Arc<str>, _) = (prefix.into(), self.service.clone());
        let prefixed = tower::service_fn(move |mut request: Request<Body>| {
            let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
            let answer: BoxFuture<'static, Result<Response<Body>, BoxError>> =
                match format!("{prefix}{path}").parse::<Uri>() {
                    Ok(uri) => {
                        *request.uri_mut() = uri;
                        Box::pin(service.clone().oneshot(request))
                    }
                    Err(error) => Box::pin(std::future::ready(Err(BoxError::from(error)))),
                };
            answer
        });
        Self { service: BoxCloneSyncService::new(prefixed), server }
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

    /// Reads a whole body within `bounds`.
    pub(crate) async fn collect(&self, body: Body, bounds: Bounds) -> Result<Answer, ClientError> {
        let limit = bounds.time;
        match tokio::time::timeout(limit, self.read(body, bounds)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.unreachable(format!("the answer was not complete within {limit:?}").into())),
        }
    }

    /// Name of the server in errors.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    async fn read(&self, mut body: Body, bounds: Bounds) -> Result<Answer, ClientError> {
        let (mut buffer, mut reserved) = (BytesMut::new(), Reservation::new(bounds.budget));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|source| self.unreachable(source))?;
            let Ok(data) = frame.into_data() else { continue };
            if data.len() > bounds.bytes.saturating_sub(buffer.len()) {
                return Err(self.excessive(Excess::Answer { bytes: bounds.bytes }));
            }
            // A full buffer is copied into one of twice its size.
            let needed = 2 * data.len() as u64;
            reserved.add_bytes(needed).map_err(|excess| self.excessive(excess))?;
            buffer.extend_from_slice(&data);
        }
        Ok(Answer { bytes: buffer.freeze(), _reserved: reserved })
    }

    pub(crate) fn excessive(&self, excess: Excess) -> ClientError {
        ClientError::Excessive { server: self.server.clone(), excess }
    }

    pub(crate) fn unreachable(&self, source: BoxError) -> ClientError {
        ClientError::Unreachable { server: self.server.clone(), source }
    }
}
