//! Requests to one Kubernetes API server.
//!
//! Controllers, the agent and the command line reach hub and members through [`Client`]. The constructor decides how:
//! a server in this process, HTTP/2 over TLS, or the context of a kubeconfig. The client does not retry; the work queue
//! does.
//!
//! ```no_run
//! # use portolan_runtime::client::{Client, Endpoint, Selection};
//! # use portolan_runtime::Resource;
//! # use portolan_object::Object;
//! # async fn example(endpoint: Endpoint) -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect(endpoint)?;
//! let config_maps = Resource::namespaced("", "v1", "ConfigMap", "configmaps");
//! let list = client.resource::<Object>(&config_maps).list(&Selection::namespace("shop")).await?;
//! println!("{} ConfigMaps at version {}", list.items.len(), list.resource_version);
//! # Ok(())
//! # }
//! ```

mod connect;
mod decode;
mod dial_error;
mod discovery;
mod error;
mod exec;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod kubeconfig;
mod operations;
mod options;
mod stored;
mod stream;
mod table;
mod transport;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use portolan_api::Kind;
use portolan_net::TraceContext;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower::Service;

pub use connect::{Address, ConnectError, Credential, Dialer, Endpoint, http_1_config, http_2_config};
pub use decode::{Seen, WatchEvent};
pub use discovery::{Discovered, Discovery};
pub use error::{BoxError, ClientError};
pub use exec::{Exec, ProcessEvent, ProcessInput, ProcessOutput};
pub use kubeconfig::{KubeconfigContext, KubeconfigError, KubeconfigFiles};
pub use operations::{Api, List};
pub use options::{Apply, Delete, Patch, Propagation, Selection};
pub use stored::{StoredObject, StoredObjects};
pub use stream::ByteStream;
pub use table::{Column, Row, Table, TableMetadata, TableOptions};
pub use transport::Body;
pub use watch::WatchStream;

pub(crate) use decode::{ManagedFields, object_of_one};
pub(crate) use operations::{Pages, WatchStart};

use transport::{Answer, Bounds, Transport, full};

use crate::cluster_name::ClusterName;
use crate::hold::{Denial, Hold};
use crate::limits::{AnswerLimits, Budget, Excess, Rewrites, Write};
use crate::metrics::{CacheReader, Metrics, RequestMeter};
use crate::resource::Resource;

/// Timeout of a request unless [`Client::with_timeout`] sets another; Karmada's member clients use 32 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Largest body of an answer of 400 or above that is read, in bytes. Of a longer one only the code is used.
const MAX_ERROR_BYTES: usize = 1 << 20;

const USER_AGENT: &str = concat!("portolan/", env!("CARGO_PKG_VERSION"));

/// A client of one API server; clones share connections.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    timeout: Duration,
    /// False after the server has refused a streaming list.
    streaming_lists: Arc<AtomicBool>,
    reporter: Option<Arc<Reporter>>,
    /// Asked before each write; `None` for a server that this process may always write to.
    hold: Option<Arc<Hold>>,
    /// Counts the writes of each object; `None` for a server with objects that this process need not share.
    rewrites: Option<Arc<Rewrites>>,
    limits: AnswerLimits,
    /// What all answers and caches of the server may use together.
    budget: Option<Arc<Budget>>,
    /// Whether the server is in this process.
    is_local: bool,
    /// What the server in this process keeps.
    stored: Option<Arc<dyn StoredObjects>>,
}

/// Where a client and the caches over it report.
struct Reporter {
    metrics: Metrics,
    cluster: Option<ClusterName>,
    requests: RequestMeter,
    /// Caches that were listed again because the versions of the server went back.
    rewinds: AtomicU64,
}

