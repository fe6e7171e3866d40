//! The record of one request: a span while it is answered, a figure and a log line at its end.
//!
//! Headers and bodies are never logged: they hold tokens and Secrets.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use portolan_net::TraceContext;
use tracing::Span;

use crate::auth::User;
use crate::call::Call;
use crate::metrics::Metrics;
use crate::request::RequestInfo;
use crate::resources::Resource;

/// A request that took longer is logged as slow; watches are not.
const SLOW: Duration = Duration::from_secs(1);

/// A request, as far as it was understood.
pub(super) struct Subject {
    pub(super) info: RequestInfo,
    /// `None` for paths, and for resources that are not served.
    pub(super) resource: Option<Arc<Resource>>,
    /// `None` when the credentials or the rights were refused.
    pub(super) user: Option<Arc<User>>,
}

/// The span of a request for a resource; it continues the trace of the client.
pub(super) fn span(call: &Call) -> Span {
    let info = &call.info;
    let span = tracing::debug_span!(
        "request",
        verb = info.verb,
        group = %info.group,
        resource = %info.resource,
        subresource = %info.subresource,
        namespace = %info.namespace,
        name = %info.name,
        user = %call.user.name,
    );
    if let Some(trace) = TraceContext::from_headers(&call.headers) {
        trace.set_parent_of(&span);
    }
    span
}

/// Counts and logs an answered request.
pub(super) fn answered(metrics: &Metrics, subject: &Subject, status: StatusCode, duration: Duration) {
    let Subject { info, resource, user } = subject;
    metrics.answered(info, resource.as_deref(), status.as_u16(), duration);
    let message = match status.as_u16() {
        401 => "request without valid credentials refused",
        500.. => "request failed",
        _ if duration > SLOW && info.verb != "watch" => "slow request",
        _ => {
            log(false, info, user.as_deref(), status, duration, "request answered");
            return;
        }
    };
    log(true, info, user.as_deref(), status, duration, message);
}

/// Logs at INFO if `is_notable`, else at DEBUG; the level of an event must be a constant.
fn log(
    is_notable: bool,
    info: &RequestInfo,
    user: Option<&User>,
    status: StatusCode,
    duration: Duration,
    message: &str,
) {
    macro_rules! log {
        ($level:expr) => {
            tracing::event!(
                $level,
                verb = info.verb,
                group = %info.group,
                resource = %info.resource,
                subresource = %info.subresource,
                namespace = %info.namespace,
                name = %info.name,
                path = %info.path,
                user = user.map(|user| &*user.name),
                code = status.as_u16(),
                duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
                "{message}"
            )
        };
    }
    if is_notable {
        log!(tracing::Level::INFO);
    } else {
        log!(tracing::Level::DEBUG);
    }
}
