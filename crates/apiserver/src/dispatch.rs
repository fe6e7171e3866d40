//! Routing: from a request to the handler that answers it.
//!
//! The order is fixed:
//!
//! 1. authentication, done by [`crate::service`]; the record in the audit log begins ([`crate::audit`]);
//! 2. impersonation and authorization ([`authorize`]);
//! 3. for paths that are not resources: health, discovery, OpenAPI and other documents (`documents`);
//!    paths of the embedding program (`mounted`); group versions of other API servers ([`crate::aggregator`]);
//! 4. for resources: find the resource, make a [`Call`], read the body, pick the handler (`route`, `subresources`), here
//!    or on a compute thread (`offload`);
//! 5. errors become replies, and [`respond::finish`] adds the headers that every reply has;
//! 6. the request is counted and logged (`observe`).
//!
//! Each request of the network has a share of its user's limits ([`crate::fairness`]) from its authorization to the end of
//! its answer. To serve a new path, add it to `documents`; a new verb, to `route`; a new
//! subresource, to `subresources` and to the resource's entry in [`crate::kinds`]. Handlers never refer to this
//! module.

mod documents;
mod mounted;
mod observe;
mod offload;
mod refusal;
mod reply;
mod route;
mod subresources;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, Request, Response, request};
use parking_lot::Mutex;
use portolan_object::Status;
use tracing::Instrument;

use crate::aggregator::Remote;
use crate::audit::Auditing;
use crate::auth::{Attributes, Decision, User, impersonation};
use crate::call::Call;
use crate::fairness::{self, Share};
use crate::interrupt::{Interrupt, timed_out};
use crate::mounted::Mounted;
use crate::request::query::Query;
use crate::request::{RequestInfo, timeout};
use crate::respond::{self, Body};
use crate::server::Server;
use mounted::{MountedCall, Outcome};
use observe::Subject;
use reply::Replies;

/// Marks a request of a caller in this process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InProcess;

/// Answers a request and counts it; `user` is the outcome of its authentication.
pub(crate) async fn dispatch(
    server: Arc<Server>,
    user: Result<Arc<User>, Status>,
    request: Request<Body>,
) -> Response<Body> {
    let (started, metrics) = (Instant::now(), server.metrics.clone());
    let is_head = request.method() == Method::HEAD;
    let (subject, response) = answer(server, user, request).await;
    observe::answered(&metrics, &subject, response.status(), started.elapsed());
    if is_head { respond::without_body(response) } else { response }
}

/// The record of a request in the audit log, which begins here; `None` if the request is not recorded.
async fn audited(
    server: &Server,
    user: &Result<Arc<User>, Status>,
    info: &RequestInfo,
    parts: &mut request::Parts,
    headers: &mut HeaderMap,
) -> Option<Arc<Auditing>> {
    // A request that the embedding program has sent on to this server has its record already.
    if let Some(auditing) = parts.extensions.get::<Arc<Auditing>>() {
        return Some(Arc::clone(auditing));
    }
    let audit = server.audit.as_ref()?;
    let decision = audit.decide(info, parts.uri.path(), user)?;
    audit.room().await;
    let auditing = audit.begin(decision, (&*parts, &*headers), info, user, server.clock.now());
    auditing.identify(headers);
    parts.extensions.insert(Arc::clone(&auditing));
    Some(auditing)
}

/// Answers a request; returns also what was understood of it.
async fn answer(
    server: Arc<Server>,
    user: Result<Arc<User>, Status>,
    request: Request<Body>,
) -> (Subject, Response<Body>) {
    let (mut parts, body) = request.into_parts();
    let mut headers = std::mem::take(&mut parts.headers);
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let info = RequestInfo::parse(&parts.method, parts.uri.path(), &query);
    let _in_flight = server.metrics.begin(info.verb);
    let auditing = audited(&server, &user, &info, &mut parts, &mut headers).await;
    let replies = Replies { auditing, clock: server.clock.clone() };
    let auditing = replies.auditing.as_deref();
    let user = match user.and_then(|user| authorize(&server, user, &info, &headers, auditing)) {
        Ok(user) => user,
        Err(status) => {
            let subject = Subject { info, resource: None, user: None };
            return (subject, replies.finish(Err(status), &headers, &query, &[]));
        }
    };
    let is_own = parts.extensions.get::<InProcess>().is_some() && user.is_master();
    let share = match offload::share(&server, &user, &info, is_own) {
        Ok(share) => share,
        Err(status) => {
            let subject = Subject { info, resource: None, user: Some(user) };
            return (subject, replies.finish(Err(status), &headers, &query, &[]));
        }
    };
    let call = MountedCall { server, user, info, query, headers };
    let (call, answered) = if let Some(remote) = find_remote(&call, parts.uri.path()) {
        answer_remote(&remote, call, parts, body, share).await
    } else if !call.info.is_resource {
        let MountedCall { server, info, query, headers, .. } = &call;
        let answered = documents::answer(server, &parts.method, &info.path, headers, query);
        let answered = answered.and_then(|response| fairness::attach(share, response));
        (call, answered)
    } else if let Some(mounted) = mounted::find(&call.server, &call.info).cloned() {
        match answer_mounted(&mounted, call, parts, body, share).await {
            Mount::Here { server, user, request } => {
                return Box::pin(answer(server, Ok(user), *request)).await;
            }
            Mount::Answered(answered) => *answered,
        }
    } else {
        return answer_resource(call, parts, body, share, is_own, &replies).await;
    };
    let response = replies.finish(answered, &call.headers, &call.query, &[]);
    (Subject { info: call.info, resource: None, user: Some(call.user) }, response)
}

