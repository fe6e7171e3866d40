//! [`Auditing`]: the record of one request, from its arrival to the end of its answer.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{HeaderName, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response};
use jiff::Timestamp;
use parking_lot::Mutex;
use portolan_net::clock::Clock;
use portolan_net::server::PeerAddress;
use portolan_object::time::format_micro_time;

use super::answered::Answered;
use super::body::recorded;
use super::event::{Event, ObjectRef, drop_managed_fields, response_status, user as event_user};
use super::log::Log;
use super::policy::{Decision, Level, Stage};
use super::tee::Tee;
use crate::auth::User;
use crate::request::RequestInfo;
use crate::respond::{Body, Streaming};

/// Bytes of an answer that are kept for its event.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// Bytes of a failure that are kept for its event.
const MAX_FAILURE: usize = 64 * 1024;
/// Longest id that a client may choose.
const MAX_ID: usize = 64;

const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

/// The record of a request.
#[derive(Debug)]
pub(crate) struct Auditing {
    log: Log,
    decision: Decision,
    event: Mutex<Event>,
}

impl Auditing {
    /// Records the arrival of a request.
    pub(super) fn begin(
        log: Log,
        decision: Decision,
        (parts, headers): (&Parts, &HeaderMap),
        info: &RequestInfo,
        user: Option<&User>,
        now: Timestamp,
    ) -> Arc<Self> {
        let header = |name: HeaderName| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let sent = header(AUDIT_ID);
        let is_usable = !sent.is_empty() && sent.len() <= MAX_ID;
        let peer = parts.extensions.get::<PeerAddress>().map(|peer| peer.0.ip().to_string());
        let time = format_micro_time(now);
        let event = Event {
            kind: "Event",
            api_version: "audit.k8s.io/v1",
            level: decision.level.word(),
            audit_id: if is_usable { sent } else { uuid::Uuid::new_v4().to_string() },
            stage: Stage::RequestReceived.word(),
            request_uri: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            verb: info.verb,
            user: event_user(user),
            impersonated_user: None,
            source_ips: peer.into_iter().collect(),
            user_agent: header(USER_AGENT),
            object_ref: ObjectRef::of(info),
            response_status: None,
            request_bytes: 0,
            request_object: None,
            response_object: None,
            request_received_timestamp: time.clone(),
            stage_timestamp: time,
            annotations: std::collections::BTreeMap::new(),
        };
        let auditing = Arc::new(Self { log, decision, event: Mutex::new(event) });
        auditing.write(Stage::RequestReceived, None);
        auditing
    }

    /// Sets the id of the request in its headers, from which the answer takes it.
    pub(crate) fn identify(&self, headers: &mut HeaderMap) {
        if let Ok(id) = HeaderValue::try_from(self.event.lock().audit_id.as_str()) {
            headers.insert(AUDIT_ID, id);
        }
    }

    /// Notes for whom the request is made, if not for its user.
    pub(crate) fn impersonates(&self, user: &User) {
        self.event.lock().impersonated_user = Some(event_user(Some(user)));
    }

    /// Notes whether the request is allowed, and why.
    pub(crate) fn decided(&self, is_allowed: bool, reason: &str) {
        let mut event = self.event.lock();
        let decision = if is_allowed { "allow" } else { "forbid" };
        event.annotations.insert("authorization.k8s.io/decision", decision.to_owned());
        event.annotations.insert("authorization.k8s.io/reason", reason.to_owned());
    }

    /// Adds an annotation to the event.
    pub(crate) fn annotate(&self, name: &'static str, value: String) {
        self.event.lock().annotations.insert(name, value);
    }

    /// Notes the body of the request, if the policy asks for it. Parses it.
    pub(crate) fn received(&self, content_type: &str, body: &Bytes) {
        let Some(mut object) = recorded(content_type, body) else { return };
        let mut event = self.event.lock();
        if let Some(reference) = &mut event.object_ref {
            reference.complete(&object);
        }
        if self.decision.level >= Level::Request {
            if self.decision.omit_managed_fields {
                drop_managed_fields(&mut object);
            }
            event.request_bytes = body.len();
            event.request_object = Some(object);
        }
    }

    /// Follows the answer: the event is written when it has been sent, and another one when a stream begins.
    pub(crate) fn answered(self: &Arc<Self>, clock: &Clock, response: Response<Body>) -> Response<Body> {
        let code = response.status().as_u16();
        let is_stream = response.extensions().get::<Streaming>().is_some();
        if is_stream {
            self.event.lock().response_status = Some(response_status(code, None));
            self.write(Stage::ResponseStarted, Some(clock.now()));
        }
        let kept = match self.decision.level {
            _ if code >= 400 => MAX_FAILURE,
            Level::RequestResponse if !is_stream => MAX_ANSWER,
            _ => 0,
        };
        let (record, clock) = (Arc::clone(self), clock.clone());
        response.map(|body| Tee::attach(body, kept, move |bytes| record.complete(code, bytes, clock.now())))
    }

    /// Records the end of the answer. `body` is `None` if it was too large to keep.
    fn complete(&self, code: u16, body: Option<Vec<u8>>, now: Timestamp) {
        let Some(body) = body.filter(|body| !body.is_empty()) else {
            self.event.lock().response_status = Some(response_status(code, None));
            return self.write(Stage::ResponseComplete, Some(now));
        };
        if self.decision.omit_stages.contains(&Stage::ResponseComplete) {
            return;
        }
        let event = {
            let mut event = self.event.lock();
            let request_object = event.request_object.take();
            let (stage, stage_timestamp) = (Stage::ResponseComplete.word(), format_micro_time(now));
            Event { stage, stage_timestamp, request_object, ..event.clone() }
        };
        self.log.write_answered(Answered {
            event,
            code,
            body,
            shows_object: self.decision.level == Level::RequestResponse,
            omits_managed_fields: self.decision.omit_managed_fields,
        });
    }

    fn write(&self, stage: Stage, now: Option<Timestamp>) {
        if self.decision.omit_stages.contains(&stage) {
            return;
        }
        let mut event = self.event.lock();
        event.stage = stage.word();
        if let Some(now) = now {
            event.stage_timestamp = format_micro_time(now);
        }
        self.log.write(&*event);
    }
}
