//! Which requests run on compute threads, and what a request takes of its user's limits.
//!
//! A request runs on the thread that received it when its work is small: a short body, a short list in stored form. All
//! others run on a compute thread from their routing to their answer. A computation learns through its
//! [`Interrupt`](crate::interrupt::Interrupt) that its client has left or its time is over.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Response, request};
use portolan_object::Status;
use tokio::runtime::Handle;
use tracing::{Instrument as _, Span};

use super::route;
use crate::auth::User;
use crate::call::{Call, read_counted};
use crate::compute::{Flow, NotComputed};
use crate::fairness::{Excess, Kind, Share};
use crate::health;
use crate::request::RequestInfo;
use crate::respond::{self, Body};
use crate::server::Server;

/// Bytes of a body or of a stored object that are parsed within about a millisecond.
const SMALL: usize = 32 * 1024;
/// Objects of a list that are read and filtered within about a millisecond.
const SHORT_LIST: usize = 1000;
/// Comparisons of objects with parts of a selector, before the deletion of a collection, that take some milliseconds.
const LONG_SELECTION: usize = 100_000;
/// Bytes of a selector that are compared with a label in about the time that an object of a list takes.
const SELECTOR_BYTES_PER_STEP: usize = 32;
/// Subresources with answers that last as long as the client wants.
const LONG_RUNNING: [&str; 5] = ["attach", "exec", "log", "portforward", "proxy"];

/// What a request takes of its user's limits; nothing for health checks and for this process itself.
///
/// # Errors
/// 429.
pub(super) fn share(
    server: &Server,
    user: &User,
    info: &RequestInfo,
    is_own: bool,
) -> Result<Option<Share>, Status> {
    if is_own || health::is_probe(&info.path) {
        return Ok(None);
    }
    let kind = match info.verb {
        _ if user.is_master() => Kind::Exempt,
        _ if is_long_running(info) => Kind::Watch,
        _ => Kind::Request,
    };
    server.fairness.take(&user.name, kind).map(Some)
}

/// Whether the answer lasts as long as the client wants.
pub(super) fn is_long_running(info: &RequestInfo) -> bool {
    info.verb == "watch" || LONG_RUNNING.contains(&&*info.subresource)
}

/// Routes a request to its handler, here or on a compute thread.
///
/// # Errors
/// Those of the handler, those of reading the body, and 429 when too many requests wait for a compute thread.
pub(super) async fn answer(
    call: &Arc<Call>,
    request: request::Parts,
    body: Body,
) -> Result<Response<Body>, Status> {
    let _given_up = call.interrupt.on_drop();
    let mut body = body;
    let mut is_long = false;
    let mut received = Bytes::new();
    if reads_body(&call.info) {
        let mut share = call.share.lock().take();
        let bytes = read_counted(body, &mut share).await;
        *call.share.lock() = share;
        received = bytes?;
        is_long = is_long_body(call.header(CONTENT_TYPE), &received);
        body = respond::whole(received.clone());
    }
    if !is_heavy(call, is_long) {
        record(call, &received);
        return route::answer(call, request, body).await;
    }
    let (owned, runtime, span) = (Arc::clone(call), Handle::current(), Span::current());
    let flow = Flow { user: Arc::from(&*call.user.name), is_exempt: call.user.is_master() };
    let computed = call.server.compute.run(&flow, move || {
        record(&owned, &received);
        runtime.block_on(route::answer(&owned, request, body).instrument(span))
    });
    match computed.await {
        Ok(answered) => answered,
        Err(NotComputed::Full) => Err(call.server.fairness.refuse(&call.user.name, Excess::Queue)),
        Err(NotComputed::Failed) => {
            Err(Status::internal("the request ended without an answer; the log of the server has the cause"))
        }
    }
}

/// Notes a body for the audit log, which parses it.
fn record(call: &Call, received: &Bytes) {
    if let Some(auditing) = call.auditing.as_ref().filter(|_| !received.is_empty()) {
        auditing.received(call.header(CONTENT_TYPE), received);
    }
}

