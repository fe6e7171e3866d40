//! [`Tee`]: a body that is passed on, of which the beginning is kept until the end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::respond::{Body, BoxError};

type Ended = Box<dyn FnOnce(Option<&[u8]>) + Send>;

/// Passes a body on, and tells its end: the kept bytes, or `None` if they are more than the limit or were not all sent.
pub(super) struct Tee {
    body: Body,
    kept: Vec<u8>,
    limit: usize,
    is_whole: bool,
    ended: Option<Ended>,
}

impl Tee {
    pub(super) fn new(body: Body, limit: usize, ended: impl FnOnce(Option<&[u8]>) + Send + 'static) -> Self {
        let is_whole = body.is_end_stream();
        Self { body, kept: Vec::new(), limit, is_whole, ended: Some(Box::new(ended)) }
    }

    fn keep(&mut self, data: &Bytes) {
        if self.kept.len() + data.len() <= self.limit {
            self.kept.extend_from_slice(data);
        } else {
            self.limit = 0;
            self.kept = Vec::new();
        }
    }
}

impl HttpBody for Tee {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let next = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &next {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.keep(data);
                }
                self.is_whole = self.body.is_end_stream();
            }
            Some(Err(_)) => {}
            None => self.is_whole = true,
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        if let Some(ended) = self.ended.take() {
            let is_kept = self.is_whole && self.limit > 0;
            ended(is_kept.then_some(&*self.kept));
        }
    }
}
