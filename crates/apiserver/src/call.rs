//! [`Call`]: the context of one resource request.
//!
//! [`crate::dispatch`] makes a `Call` once the request is authenticated, authorized and its resource is found; every
//! handler takes it by reference. It depends on [`Server`] and knows no handler. To pass something new from the
//! request to handlers, add a field here and fill it in `dispatch` and in [`Call::internal`].

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use parking_lot::Mutex;
use portolan_object::Status;
use portolan_object::time::format_time;

use crate::audit::Auditing;
use crate::auth::{AccessTarget, Attributes, Decision, ResourceTarget, User, user};
use crate::fairness::Share;
use crate::interrupt::Interrupt;
use crate::request::RequestInfo;
use crate::request::query::Query;
use crate::resources::{Resource, Snapshot};
use crate::respond::Body;
use crate::server::Server;

/// Largest request body, in bytes.
const BODY_LIMIT: usize = 3 * 1024 * 1024;
/// Bodies up to this size are not counted as bytes of their user.
const UNCOUNTED_BODY: usize = 16 * 1024;

/// A request for a resource that is served.
pub(crate) struct Call {
    /// State shared by all requests.
    pub(crate) server: Arc<Server>,
    /// The authenticated, possibly impersonated user.
    pub(crate) user: Arc<User>,
    /// Verb, namespace, name and subresource.
    pub(crate) info: RequestInfo,
    /// The query parameters.
    pub(crate) query: Query,
    /// The headers of the request.
    pub(crate) headers: HeaderMap,
    /// The resources that were served when the request arrived.
    pub(crate) snapshot: Arc<Snapshot>,
    /// The resource of the request, taken from `snapshot`.
    pub(crate) resource: Arc<Resource>,
    /// When the request arrived.
    pub(crate) now: Timestamp,
    /// Texts for `Warning` headers.
    pub(crate) warnings: Mutex<Vec<String>>,
    /// Whether the caller is a part of this process with all rights.
    pub(crate) is_own: bool,
    /// Set when the answer is not needed any more.
    pub(crate) interrupt: Interrupt,
    /// What the request holds of its user's limits; the handler of a watch takes it out.
    pub(crate) share: Mutex<Option<Share>>,
    /// The record of the request in the audit log.
    pub(crate) auditing: Option<Arc<Auditing>>,
}

impl Call {
    /// A call made by the server itself.
    pub(crate) fn internal(server: &Arc<Server>, resource: &Arc<Resource>, namespace: &str) -> Self {
        Self {
            server: Arc::clone(server),
            user: Arc::new(User::new("system:apiserver", [user::MASTERS])),
            info: RequestInfo { namespace: namespace.to_owned(), ..RequestInfo::default() },
            query: Query::default(),
            headers: HeaderMap::new(),
            snapshot: server.registry.snapshot(),
            resource: Arc::clone(resource),
            now: server.clock.now(),
            warnings: Mutex::default(),
            is_own: true,
            interrupt: Interrupt::default(),
            share: Mutex::default(),
            auditing: None,
        }
    }

    /// Decides whether the user may use `verb` on a target other than that of the request.
    ///
    /// # Errors
    /// 500 when the roles cannot be read.
    pub(crate) fn decide(&self, verb: &str, target: ResourceTarget<'_>) -> Result<Decision, Status> {
        // Members of system:masters may do anything; their roles need not be read.
        if self.user.is_master() {
            return Ok(Decision::Allowed("".into()));
        }
        let attributes = Attributes { user: &self.user, verb, target: AccessTarget::Resource(target) };
        Ok(self.server.access.rules()?.authorize(&attributes))
    }

    /// Adds a `Warning` header to the reply.
    pub(crate) fn warn(&self, text: impl Into<String>) {
        self.warnings.lock().push(text.into());
    }

    /// A header as text; empty when it is missing or not ASCII.
    pub(crate) fn header(&self, name: http::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The time of the request in `metav1.Time` format (whole seconds).
    pub(crate) fn timestamp(&self) -> String {
        format_time(self.now)
    }
}

/// Reads a request body.
///
/// # Errors
/// 413 when it is too large, 400 when the connection breaks.
pub(crate) async fn read_body(body: Body) -> Result<Bytes, Status> {
    read_counted(body, &mut None).await
}

/// Reads a request body, and counts its bytes.
///
/// # Errors
/// Those of [`read_body`], and 429 when the user has too many bytes of bodies in flight.
pub(crate) async fn read_counted(mut body: Body, share: &mut Option<Share>) -> Result<Bytes, Status> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|error| Status::bad_request(format!("unable to read the request body: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > BODY_LIMIT {
            let text = format!("Request entity too large: limit is {BODY_LIMIT}");
            return Err(Status::new(413, "RequestEntityTooLarge", text));
        }
        if let Some(share) = share
            && whole.len() + data.len() > UNCOUNTED_BODY
        {
            share.hold(whole.len() + data.len() - share.bytes())?;
        }
        // Most bodies come in one frame, which is used without a copy.
        if whole.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}
