//! Watch events as lines of JSON.

use std::sync::Arc;

use bytes::Bytes;
use portolan_object::Status;
use portolan_store::{Event, Revision, Versioned};
use serde_json::json;

use crate::metrics::WatchMeter;
use crate::negotiate::Form;
use crate::read::{Presenter, Selection};
use crate::record::{FRAME_END, Record, frame_opening};
use crate::resources::Resource;

/// Annotation of the bookmark after the initial events of a streaming list.
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// Encodes the frames of one watch.
#[derive(Debug)]
pub(super) struct Frames {
    resource: Arc<Resource>,
    presenter: Presenter,
    meter: WatchMeter,
    /// Whether the next table must have column definitions: the first one of a watch has them.
    wants_columns: bool,
}

impl Frames {
    pub(super) fn new(resource: &Arc<Resource>, presenter: Presenter, meter: WatchMeter) -> Self {
        Self { resource: Arc::clone(resource), presenter, meter, wants_columns: true }
    }

    /// The resource of the watch.
    pub(super) fn resource(&self) -> &Resource {
        &self.resource
    }

    /// What looking at an object takes, in bytes of objects that are read in the same time: selectors are compared with it,
    /// and the columns of a table computed.
    pub(super) fn look(&self) -> usize {
        if self.presenter.form() == Form::Table { 32 * 1024 } else { 2 * 1024 }
    }

    /// Sets the time from which ages in table rows are computed.
    pub(super) fn set_now(&mut self, now: jiff::Timestamp) {
        self.presenter.set_now(now);
    }

    /// The frame of an event; `None` if the object is not selected before or after it.
    ///
    /// An object that starts to match the selectors is `ADDED`. One that no longer matches is `DELETED`, with its last
    /// matching content and the revision of the change.
    pub(super) fn event(&mut self, selection: &Selection, event: &Event<Record>) -> Option<Bytes> {
        let selects = |item: &&Versioned<Record>| selection.matches(&self.resource, item);
        let current = event.current.as_ref().filter(selects);
        let previous = event.previous.as_ref().filter(selects);
        match (previous, current) {
            (None, None) => None,
            (None, Some(item)) => Some(self.frame("ADDED", item)),
            (Some(_), Some(item)) => Some(self.frame("MODIFIED", item)),
            (Some(item), None) => Some(self.deleted(item, event.revision)),
        }
    }

    /// The frame of an object that existed when the watch started.
    pub(super) fn initial(&mut self, item: &Versioned<Record>) -> Bytes {
        self.frame("ADDED", item)
    }

    fn frame(&mut self, event_type: &str, item: &Versioned<Record>) -> Bytes {
        self.meter.sent();
        let is_plain = self.presenter.form() == Form::Object && self.resource.shows_stored(item);
        if is_plain && item.value.was_added() == (event_type == "ADDED") {
            return item.value.frame();
        }
        let object = self.present(item);
        wrap(event_type, &object)
    }

    fn deleted(&mut self, item: &Versioned<Record>, ended: Revision) -> Bytes {
        self.meter.sent();
        if self.presenter.form() == Form::Object && self.resource.shows_stored(item) {
            return item.value.deleted_frame(ended);
        }
        if self.presenter.form() == Form::Metadata {
            return wrap("DELETED", &self.presenter.last_metadata(item, ended));
        }
        // The same content with the revision of the change.
        let ended = Versioned {
            key: Arc::clone(&item.key),
            value: Arc::new(item.value.at(ended)),
            created: item.created,
            modified: ended,
        };
        let object = self.present(&ended);
        wrap("DELETED", &object)
    }

    fn present(&mut self, item: &Versioned<Record>) -> Bytes {
        if self.presenter.form() == Form::Table {
            return self.presenter.table(item, std::mem::take(&mut self.wants_columns));
        }
        self.presenter.object(item)
    }

    /// A bookmark: the client has seen all events up to `revision`.
    pub(super) fn bookmark(&mut self, revision: Revision, ends_initial_events: bool) -> Bytes {
        let is_object = self.presenter.form() == Form::Object;
        let (api_version, kind) = match is_object {
            true => (self.resource.kind.api_version(), self.resource.kind.kind.as_str()),
            false => (self.presenter.meta_version().to_owned(), "PartialObjectMetadata"),
        };
        let mut metadata = json!({ "resourceVersion": revision.0.to_string(), "creationTimestamp": null });
        if ends_initial_events {
            metadata["annotations"] = json!({ INITIAL_EVENTS_END: "true" });
        }
        let bookmark = json!({ "kind": kind, "apiVersion": api_version, "metadata": metadata });
        if self.presenter.form() == Form::Table {
            let with_columns = std::mem::take(&mut self.wants_columns);
            return wrap("BOOKMARK", &self.presenter.bookmark_table(&bookmark, revision, with_columns));
        }
        wrap("BOOKMARK", bookmark.to_string().as_bytes())
    }
}

/// The `ERROR` frame, the last one of a watch.
pub(super) fn error(status: &Status) -> Bytes {
    wrap("ERROR", &serde_json::to_vec(&status.document()).unwrap_or_default())
}

/// 410 for a watch at `asked` when the history starts at `oldest`.
pub(super) fn expired(asked: Revision, oldest: Revision) -> Bytes {
    error(&Status::new(410, "Expired", format!("too old resource version: {asked} ({oldest})")))
}

/// 410 for a watch that reads too slowly.
pub(super) fn evicted() -> Bytes {
    let text = "too old resource version: the client reads too slowly, and its events were dropped";
    error(&Status::new(410, "Expired", text))
}

fn wrap(event_type: &str, object: &[u8]) -> Bytes {
    let mut frame = frame_opening(event_type).into_bytes();
    frame.reserve(object.len() + FRAME_END.len());
    frame.extend_from_slice(object);
    frame.extend_from_slice(FRAME_END.as_bytes());
    Bytes::from(frame)
}
