//! Forwards requests for a subresource to another API server.
//!
//! The embedding program says which subresources other servers answer, and where each server is ([`Backends`]). The request
//! is authorized here; there it has the identity that the program gives it. Bodies are passed on as they come, in both
//! directions, and an upgraded connection is copied byte by byte. Everything ends when the client leaves.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, HOST, HeaderMap, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use portolan_net::Shutdown;
use portolan_object::Status;
use rustls::ClientConfig;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::dial::{Connection, Dialing};
use super::{answer, dial, tunnel};
use crate::auth::User;
use crate::respond::{self, Body, Streaming};

/// Maximum number of requests that are forwarded at the same time; further requests get 429.
pub(super) const MAX_CONNECTIONS: usize = 1024;
/// Timeout for connecting, including TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Headers that belong to one connection (RFC 9110, section 7.6.1), and credentials of the client.
const DROPPED: [&str; 12] = [
    "authorization",
    "connection",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Prefixes of headers that name a user. A client must not set them: the backend would take it for that user.
const DROPPED_PREFIXES: [&str; 2] = ["impersonate-", "x-remote-"];

/// Another API server, and the identity that requests have there.
#[derive(Clone)]
pub struct Backend {
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Prefix of each path; empty, or starting with a slash and not ending with one.
    pub prefix: String,
    /// TLS settings; `None` for plain HTTP.
    pub tls: Option<Arc<ClientConfig>>,
    /// Headers of the identity: a credential, and whom it impersonates.
    pub identity: HeaderMap,
    /// Makes the connection below TLS, if it is not TCP to the address.
    pub dialer: Option<BackendDialer>,
}

/// Connects to a server in another way than over TCP.
pub type BackendDialer = Arc<dyn Fn() -> Dialing<'static> + Send + Sync>;

/// A connection that a client has upgraded.
pub type Upgraded = TokioIo<hyper::upgrade::Upgraded>;

/// Takes the upgraded connection of a request, until it ends.
pub type Accept = Box<dyn FnOnce(Upgraded) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Backend {
    fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

/// The search for a backend.
pub type Locating<'a> = Pin<Box<dyn Future<Output = Result<Backend, Status>> + Send + 'a>>;

/// A subresource that discovery lists beside those of the resource itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// Group of the resource.
    pub group: &'static str,
    /// Plural of the resource.
    pub resource: &'static str,
    /// Name of the subresource.
    pub subresource: &'static str,
    /// Kind of its options.
    pub kind: &'static str,
}

/// Which subresources other servers answer.
pub trait Backends: Send + Sync + 'static {
    /// The subresources that discovery lists, with the verbs of a proxy.
    fn announced(&self) -> Vec<Announced> {
        Vec::new()
    }

    /// Whether another server answers requests for this subresource.
    fn answers(&self, group: &str, resource: &str, subresource: &str) -> bool;

    /// What takes the upgraded connection of a request for this subresource of the object `name`, instead of another server;
    /// `None` for a request that is forwarded.
    fn accept(&self, _subresource: &str, _name: &str) -> Option<Accept> {
        None
    }

    /// The server for the object `name`, with the identity of `user`. The future ends with the status for the client if
    /// the object does not exist or its server cannot be used.
    fn locate<'a>(&'a self, name: &'a str, user: &'a User) -> Locating<'a>;
}

/// Forwards requests to the servers of [`Backends`]. Clones share limits.
#[derive(Clone)]
pub struct Forwarder {
    backends: Arc<dyn Backends>,
    /// Scope of streams, which outlive the request that opened them.
    scope: Shutdown,
    connections: Arc<Semaphore>,
}

impl fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarder").field("connections", &self.connections.available_permits()).finish()
    }
}

