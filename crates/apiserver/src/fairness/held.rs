//! The body of an answer, which gives back what it holds while it is sent.

use bytes::Bytes;
use http::Response;
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use portolan_object::Status;

use super::Share;
use crate::respond::{Body, Streaming};

/// Answers up to this size are not counted, in bytes.
const UNCOUNTED: usize = 16 * 1024;

/// Lets an answer keep the share of its request until it has been sent.
///
/// # Errors
/// 429 when the user has too many bytes of answers that are not sent.
pub(crate) fn attach(share: Option<Share>, response: Response<Body>) -> Result<Response<Body>, Status> {
    let Some(mut share) = share else { return Ok(response) };
    // The body of the request is gone.
    share.release(share.bytes());
    if response.extensions().get::<Streaming>().is_none() {
        let size = usize::try_from(response.body().size_hint().lower()).unwrap_or(usize::MAX);
        if size <= UNCOUNTED {
            return Ok(response);
        }
        share.hold(size)?;
    }
    Ok(response.map(|body| {
        let release = move |frame: &Frame<Bytes>| {
            if let Some(data) = frame.data_ref() {
                share.release(data.len());
            }
        };
        body.inspect_frame(release).boxed_unsync()
    }))
}
