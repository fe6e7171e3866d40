//! The server as a tower service: for listeners, which authenticate each request, and for callers in this process,
//! who say who they are.
//!
//! Both lead to [`dispatch`](crate::dispatch). Neither opens a socket or spawns a task.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use portolan_net::clock::Clock;
use portolan_net::server::PeerIdentity;
use portolan_object::Status;
use portolan_store::Store;
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::access::{Access, CoreObjects};
use crate::admission::Admission;
use crate::allocation::Services;
use crate::auth::{Authentication, Credentials, User};
use crate::dispatch::dispatch;
use crate::proxy::Kubelets;
use crate::record::Record;
use crate::resources::Registry;
use crate::respond::{Body, BoxError};

/// What every request needs.
pub(crate) struct Server {
    /// All objects.
    pub(crate) store: Store<Record>,
    /// All resources.
    pub(crate) registry: Registry,
    /// Roles and bindings.
    pub(crate) access: Access,
    /// Who may speak.
    pub(crate) authentication: Authentication,
    /// Addresses and ports of Services.
    pub(crate) services: Option<Services>,
    /// The way to the nodes.
    pub(crate) kubelets: Option<Kubelets>,
    /// Plugins.
    pub(crate) admission: Vec<Arc<dyn Admission>>,
    /// The time.
    pub(crate) clock: Clock,
    /// What `/version` tells.
    pub(crate) version: String,
    /// Ends watches, and readiness with them.
    pub(crate) stopping: CancellationToken,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Server {
    /// The user of a request that came over the network.
    fn authenticate<B>(&self, request: &Request<B>) -> Result<User, Status> {
        let identity = request.extensions().get::<PeerIdentity>();
        let certificates = identity.and_then(|PeerIdentity(chain)| chain.as_deref());
        let header = request.headers().get(AUTHORIZATION);
        let credentials = Credentials {
            certificate: certificates.and_then(<[_]>::first).map(|certificate| certificate.as_ref()),
            // A header that is no text is no known scheme.
            authorization: header.and_then(|value| value.to_str().ok()),
        };
        self.authentication.authenticate(credentials, &CoreObjects(&self.store), self.clock.now())
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// Answers requests of callers in this process, all of one user; clones share everything.
#[derive(Debug, Clone)]
pub struct LocalService {
    server: Arc<Server>,
    user: Arc<User>,
}

/// Answers requests from the network; clones share everything.
#[derive(Debug, Clone)]
pub struct RemoteService {
    server: Arc<Server>,
}

impl LocalService {
    pub(crate) fn new(server: Arc<Server>, user: User) -> Self {
        Self { server, user: Arc::new(user) }
    }
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
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answer {
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
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        let server = Arc::clone(&self.server);
        let user = server.authenticate(&request).map(Arc::new);
        Box::pin(async move { Ok(dispatch(server, user, request.map(boxed)).await) })
    }
}

fn boxed<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    body.map_err(Into::into).boxed_unsync()
}