/// Answers a request for a resource of this server.
async fn answer_resource(
    call: MountedCall,
    parts: request::Parts,
    body: Body,
    share: Option<Share>,
    is_own: bool,
    replies: &Replies,
) -> (Subject, Response<Body>) {
    let MountedCall { server, user, info, query, headers } = call;
    let snapshot = server.registry.snapshot();
    let resource = match route::find(&snapshot, &parts.method, &info) {
        Ok(resource) => Arc::clone(resource),
        Err(refusal) => {
            let subject = Subject { info, resource: None, user: Some(user) };
            return (subject, replies.finish(refusal.into_answer(), &headers, &query, &[]));
        }
    };
    let now = server.clock.now();
    let call = Arc::new(Call {
        server,
        user,
        info,
        query,
        headers,
        snapshot,
        resource,
        now,
        warnings: Mutex::default(),
        is_own,
        interrupt: Interrupt::default(),
        share: Mutex::new(share),
        auditing: replies.auditing.clone(),
    });
    if let Some(warning) = call.resource.deprecation() {
        call.warn(warning);
    }
    let limit = if call.info.verb == "watch" { None } else { Some(timeout::from_query(&call.query)) };
    let answered = within(limit, offload::answer(&call, parts, body)).instrument(observe::span(&call)).await;
    let share = call.share.lock().take();
    let answered = answered.and_then(|response| fairness::attach(share, response));
    let warnings = std::mem::take(&mut *call.warnings.lock());
    let response = replies.finish(answered, &call.headers, &call.query, &warnings);
    let subject = match Arc::try_unwrap(call) {
        Ok(call) => Subject { info: call.info, resource: Some(call.resource), user: Some(call.user) },
        // A computation that was given up still has it.
        Err(call) => {
            let (resource, user) = (Some(Arc::clone(&call.resource)), Some(Arc::clone(&call.user)));
            Subject { info: call.info.clone(), resource, user }
        }
    };
    (subject, response)
}

/// What became of a request for a mounted path.
enum Mount {
    /// This server itself must answer this request.
    Here {
        server: Arc<Server>,
        user: Arc<User>,
        request: Box<Request<Body>>,
    },
    Answered(Box<(MountedCall, Result<Response<Body>, Status>)>),
}

/// Answers a request for a path that the embedding program answers.
async fn answer_mounted(
    mounted: &Arc<dyn Mounted>,
    call: MountedCall,
    parts: request::Parts,
    body: Body,
    mut share: Option<Share>,
) -> Mount {
    let limit = if call.query.flag("watch") { None } else { Some(timeout::from_query(&call.query)) };
    let answered = match within(limit, mounted::answer(mounted, &call, parts, body, &mut share)).await {
        Ok(Outcome::Response(response)) => fairness::attach(share, response),
        Ok(Outcome::Here(request)) => {
            return Mount::Here { server: call.server, user: call.user, request: Box::new(request) };
        }
        Err(status) => Err(status),
    };
    Mount::Answered(Box::new((call, answered)))
}

/// The other server that answers a request. None takes over what this server answers itself.
fn find_remote(call: &MountedCall, path: &str) -> Option<Arc<Remote>> {
    let remote = call.server.aggregator.find(path)?;
    let (group, version) = remote.group_version();
    let is_own = call.server.registry.snapshot().serves(group, version);
    (!is_own && mounted::find(&call.server, &call.info).is_none()).then_some(remote)
}

/// Answers a request for a group version that another API server answers.
async fn answer_remote(
    remote: &Remote,
    call: MountedCall,
    mut parts: request::Parts,
    body: Body,
    share: Option<Share>,
) -> (MountedCall, Result<Response<Body>, Status>) {
    let limit =
        if offload::is_long_running(&call.info) { None } else { Some(timeout::from_query(&call.query)) };
    parts.headers.clone_from(&call.headers);
    let request = Request::from_parts(parts, body);
    let answered = within(limit, call.server.aggregator.forward(remote, &call.user, request)).await;
    let answered = answered.and_then(|response| fairness::attach(share, response));
    (call, answered)
}

/// Exchanges the user for an impersonated one, and checks that the request is allowed.
///
/// # Errors
/// 403 when it is not, 500 when the roles cannot be read.
fn authorize(
    server: &Server,
    user: Arc<User>,
    info: &RequestInfo,
    headers: &HeaderMap,
    auditing: Option<&Auditing>,
) -> Result<Arc<User>, Status> {
    let decided = |is_allowed, reason: &str| {
        if let Some(auditing) = auditing {
            auditing.decided(is_allowed, reason);
        }
    };
    let impersonates = headers.keys().any(|name| name.as_str().starts_with("impersonate-"));
    let user = match impersonates {
        true => Arc::new(impersonation::impersonate(User::clone(&user), headers, &*server.access.rules()?)?),
        false => user,
    };
    if let (true, Some(auditing)) = (impersonates, auditing) {
        auditing.impersonates(&user);
    }
    // Members of system:masters may do anything; their roles need not be read.
    if user.is_master() {
        decided(true, "");
        return Ok(user);
    }
    let attributes = Attributes::from_request(&user, info);
    match server.access.rules()?.authorize(&attributes) {
        Decision::Allowed(reason) => {
            decided(true, &reason);
            Ok(user)
        }
        Decision::Denied(reason) => {
            decided(false, &reason);
            Err(attributes.forbidden(&reason))
        }
    }
}

async fn within<T>(
    limit: Option<Duration>,
    answer: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let Some(limit) = limit else { return answer.await };
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| Err(timed_out()))
}
