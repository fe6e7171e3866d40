//! An event with the answer that it records. The thread that writes the log parses the answer: it can have some MiB.

use serde_json::Value;

use super::event::{Event, drop_managed_fields, response_status};

/// Bytes of an event beside the bodies, about.
const EVENT_BYTES: usize = 1024;
/// Memory of a parsed body in its bytes, about.
const PARSED_FACTOR: usize = 4;

/// An event that lacks its answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) event: Event,
    /// The HTTP status.
    pub(super) code: u16,
    /// The answer. One that was cut off is no JSON, and is left out.
    pub(super) body: Vec<u8>,
    /// Whether the event shows all of the answer.
    pub(super) shows_object: bool,
    pub(super) omits_managed_fields: bool,
}

impl Answered {
    /// The memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        EVENT_BYTES + PARSED_FACTOR * self.event.request_bytes + self.body.len()
    }

    /// The text of the event.
    pub(super) fn text(mut self) -> serde_json::Result<Vec<u8>> {
        let object: Option<Value> = serde_json::from_slice(&self.body).ok();
        self.event.response_status = Some(response_status(self.code, object.as_ref()));
        self.event.response_object = object.filter(|_| self.shows_object).map(|mut object| {
            if self.omits_managed_fields {
                drop_managed_fields(&mut object);
            }
            object
        });
        serde_json::to_vec(&self.event)
    }
}