impl Client {
    /// A client of a server in this process, which is any tower service that answers HTTP requests.
    pub fn in_process<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let client = Self::over(Transport::new(service, "the embedded API server".to_owned()));
        Self { is_local: true, limits: AnswerLimits::trusted(), ..client }
    }

    /// A client that sends nothing: each request fails with `reason`.
    pub fn refusing(server: &str, reason: &str) -> Self {
        let reason: Arc<str> = reason.into();
        let service = tower::service_fn(move |_: Request<Body>| {
            std::future::ready(Err::<Response<Body>, BoxError>(reason.to_string().into()))
        });
        Self::over(Transport::new(service, server.to_owned()))
    }

    /// A client that connects at the first request, and again after a connection broke. Sends nothing itself.
    ///
    /// # Errors
    /// If the address, the CA or the credential is malformed.
    pub fn connect(endpoint: Endpoint) -> Result<Self, ConnectError> {
        connect::transport(endpoint, None).map(Self::over)
    }

    /// The same, with connections that `dialer` makes instead of TCP to the address.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn connect_through(endpoint: Endpoint, dialer: Dialer) -> Result<Self, ConnectError> {
        connect::transport(endpoint, Some(dialer)).map(Self::over)
    }

    /// A client for a context of one kubeconfig file; the current context when `context` is absent.
    ///
    /// # Errors
    /// When the file cannot be read, or has no such context, or its credentials cannot be used.
    pub async fn from_kubeconfig(
        path: &std::path::Path,
        context: Option<&str>,
    ) -> Result<Self, KubeconfigError> {
        KubeconfigContext::load(&KubeconfigFiles::Named(path.to_owned()), context).await?.client()
    }

    /// A client with the service account of the pod that the process runs in.
    ///
    /// # Errors
    /// When the process does not run in a pod, or its credentials cannot be used.
    pub fn in_cluster() -> Result<Self, KubeconfigError> {
        kubeconfig::in_cluster()
    }

    fn over(transport: Transport) -> Self {
        Self {
            transport,
            timeout: REQUEST_TIMEOUT,
            streaming_lists: Arc::new(AtomicBool::new(true)),
            reporter: None,
            hold: None,
            rewrites: None,
            limits: AnswerLimits::default(),
            budget: None,
            is_local: false,
            stored: None,
        }
    }

    /// What the server in this process keeps, for caches to share.
    pub(crate) fn stored(&self) -> Option<&Arc<dyn StoredObjects>> {
        self.stored.as_ref()
    }

    /// A client of a server that this server forwards requests to, below `prefix`; `server` is its name in errors.
    #[must_use]
    pub fn behind(&self, prefix: &str, server: String) -> Self {
        Self { timeout: self.timeout, ..Self::over(self.transport.behind(prefix, server)) }
    }

    /// The same client with other limits of its answers.
    #[must_use]
    pub fn with_limits(mut self, limits: AnswerLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The same client; its answers, and the caches that are made with it, use memory of `budget`.
    #[must_use]
    pub fn with_budget(mut self, budget: Arc<Budget>) -> Self {
        self.budget = Some(budget);
        self
    }

    /// The budget of the server.
    pub(crate) fn budget(&self) -> Option<&Arc<Budget>> {
        self.budget.as_ref()
    }

    /// The same client; the server counts as one in another process.
    #[cfg(test)]
    pub(crate) fn into_remote(self) -> Self {
        Self { is_local: false, ..self }
    }

    /// The member of the client.
    pub(crate) fn cluster(&self) -> Option<&ClusterName> {
        self.reporter.as_ref()?.cluster.as_ref()
    }

    /// Counts that the resource versions of the server went back.
    pub(crate) fn count_rewind(&self) {
        if let Some(reporter) = &self.reporter {
            reporter.rewinds.fetch_add(1, Ordering::Relaxed);
            reporter.metrics.count_rewind(reporter.cluster.as_ref());
        }
    }

    /// Caches that were listed again because the resource versions of the server went back. Counted only with metrics.
    pub fn rewinds(&self) -> u64 {
        self.reporter.as_ref().map_or(0, |reporter| reporter.rewinds.load(Ordering::Relaxed))
    }

    /// Whether the server runs in this process, so that it cannot be restored from a backup while this client lives.
    pub(crate) fn is_local(&self) -> bool {
        self.is_local
    }

    /// The same client; its requests, and the caches and event recorders that are made with it, are counted in
    /// `metrics` from now on, under the name of a member or as the control plane's.
    #[must_use]
    pub fn with_metrics(mut self, metrics: &Metrics, cluster: Option<&ClusterName>) -> Self {
        let requests = metrics.requests(cluster);
        self.reporter = Some(Arc::new(Reporter {
            metrics: metrics.clone(),
            cluster: cluster.cloned(),
            requests,
            rewinds: AtomicU64::new(0),
        }));
        self
    }

    /// The same client; it writes only while `hold` admits it. Reads and reviews are not limited.
    #[must_use]
    pub(crate) fn with_hold(mut self, hold: &Arc<Hold>) -> Self {
        self.hold = Some(hold.clone());
        self.rewrites = Some(Arc::default());
        self
    }

    /// The metrics that the client reports to; unregistered ones when there are none.
    pub fn metrics(&self) -> Metrics {
        self.reporter.as_ref().map(|reporter| reporter.metrics.clone()).unwrap_or_default()
    }

    /// Reports a cache over this client.
    pub(crate) fn report_cache(&self, resource: &Resource, cache: &Arc<impl CacheReader + 'static>) {
        if let Some(reporter) = &self.reporter {
            let reader: Arc<dyn CacheReader> = cache.clone();
            let name = match resource.gvk.group.as_str() {
                "" => resource.plural.clone(),
                group => format!("{}.{group}", resource.plural),
            };
            reporter.metrics.add_cache(reporter.cluster.as_ref(), &name, Arc::downgrade(&reader));
        }
    }

    /// The same client with another timeout for each request. A watch has a limit for silence instead.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Address of the server, or what it is called in errors.
    pub fn server(&self) -> &str {
        self.transport.server()
    }

    pub(crate) fn may_stream_lists(&self) -> bool {
        self.streaming_lists.load(Ordering::Relaxed)
    }

    pub(crate) fn cannot_stream_lists(&self) {
        self.streaming_lists.store(false, Ordering::Relaxed);
    }

    /// Operations on objects of one resource. `T` is `Object` or a typed kind.
    pub fn resource<T>(&self, resource: &Resource) -> Api<T> {
        Api::new(self.clone(), resource.clone())
    }

    /// Operations on objects of a typed kind.
    pub fn kind<T: Kind>(&self) -> Api<T> {
        Api::new(self.clone(), Resource::of::<T>())
    }

    /// Gets a path such as `/readyz` as text.
    ///
    /// # Errors
    /// Each answer of 400 and above, and each failure to get one.
    pub async fn text(&self, path: &str) -> Result<String, ClientError> {
        let body = self.exchange(self.request(Method::GET, path, None, Bytes::new())?).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Gets a path that answers in plain text, and the time that the server states in its answer.
    ///
    /// # Errors
    /// Each answer of 400 and above, and each failure to get or read one.
    pub async fn dated_text(&self, path: &str) -> Result<(String, Option<Timestamp>), ClientError> {
        let response = self.open(self.request(Method::GET, path, None, Bytes::new())?).await?;
        let date = response.headers().get(header::DATE).and_then(|date| date.to_str().ok());
        let stated = date.and_then(|date| rfc2822::parse(date).ok()).map(|date| date.timestamp());
        let body = self.collect(response.into_body(), self.limits.object_bytes).await?;
        Ok((String::from_utf8_lossy(&body).into_owned(), stated))
    }

    /// Gets a path such as `/version` as JSON.
    ///
    /// # Errors
    /// Each answer of 400 and above, and each failure to get or read one.
    pub async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let body = self.exchange(self.request(Method::GET, path, None, Bytes::new())?).await?;
        decode_answer(&Method::GET, path, &body)
    }

    /// Puts `content` to a path such as a `finalize` subresource, and reads the answer.
    ///
    /// # Errors
    /// Each answer of 400 and above, and each failure to get or read one.
    pub async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        content: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.send_json(Method::PUT, path, "application/json", content).await
    }

    /// Posts `content` to a path such as a `token` subresource, and reads the answer.
    ///
    /// # Errors
    /// Each answer of 400 and above, and each failure to get or read one.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        content: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.send_json(Method::POST, path, "application/json", content).await
    }

    async fn send_json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        content_type: &'static str,
        content: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(content).map_err(|source| unreadable(&method, path, source))?;
        let request = self.request(method.clone(), path, Some(content_type), Bytes::from(body))?;
        decode_answer(&method, path, &self.exchange(request).await?)
    }

    /// Admits a write, unless its content has been written to the object too often.
    fn admit_rewrite(&self, write: Write<'_>) -> Result<(), ClientError> {
        let Some(rewrites) = &self.rewrites else { return Ok(()) };
        let admitted = rewrites.admit(write);
        if let Some(reporter) = &self.reporter {
            reporter.metrics.set_contested(reporter.cluster.as_ref(), rewrites.contested());
        }
        admitted.map_err(|retry_after| {
            let object = write.object.to_owned();
            tracing::warn!(%object, "another writer changes an object back, the next write waits");
            ClientError::Contested { object, retry_after }
        })
    }

    /// Notes the version of an object after a write.
    fn rewritten(&self, object: &str, version: &str) {
        if let Some(rewrites) = &self.rewrites {
            rewrites.written(object, version);
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&'static str>,
        body: Bytes,
    ) -> Result<Request<Body>, ClientError> {
        let invalid = |source| ClientError::InvalidPath { path: path.to_owned(), source };
        let uri = path.parse().map_err(invalid)?;
        let mut request = Request::new(full(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, header::HeaderValue::from_static("application/json"));
        // API servers use the part before the slash as the field manager.
        headers.insert(header::USER_AGENT, header::HeaderValue::from_static(USER_AGENT));
        if let Some(content_type) = content_type {
            headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
        }
        Ok(request)
    }

    /// Sends a request and reads the whole answer, which is about one object.
    async fn exchange(&self, request: Request<Body>) -> Result<Answer, ClientError> {
        self.exchange_within(request, self.limits.object_bytes).await
    }

    /// Sends a request and reads the whole answer, which is about a collection.
    async fn exchange_page(&self, request: Request<Body>) -> Result<Answer, ClientError> {
        self.exchange_within(request, self.limits.page_bytes).await
    }

    async fn exchange_within(&self, request: Request<Body>, bytes: usize) -> Result<Answer, ClientError> {
        let path = self.budget.as_ref().map(|_| request.uri().path().to_owned());
        let response = self.open(request).await?;
        let answer = self.collect(response.into_body(), bytes).await;
        if let (Some(budget), Some(path), Err(ClientError::Excessive { excess, .. })) =
            (&self.budget, path, &answer)
        {
            budget.end(excess, path);
        }
        answer
    }

    async fn collect(&self, body: Body, bytes: usize) -> Result<Answer, ClientError> {
        let bounds = Bounds { time: self.timeout, bytes, budget: self.budget.clone() };
        self.transport.collect(body, bounds).await
    }

    /// Sends a request and waits for the head of the answer. The server continues the trace of the pass.
    async fn send(
        &self,
        mut request: Request<Body>,
        timeout: Duration,
    ) -> Result<Response<Body>, ClientError> {
        if let Some(trace) = TraceContext::current() {
            trace.insert_into(request.headers_mut());
        }
        let Some(reporter) = &self.reporter else { return self.transport.send(request, timeout).await };
        let (method, started) = (request.method().clone(), Instant::now());
        let answer = self.transport.send(request, timeout).await;
        let code = answer.as_ref().ok().map(Response::status);
        reporter.requests.count(&method, code, started.elapsed());
        answer
    }

    /// Sends a request and reads the head of the answer. An answer of 400 or above is an error.
    async fn open(&self, request: Request<Body>) -> Result<Response<Body>, ClientError> {
        if let Some(hold) = self.hold.as_ref().filter(|_| is_write(&request)) {
            hold.admit().await.map_err(|denial| match denial {
                Denial::Refused(reason) => ClientError::NotHeld { reason },
                Denial::Unconfirmed(cause) => self.transport.unreachable(cause.into()),
            })?;
        }
        let response = self.send(request, self.timeout).await?;
        if response.status().as_u16() < 400 {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let retry_after = head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|text| text.parse().ok()).map(Duration::from_secs);
        let body = match self.collect(body, MAX_ERROR_BYTES).await {
            Err(ClientError::Excessive { excess: Excess::Answer { .. }, .. }) => None,
            body => Some(body?),
        };
        Err(ClientError::from_answer(head.status, retry_after, body.as_deref().unwrap_or_default()))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// API groups of reviews, which are created and not stored.
const REVIEW_GROUPS: [&str; 2] = ["/apis/authentication.k8s.io/", "/apis/authorization.k8s.io/"];

/// Whether a request changes an object.
fn is_write(request: &Request<Body>) -> bool {
    let path = request.uri().path();
    !request.method().is_safe() && !REVIEW_GROUPS.iter().any(|group| path.starts_with(group))
}

fn decode_answer<T: DeserializeOwned>(method: &Method, path: &str, body: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|source| unreadable(method, path, source))
}

fn unreadable(method: &Method, path: &str, source: serde_json::Error) -> ClientError {
    ClientError::Unreadable { request: format!("{method} {path}"), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_need_a_hold_and_reviews_do_not() {
        let cases = [
            (Method::GET, "/api/v1/pods", false),
            (Method::POST, "/api/v1/namespaces/default/pods", true),
            (Method::PUT, "/api/v1/namespaces/default/pods/a?fieldManager=x", true),
            (Method::PATCH, "/apis/apps/v1/namespaces/default/deployments/a/status", true),
            (Method::DELETE, "/api/v1/namespaces/default/pods/a", true),
            (Method::POST, "/api/v1/namespaces/default/serviceaccounts/a/token", true),
            (Method::POST, "/apis/authentication.k8s.io/v1/selfsubjectreviews", false),
            (Method::POST, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", false),
            (Method::POST, "/apis/shop.example.com/v1/bookreviews", true),
        ];
        for (method, path, want) in cases {
            let mut request = Request::new(full(Bytes::new()));
            *request.method_mut() = method.clone();
            *request.uri_mut() = path.parse().expect("a path");
            assert_eq!(is_write(&request), want, "{method} {path}");
        }
    }
}
