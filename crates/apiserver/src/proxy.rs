//! Forwards logs, exec, attach and port-forward requests of pods to the kubelet of their node.
//!
//! The request is authorized and the pod found; [`KubeletTarget::locate`] finds address and path, and [`Kubelets`]
//! forwards. An upgraded connection (WebSocket or SPDY) is copied byte by byte in both directions.
//!
//! ```text
//! client ─► API server ─► KubeletTarget::locate ─► Kubelets ─► TLS ─► kubelet
//!    ◄──────────────── bytes in both directions ──────────────►
//! ```

mod answer;
mod backend;
mod dial;
mod target;
mod tunnel;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use portolan_net::Shutdown;
use portolan_object::Status;
use portolan_object::status::Cause;
use rustls::ClientConfig;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::respond::Body;

pub use backend::{Accept, Announced, Backend, BackendDialer, Backends, Forwarder, Locating, Upgraded};
pub(crate) use dial::tcp;
pub use dial::{Connection, Dialing, DirectDialer, KubeletAddress, KubeletDialer, TlsError, client_config};
pub use target::{KubeletTarget, PodAction};

/// Maximum number of connections to kubelets; further requests get 429.
const MAX_CONNECTIONS: usize = 1024;
/// Timeout for connecting to a kubelet, including TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout for the response head of a kubelet.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum size of an error body of a kubelet that is passed to the client, in bytes.
const MAX_REFUSAL_BYTES: usize = 10_000;

/// Client for kubelet connections. Clones share limits.
#[derive(Clone)]
pub struct Kubelets {
    dialer: Arc<dyn KubeletDialer>,
    tls: Arc<ClientConfig>,
    /// Scope of streams, which outlive the request that opened them.
    scope: Shutdown,
    connections: Arc<Semaphore>,
}

impl fmt::Debug for Kubelets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubelets").field("connections", &self.connections.available_permits()).finish()
    }
}

impl Kubelets {
    /// A client that dials with `dialer` and authenticates with the client certificate in `tls`.
    pub fn new(dialer: Arc<dyn KubeletDialer>, tls: Arc<ClientConfig>, scope: &Shutdown) -> Self {
        Self { dialer, tls, scope: scope.clone(), connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)) }
    }

    /// Forwards a request; returns the response of the kubelet.
    ///
    /// # Errors
    /// 400 for a stream without an upgrade, 429 when too many are open, 500 when the node cannot be reached or does not
    /// respond in time; for logs, the error of the kubelet.
    pub async fn forward<B>(
        &self,
        target: &KubeletTarget,
        request: Request<B>,
    ) -> Result<Response<Body>, Status> {
        let permit = Arc::clone(&self.connections).try_acquire_owned().map_err(|_| too_many())?;
        match target.action {
            PodAction::Logs => self.logs(target, permit).await,
            PodAction::Exec | PodAction::Attach | PodAction::PortForward => {
                self.stream(target, request, permit).await
            }
        }
    }

    async fn logs(
        &self,
        target: &KubeletTarget,
        permit: OwnedSemaphorePermit,
    ) -> Result<Response<Body>, Status> {
        let request = with_host(Request::get(&target.path_and_query), target);
        let answer = self.send(target, request).await?;
        if !answer.status().is_success() {
            return Err(refusal(target, answer).await);
        }
        let mut response = Response::new(answer::body(answer.into_body(), permit));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        Ok(response)
    }

    async fn stream<B>(
        &self,
        target: &KubeletTarget,
        mut request: Request<B>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Response<Body>, Status> {
        let client = request.extensions_mut().remove::<OnUpgrade>();
        let Some(client) = client.filter(|_| tunnel::is_upgrade(request.headers())) else {
            return Err(Status::bad_request("Upgrade request required"));
        };
        let onward = Request::builder().method(request.method()).uri(&target.path_and_query);
        let mut onward = with_host(onward, target);
        tunnel::copy_request_headers(request.headers(), onward.headers_mut());
        let answer = self.send(target, onward).await?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(relay(answer, permit));
        }
        Ok(answer::switch(client, answer, &self.scope, permit))
    }

    /// Opens a connection for a request, and waits for the head of the response.
    async fn send(
        &self,
        target: &KubeletTarget,
        request: Request<Empty<Bytes>>,
    ) -> Result<Response<Incoming>, Status> {
        let address = &target.address;
        let dialing = dial::connect(&*self.dialer, &self.tls, address);
        let connection = tokio::time::timeout(CONNECT_TIMEOUT, dialing).await;
        let connection = connection
            .map_err(|_| unreachable_node(address, "i/o timeout"))?
            .map_err(|error| unreachable_node(address, &error.to_string()))?;
        let exchange = answer::exchange(connection, request, &self.scope);
        let answer = tokio::time::timeout(RESPONSE_TIMEOUT, exchange).await;
        let answer = answer.map_err(|_| unreachable_node(address, "no answer in time"))?;
        answer.map_err(|error| unreachable_node(address, &error.to_string()))
    }
}

/// The request with its `Host` header, which the target has checked.
fn with_host(builder: http::request::Builder, target: &KubeletTarget) -> Request<Empty<Bytes>> {
    let host = target.address.authority();
    builder.header(HOST, host).body(Empty::new()).expect("the target was made of valid parts")
}

/// The response of a kubelet that did not open a stream, unchanged.
fn relay(answer: Response<Incoming>, permit: OwnedSemaphorePermit) -> Response<Body> {
    answer::relay(answer, permit, |from, to| {
        for name in [CONTENT_TYPE, CONTENT_LENGTH] {
            if let Some(value) = from.get(&name) {
                to.insert(name, value.clone());
            }
        }
    })
}

/// The status for an error of a kubelet about logs.
async fn refusal(target: &KubeletTarget, answer: Response<Incoming>) -> Status {
    let code = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), MAX_REFUSAL_BYTES).collect();
    let body = tokio::time::timeout(RESPONSE_TIMEOUT, body).await.ok().and_then(Result::ok);
    let bytes = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
    let name = &target.pod;
    let (reason, message) = match code {
        400 => return Status::bad_request(text),
        500 => return Status::internal(text),
        401 => ("Unauthorized", "the server has asked for the client to provide credentials"),
        403 => ("Forbidden", text.as_str()),
        404 => ("NotFound", "the server could not find the requested resource"),
        _ => ("InternalError", "the node's answer cannot be used"),
    };
    let message = format!("{message} ( pods/log {name})");
    let mut status = Status::new(code, reason, message).about("", "pods/log", name);
    if let Some(details) = &mut status.details {
        let cause =
            Cause { reason: "UnexpectedServerResponse".to_owned(), message: text, field: String::new() };
        details.causes.push(cause);
    }
    status
}

fn unreachable_node(address: &KubeletAddress, problem: &str) -> Status {
    let text = format!("error dialing backend: dial tcp {}: {problem}", address.authority());
    Status::new(500, "InternalError", text)
}

fn too_many() -> Status {
    let text = format!("{MAX_CONNECTIONS} streams to nodes are open already; close some and try again");
    Status::new(429, "TooManyRequests", text)
}
