//! WATCH: the changes of a collection as a stream of frames (lines of JSON).
//!
//! A watch is a cursor into the history of the store. It has no queue: a slow client costs the buffer of its stream, and
//! gets 410 once the history no longer has its next event, or when its user has too many large events waiting. The frame of a write is encoded once, in the stored
//! [`Record`](crate::record::Record), and shared by all watches.
//!
//! [`watch`] is the handler. `initial` reads the objects at the start; `stream` decides where a watch starts, waits for events, bookmarks and the end; `frames`
//! turns an event into a frame. To change when something is sent, change `stream`; to change the form, change `frames`
//! and [`Presenter`].

mod frames;
mod initial;
mod stream;

use http::Response;
use portolan_object::Status;

use crate::call::Call;
use crate::negotiate::{Offer, Reply};
use crate::read::{Presenter, Selection};
use crate::request::options::ListOptions;
use crate::respond::{self, Body, Streaming};
use frames::Frames;
use stream::{WatchStart, WatchStream};

/// GET of a collection with `watch=true`.
pub(crate) fn watch(call: &Call) -> Result<Response<Body>, Status> {
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Stream)?;
    let options = ListOptions::parse(&call.query, true)?;
    let selection = Selection::parse(&call.resource, &options)?;
    let start = WatchStart::from_options(&options)?;
    let meter = call.server.metrics.watch(&call.info, &call.resource);
    let frames = Frames::new(&call.resource, Presenter::new(call, reply)?, meter);
    let stream = WatchStream::open(call, selection, &options, start, frames);
    let mut response = respond::typed(http::StatusCode::OK, "application/json", stream.into_body());
    response.extensions_mut().insert(Streaming);
    Ok(response)
}
