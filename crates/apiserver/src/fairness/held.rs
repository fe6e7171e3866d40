//! The body of an answer, which gives back what it holds while it is sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use portolan_object::Status;

use super::Share;
use crate::respond::{Body, BoxError, Streaming};

/// Answers up to this size are not counted, in bytes.
const UNCOUNTED: usize = 16 * 1024;

struct HeldBody {
    body: Body,
    share: Share,
}

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
    Ok(response.map(|body| HeldBody { body, share }.boxed_unsync()))
}

impl HttpBody for HeldBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            let sent = data.len();
            self.share.release(sent);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
