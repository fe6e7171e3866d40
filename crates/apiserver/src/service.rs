//! The API server as a tower service.
//!
//! [`RemoteService`] is for listeners and authenticates each request; [`LocalService`] is for callers in this process
//! and acts as one user. Both pass the request to [`dispatch`](crate::dispatch). Neither opens a socket or spawns a
//! task.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response, Version};
use http_body_util::BodyExt as _;
use portolan_net::server::PeerAddress;
use tower::Service;

use crate::auth::User;
use crate::dispatch::{InProcess, dispatch};
use crate::record::Record;
use crate::request::head;
use crate::respond::{Body, BoxError};
use crate::server::Server;
use crate::websocket;

type Reply = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// Answers requests of callers in this process, all as one user. Clones share state.
#[derive(Debug, Clone)]
pub struct LocalService {
    server: Arc<Server>,
    user: Arc<User>,
}

/// Answers requests from the network. Clones share state.
#[derive(Debug, Clone)]
pub struct RemoteService {
    server: Arc<Server>,
}

impl LocalService {
    pub(crate) fn new(server: Arc<Server>, user: User) -> Self {
        Self { server, user: Arc::new(user) }
    }

    /// An object as the server keeps it, if it was last written at `revision`. `None` for another revision, and for an object
    /// that is kept in another version of its kind. `namespace` is empty for a cluster-scoped object.
    ///
    /// For callers that have read the object: no permission is checked. The record is shared, not copied.
    pub fn stored(
        &self,
        (group, version, plural): (&str, &str, &str),
        (namespace, name): (&str, &str),
        revision: u64,
    ) -> Option<Arc<Record>> {
        let registry = self.server.registry.snapshot();
        let resource = registry.find(group, version, plural)?;
        let item = self.server.store.get(&resource.key(namespace, name))?;
        (item.modified.0 == revision && resource.shows_stored(&item)).then_some(item.value)
    }
}

/// The credentials of a request: those of a WebSocket may be among its protocols.
fn authorization(headers: &HeaderMap) -> Option<Vec<u8>> {
    let sent = headers.get(AUTHORIZATION).map(|header| header.as_bytes().to_vec());
    sent.or_else(|| websocket::bearer(headers))
}

impl RemoteService {
    pub(crate) fn new(server: Arc<Server>) -> Self {
        Self { server }
    }
}

impl<B> Service<Request<B>> for LocalService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Reply;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Reply {
        request.extensions_mut().insert(InProcess);
        let (server, user) = (Arc::clone(&self.server), Ok(Arc::clone(&self.user)));
        Box::pin(async move { Ok(dispatch(server, user, request.map(boxed)).await) })
    }
}

impl<B> Service<Request<B>> for RemoteService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Reply;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Reply {
        let server = Arc::clone(&self.server);
        let request = request.map(boxed);
        let authorization =
            if server.authentication.has_providers() { authorization(request.headers()) } else { None };
        Box::pin(async move {
            // Requests of tests have no connection, and need no host.
            let is_remote = request.extensions().get::<PeerAddress>().is_some();
            let is_http1 = is_remote && request.version() == Version::HTTP_11;
            let checked = head::check(request.headers(), is_http1);
            if checked.is_ok() {
                server.prepare_authentication(authorization).await;
            }
            let user = checked.and_then(|()| server.authenticate(&request)).map(Arc::new);
            Ok(dispatch(server, user, request).await)
        })
    }
}

fn boxed<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    body.map_err(Into::into).boxed_unsync()
}