/// Whether the handler reads the whole body; the others pass it on or ignore it.
fn reads_body(info: &RequestInfo) -> bool {
    !LONG_RUNNING.contains(&&*info.subresource)
        && matches!(info.verb, "create" | "update" | "patch" | "delete" | "deletecollection")
}

/// Whether a body takes more than about a millisecond to parse. YAML takes ten times as long as JSON, and a short text with
/// anchors stands for a long one.
fn is_long_body(media_type: &str, body: &[u8]) -> bool {
    let is_yaml = media_type.contains("yaml");
    body.len() > if is_yaml { SMALL / 10 } else { SMALL } || (is_yaml && body.contains(&b'&'))
}

/// Whether a request may compute for longer than other requests can wait.
fn is_heavy(call: &Call, is_long_body: bool) -> bool {
    let (info, resource) = (&call.info, &call.resource);
    if LONG_RUNNING.contains(&&*info.subresource) {
        return false;
    }
    match info.verb {
        "list" => {
            let objects = call.server.store.count(&resource.collection(&info.namespace));
            objects * (1 + selector_steps(call)) > SHORT_LIST || (objects > 0 && parses(call))
        }
        // Most of its time are commits, which a compute thread must not wait for.
        "deletecollection" => {
            let objects = call.server.store.count(&resource.collection(&info.namespace));
            objects * selector_steps(call) > LONG_SELECTION || is_long_body
        }
        "get" => parses(call) && stored_size(call) > SMALL,
        "create" | "update" | "patch" if resource.is("", "resourcequotas") => true,
        "update" | "patch" if has_many_pods(call) => true,
        "create" if !call.is_own && runs_rules(call) => true,
        "create" => is_long_body,
        "update" | "patch" if !call.is_own && runs_rules(call) => true,
        "update" | "patch" => is_long_body || stored_size(call) > SMALL,
        _ => is_long_body,
    }
}

/// Steps of the comparison of the selectors with one object.
fn selector_steps(call: &Call) -> usize {
    let selectors = ["labelSelector", "fieldSelector"].iter().filter_map(|name| call.query.get(name));
    selectors.map(str::len).sum::<usize>() / SELECTOR_BYTES_PER_STEP
}

/// Whether a write may run rules of a custom resource, compiles them, or is compared with the rights of its user: a short
/// body can cause long work. This process writes such objects too; they are
/// small, and their rules are its own.
fn runs_rules(call: &Call) -> bool {
    let compared = ["apiextensions.k8s.io", "rbac.authorization.k8s.io"];
    call.resource.as_custom().is_some() || compared.contains(&&*call.resource.kind.group)
}

/// Whether a write is one of a namespace with many pods, which are checked when its labels allow them less.
fn has_many_pods(call: &Call) -> bool {
    let pods = call.snapshot.find("", "v1", "pods").filter(|_| call.resource.is("", "namespaces"));
    pods.is_some_and(|pods| call.server.store.count(&pods.collection(&call.info.name)) > SHORT_LIST / 10)
}

/// Whether the answer has another form than the stored one, so that objects are parsed.
fn parses(call: &Call) -> bool {
    let accept = call.header(ACCEPT);
    accept.contains("as=") || accept.contains("yaml") || call.query.has("pretty")
}

/// Bytes of the stored object; 0 if it does not exist.
fn stored_size(call: &Call) -> usize {
    let key = call.resource.key(&call.info.namespace, &call.info.name);
    call.server.store.get(&key).map_or(0, |item| item.value.frame_len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_that_take_long_to_parse() {
        let lines = "a: b\n".repeat(1000);
        let cases = [
            ("application/json", "{}".to_owned(), false),
            ("application/json", " ".repeat(SMALL + 1), true),
            ("application/yaml", "a: b".to_owned(), false),
            ("application/yaml", lines.clone(), true),
            ("application/json", lines, false),
            ("application/apply-patch+yaml", "a: &a [x]\nb: [*a, *a]".to_owned(), true),
        ];
        for (media_type, body, is_long) in cases {
            assert_eq!(
                is_long_body(media_type, body.as_bytes()),
                is_long,
                "{media_type}, {} bytes",
                body.len()
            );
        }
    }
}
