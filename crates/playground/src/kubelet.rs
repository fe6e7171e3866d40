//! HTTPS endpoints of the kubelet, called by the API server: logs, attach, exec and port forwarding.
//!
//! They find running pods in the register ([`Pods`]) and do not call the API server. A client with a certificate of the
//! listener's authorities is trusted: only API servers get one. Streams use WebSockets or SPDY/3.1, depending on the
//! version of the API server; kubectl also tunnels SPDY through a WebSocket.
//!
//! | file | purpose |
//! | --- | --- |
//! | `logs`, `attach`, `exec`, `forward` | one endpoint each |
//! | `handshake`, `query` | upgrade of a request, query parameters |
//! | `streams`, `carrier` | streams of a session; carries them over the connection of the client |
//! | `spdy_streams`, `channels`, `tunnel` | SPDY streams; WebSocket channels; SPDY inside a WebSocket |
//! | `process`, `status` | streams of a process; the final `metav1.Status` |
//!
//! This room uses `pods`, `programs`, `sandbox`, `network` and `spdy`. To add an endpoint, add a file and its path in
//! [`Kubelet::answer`].

mod attach;
mod carrier;
mod channels;
mod exec;
mod forward;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod handshake;
mod logs;
mod process;
mod query;
mod spdy_streams;
mod status;
mod streams;
mod tunnel;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use portolan_net::server::PeerIdentity;
use portolan_net::{Clock, Shutdown};
use portolan_object::ObjectKey;
use tokio::sync::Semaphore;

use crate::pods::{Container, Pod, Pods};

use self::query::Query;

/// Body of a response.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Attach, exec and forwarding sessions at a time; more are refused with 429.
const MAX_SESSIONS: usize = 256;

/// The endpoints, as a service for `net::server`. Clones share state.
#[derive(Debug, Clone)]
pub struct Kubelet {
    pods: Pods,
    clock: Clock,
    /// Sessions continue after the request that opened them, and end with this scope.
    scope: Shutdown,
    sessions: Arc<Semaphore>,
}

/// Error response: status code and plain text.
#[derive(Debug)]
pub(crate) struct Refusal(StatusCode, String);

/// Pod and container of a request path.
#[derive(Debug)]
struct Target {
    pod: Arc<Pod>,
    container: Arc<Container>,
}

impl Kubelet {
    /// Creates the endpoints for the pods of a register.
    pub fn new(pods: Pods, clock: Clock, scope: &Shutdown) -> Self {
        Self { pods, clock, scope: scope.clone(), sessions: Arc::new(Semaphore::new(MAX_SESSIONS)) }
    }

    /// Answers one request.
    pub async fn answer<B>(&self, mut request: Request<B>) -> Response<Body> {
        let trusted = request.extensions().get::<PeerIdentity>().is_some_and(|peer| peer.0.is_some());
        let path = request.uri().path().to_owned();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let answered = match segments[..] {
            ["healthz"] => Ok(text(StatusCode::OK, "ok")),
            _ if !trusted => Err(Refusal(StatusCode::UNAUTHORIZED, "Unauthorized".to_owned())),
            ["containerLogs", namespace, pod, container] => {
                self.target(namespace, pod, None, container).and_then(|t| self.logs(&t, &request))
            }
            ["attach", namespace, pod, container] => {
                self.target(namespace, pod, None, container).and_then(|t| attach::open(self, t, &mut request))
            }
            ["attach", namespace, pod, uid, container] => self
                .target(namespace, pod, Some(uid), container)
                .and_then(|t| attach::open(self, t, &mut request)),
            ["exec", namespace, pod, container] => {
                self.target(namespace, pod, None, container).and_then(|t| exec::open(self, t, &mut request))
            }
            ["exec", namespace, pod, uid, container] => self
                .target(namespace, pod, Some(uid), container)
                .and_then(|t| exec::open(self, t, &mut request)),
            ["portForward", namespace, pod] => {
                self.pod(namespace, pod, None).and_then(|pod| forward::open(self, pod, &mut request))
            }
            ["portForward", namespace, pod, uid] => {
                self.pod(namespace, pod, Some(uid)).and_then(|pod| forward::open(self, pod, &mut request))
            }
            _ => Err(Refusal(StatusCode::NOT_FOUND, "404 page not found".to_owned())),
        };
        answered.unwrap_or_else(|Refusal(status, message)| text(status, message))
    }

    fn logs<B>(&self, target: &Target, request: &Request<B>) -> Result<Response<Body>, Refusal> {
        let options = logs::LogOptions::from_query(&Query::from_request(request))?;
        let run = match options.previous {
            true => target.container.previous(),
            false => target.container.current(),
        };
        let (container, pod) = (&target.container.name, &target.pod.key.name);
        let run = run.ok_or_else(|| {
            let problem = match options.previous {
                true => format!("previous terminated container {container:?} in pod {pod:?} not found"),
                false => {
                    format!("container {container:?} in pod {pod:?} is waiting to start: ContainerCreating")
                }
            };
            Refusal(StatusCode::BAD_REQUEST, problem)
        })?;
        let stream = logs::stream(run.log.clone(), options, self.clock.now(), self.scope.clone());
        let mut response = Response::new(http_body_util::StreamBody::new(stream).boxed_unsync());
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        Ok(response)
    }

    fn pod(&self, namespace: &str, name: &str, uid: Option<&str>) -> Result<Arc<Pod>, Refusal> {
        let found = self.pods.get(&ObjectKey::namespaced(namespace, name));
        found
            .filter(|pod| uid.is_none_or(|uid| pod.uid == uid))
            .ok_or_else(|| Refusal(StatusCode::NOT_FOUND, format!("pod {name:?} does not exist")))
    }

    fn target(
        &self,
        namespace: &str,
        name: &str,
        uid: Option<&str>,
        container: &str,
    ) -> Result<Target, Refusal> {
        let pod = self.pod(namespace, name, uid)?;
        match pod.containers.get(container).cloned() {
            Some(container) => Ok(Target { pod, container }),
            None => {
                let problem = format!("container {container:?} not found in pod {name:?}");
                Err(Refusal(StatusCode::NOT_FOUND, problem))
            }
        }
    }

    /// Runs a session on a new task until it ends or the scope does.
    fn run_session(&self, session: impl Future<Output = ()> + Send + 'static) -> Result<(), Refusal> {
        let permit = self.sessions.clone().try_acquire_owned().map_err(|_| {
            Refusal(StatusCode::TOO_MANY_REQUESTS, format!("{MAX_SESSIONS} sessions are open on this node"))
        })?;
        portolan_runtime::scope::spawn_until_stop(&self.scope, async move {
            session.await;
            drop(permit);
        });
        Ok(())
    }
}

impl<B: Send + 'static> tower::Service<Request<B>> for Kubelet {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let kubelet = self.clone();
        Box::pin(async move { Ok(kubelet.answer(request).await) })
    }
}

fn text(status: StatusCode, message: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(message.into()).boxed_unsync());
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

#[cfg(test)]
mod tests;
