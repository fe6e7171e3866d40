//! WATCH: the changes of a collection as a stream of frames.
//!
//! A watch is a cursor into the store's history. It holds no queue, so a slow client costs nothing until it has
//! fallen behind the history and is told to list anew. Frames are made once for each write and shared.

mod frames;
mod stream;

use http::Response;
use portolan_object::Status;

use crate::call::Call;
use crate::negotiate::{Offer, Reply};
use crate::read::{Presenter, Selection};
use crate::request::options::ListOptions;
use crate::respond::{self, Body, Streaming};
use frames::Frames;
use stream::{Begin, Stream};

/// GET of a collection with `watch=true`.
pub(crate) fn watch(call: &Call) -> Result<Response<Body>, Status> {
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Stream)?;
    let options = ListOptions::parse(&call.query, true)?;
    let selection = Selection::parse(&call.resource, &options)?;
    let begin = Begin::of(&options)?;
    let frames = Frames::new(&call.resource, Presenter::new(call, reply)?);
    let stream = Stream::open(call, selection, &options, begin, frames);
    let mut response = respond::typed(http::StatusCode::OK, "application/json", stream.into_body());
    response.extensions_mut().insert(Streaming);
    Ok(response)
}
