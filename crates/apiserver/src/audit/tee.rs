//! [`Tee`]: keeps the beginning of an answer while it is sent.

use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt as _;

use crate::respond::Body;

type Ended = Box<dyn FnOnce(Option<Vec<u8>>) + Send>;

/// Keeps what is sent, and hands it over when the body is dropped: at its end, or when the client has gone.
pub(super) struct Tee {
    kept: Vec<u8>,
    limit: usize,
    ended: Option<Ended>,
}

impl Tee {
    /// Attaches to a body. `ended` gets the bytes that were sent, or `None` if they are more than `limit`.
    pub(super) fn attach(
        body: Body,
        limit: usize,
        ended: impl FnOnce(Option<Vec<u8>>) + Send + 'static,
    ) -> Body {
        let mut tee = Self { kept: Vec::new(), limit, ended: Some(Box::new(ended)) };
        let keep = move |frame: &Frame<Bytes>| {
            if let Some(data) = frame.data_ref() {
                tee.keep(data);
            }
        };
        body.inspect_frame(keep).boxed_unsync()
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

impl Drop for Tee {
    fn drop(&mut self) {
        if let Some(ended) = self.ended.take() {
            ended((self.limit > 0).then(|| std::mem::take(&mut self.kept)));
        }
    }
}
