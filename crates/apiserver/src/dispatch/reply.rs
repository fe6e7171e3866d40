//! Replies on their way to the client.

use std::sync::Arc;

use http::{HeaderMap, Response};
use portolan_net::clock::Clock;
use portolan_object::Status;

use crate::audit::Auditing;
use crate::negotiate::Reply;
use crate::request::query::Query;
use crate::respond::{self, Body};

/// Finishes the replies to one request: an error becomes a reply, every reply has some headers, and the audit log learns
/// how it ends.
pub(super) struct Replies {
    pub(super) auditing: Option<Arc<Auditing>>,
    pub(super) clock: Clock,
}

impl Replies {
    pub(super) fn finish(
        &self,
        answered: Result<Response<Body>, Status>,
        headers: &HeaderMap,
        query: &Query,
        warnings: &[String],
    ) -> Response<Body> {
        let response =
            answered.unwrap_or_else(|status| respond::status(&status, Reply::for_error(headers, query)));
        let response = match &self.auditing {
            Some(auditing) => auditing.answered(&self.clock, response),
            None => response,
        };
        respond::finish(headers, warnings, response)
    }
}