impl Forwarder {
    /// Forwards to `backends`; streams end with `scope`.
    pub fn new(backends: Arc<dyn Backends>, scope: &Shutdown) -> Self {
        Self { backends, scope: scope.clone(), connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)) }
    }

    /// Number of further requests that can be forwarded now.
    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.connections.available_permits()
    }

    /// [`Backends::announced`].
    pub(crate) fn announced(&self) -> Vec<Announced> {
        self.backends.announced()
    }

    /// [`Backends::answers`].
    pub(crate) fn answers(&self, group: &str, resource: &str, subresource: &str) -> bool {
        self.backends.answers(group, resource, subresource)
    }

    /// Lets the program take the connection of a request, if it wants it.
    ///
    /// # Errors
    /// 400 for a request that is no upgrade.
    pub(crate) fn accept(
        &self,
        subresource: &str,
        name: &str,
        request: &mut Request<Body>,
    ) -> Option<Result<Response<Body>, Status>> {
        let accept = self.backends.accept(subresource, name)?;
        let client = request.extensions_mut().remove::<OnUpgrade>();
        let protocol = request.headers().get(UPGRADE).cloned();
        let (Some(client), Some(protocol)) =
            (client.filter(|_| tunnel::is_upgrade(request.headers())), protocol)
        else {
            return Some(Err(Status::bad_request("Upgrade request required")));
        };
        let ended = self.scope.clone();
        self.scope.spawn(async move {
            let taken = async {
                match client.await {
                    Ok(upgraded) => accept(TokioIo::new(upgraded)).await,
                    Err(error) => tracing::debug!(%error, "a connection was not upgraded"),
                }
            };
            tokio::select! {
                () = taken => {}
                () = ended.requested() => {}
            }
        });
        let mut response = Response::new(respond::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        response.headers_mut().insert(UPGRADE, protocol);
        Some(Ok(response))
    }

    /// Forwards a request for the object `name` to `path` of its server, and returns the answer.
    ///
    /// # Errors
    /// Those of [`Backends::locate`], 429 when too many requests are forwarded, 503 when the server cannot be reached.
    pub(crate) async fn forward(
        &self,
        name: &str,
        path: &str,
        user: &User,
        request: Request<Body>,
    ) -> Result<Response<Body>, Status> {
        let permit = Arc::clone(&self.connections).try_acquire_owned().map_err(|_| too_many())?;
        let backend = self.backends.locate(name, user).await?;
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let target = format!("{}/{path}{query}", backend.prefix);
        if tunnel::is_upgrade(request.headers()) {
            return self.stream(&backend, &target, request, permit).await;
        }
        let (head, body) = request.into_parts();
        let onward = Request::builder().method(head.method).uri(target).body(body);
        let mut onward = onward.map_err(|_| malformed())?;
        copy(&head.headers, onward.headers_mut());
        identify(&backend, onward.headers_mut())?;
        let answer = self.send(&backend, onward).await?;
        Ok(relay(answer, permit))
    }

    async fn stream(
        &self,
        backend: &Backend,
        target: &str,
        mut request: Request<Body>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Response<Body>, Status> {
        let Some(client) = request.extensions_mut().remove::<OnUpgrade>() else {
            return Err(Status::bad_request("Upgrade request required"));
        };
        let onward = Request::builder().method(request.method()).uri(target).body(respond::empty());
        let mut onward = onward.map_err(|_| malformed())?;
        tunnel::copy_request_headers(request.headers(), onward.headers_mut());
        identify(backend, onward.headers_mut())?;
        let answer = self.send(backend, onward).await?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(relay(answer, permit));
        }
        Ok(answer::switch(client, answer, &self.scope, permit))
    }

    /// Opens a connection for a request, and waits for the head of the answer. The caller limits the time of the answer.
    async fn send(&self, backend: &Backend, request: Request<Body>) -> Result<Response<Incoming>, Status> {
        let connection = tokio::time::timeout(CONNECT_TIMEOUT, connect(backend)).await;
        let connection = connection
            .map_err(|_| unreachable(backend, "no connection in time"))?
            .map_err(|error| unreachable(backend, &error.to_string()))?;
        let answer = answer::exchange(connection, request, &self.scope).await;
        answer.map_err(|error| unreachable(backend, &error.to_string()))
    }
}

async fn connect(backend: &Backend) -> io::Result<Box<dyn Connection>> {
    let stream: Box<dyn Connection> = match &backend.dialer {
        Some(dialer) => dialer().await?,
        None => dial::tcp(&backend.host, backend.port).await?,
    };
    let Some(tls) = &backend.tls else { return Ok(stream) };
    Ok(Box::new(dial::secure(stream, &backend.host, tls).await?))
}

/// An answer as it comes.
fn relay(answer: Response<Incoming>, permit: OwnedSemaphorePermit) -> Response<Body> {
    let mut response = answer::relay(answer, permit, copy);
    response.extensions_mut().insert(Streaming);
    response
}

/// Sets the headers that the request has at the backend.
fn identify(backend: &Backend, headers: &mut HeaderMap) -> Result<(), Status> {
    let host = HeaderValue::try_from(backend.authority());
    headers.insert(HOST, host.map_err(|_| Status::internal("the address of the server is malformed"))?);
    for (name, value) in &backend.identity {
        headers.append(name, value.clone());
    }
    Ok(())
}

/// Copies the headers that belong to the message.
fn copy(from: &HeaderMap, to: &mut HeaderMap) {
    for (name, value) in from {
        let text = name.as_str();
        if !DROPPED.contains(&text) && !DROPPED_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            to.append(name, value.clone());
        }
    }
}

fn unreachable(backend: &Backend, problem: &str) -> Status {
    let text = format!("error trying to reach service: dial tcp {}: {problem}", backend.authority());
    Status::new(503, "ServiceUnavailable", text)
}

fn malformed() -> Status {
    Status::bad_request("the path is malformed")
}

fn too_many() -> Status {
    let text = format!("{MAX_CONNECTIONS} requests are forwarded already; end some and try again");
    Status::new(429, "TooManyRequests", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_claims_of_the_client_stay_here() {
        let mut from = HeaderMap::new();
        for name in
            ["authorization", "impersonate-user", "impersonate-extra-a", "x-remote-user", "cookie", "host"]
        {
            from.insert(name, HeaderValue::from_static("eve"));
        }
        from.insert("accept", HeaderValue::from_static("application/json"));
        let mut identity = HeaderMap::new();
        identity.insert("authorization", HeaderValue::from_static("Bearer own"));
        identity.append("impersonate-group", HeaderValue::from_static("a"));
        identity.append("impersonate-group", HeaderValue::from_static("b"));
        let backend = Backend {
            host: "::1".to_owned(),
            port: 1,
            prefix: String::new(),
            tls: None,
            identity,
            dialer: None,
        };
        let mut to = HeaderMap::new();
        copy(&from, &mut to);
        assert_eq!(to.len(), 1, "{to:?}");
        identify(&backend, &mut to).unwrap();
        assert_eq!(to["host"], "[::1]:1");
        assert_eq!(to["authorization"], "Bearer own");
        assert_eq!(to.get_all("impersonate-group").iter().count(), 2);
    }
}
