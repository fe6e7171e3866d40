//! One request on its way through the server.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use parking_lot::Mutex;
use portolan_object::Status;

use crate::auth::{User, user};
use crate::request::RequestInfo;
use crate::request::query::Query;
use crate::resources::{Resource, Snapshot};
use crate::respond::Body;
use crate::service::Server;

/// Largest request body, in bytes.
const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// A request for a resource that exists.
pub(crate) struct Call {
    /// The server that answers.
    pub(crate) server: Arc<Server>,
    /// Who asks.
    pub(crate) user: Arc<User>,
    /// What is asked.
    pub(crate) info: RequestInfo,
    /// The query parameters.
    pub(crate) query: Query,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The resources at the moment of the request.
    pub(crate) snapshot: Arc<Snapshot>,
    /// What is asked for.
    pub(crate) resource: Arc<Resource>,
    /// When the request arrived.
    pub(crate) now: Timestamp,
    /// What the client should be told besides the answer.
    pub(crate) warnings: Mutex<Vec<String>>,
}

impl Call {
    /// A call of the server itself.
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
        }
    }

    /// Tells the client something besides the answer.
    pub(crate) fn warn(&self, text: impl Into<String>) {
        self.warnings.lock().push(text.into());
    }

    /// A header as text, empty when it is missing.
    pub(crate) fn header(&self, name: http::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The time of the request as objects carry it: whole seconds.
    pub(crate) fn timestamp(&self) -> String {
        timestamp(self.now)
    }
}

/// A time as objects carry it: whole seconds.
pub(crate) fn timestamp(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

/// Reads a request body.
///
/// # Errors
/// 413 when it is too large, 400 when it breaks off.
pub(crate) async fn read_body(mut body: Body) -> Result<Bytes, Status> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|error| Status::bad_request(format!("unable to read the request body: {error}")))?;
        let Ok(piece) = frame.into_data() else { continue };
        if whole.len() + piece.len() > BODY_LIMIT {
            let text = format!("Request entity too large: limit is {BODY_LIMIT}");
            return Err(Status::new(413, "RequestEntityTooLarge", text));
        }
        // Most bodies are one piece, which is used as it is.
        if whole.is_empty() && body.is_end_stream() {
            return Ok(piece);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}
