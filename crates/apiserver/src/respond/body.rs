//! Bodies that are made while they are sent: pieces of a long document, and their compressed form.

use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::{Body, BoxError};

/// A document in pieces whose total length is known.
#[derive(Debug)]
pub struct Chunks<I> {
    pieces: I,
    left: u64,
}

impl<I> Chunks<I> {
    /// `length` is the sum of the lengths of all pieces.
    pub fn new(pieces: I, length: u64) -> Self {
        Self { pieces, left: length }
    }
}

impl<I: Iterator<Item = Bytes> + Unpin> HttpBody for Chunks<I> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.pieces.next().map(|piece| {
            self.left = self.left.saturating_sub(piece.len() as u64);
            Ok(Frame::data(piece))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// A body compressed with gzip.
#[derive(Debug)]
pub struct Compressed {
    source: Body,
    /// `None` once the trailer is written.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

/// Compressed bytes that are gathered before they are sent.
const FLUSH_AT: usize = 16 * 1024;

impl Compressed {
    /// Compresses `source` while it is read.
    pub fn new(source: Body, level: Compression) -> Self {
        Self { source, encoder: Some(GzEncoder::new(Vec::with_capacity(FLUSH_AT), level)) }
    }

    fn take(encoder: &mut GzEncoder<Vec<u8>>) -> Frame<Bytes> {
        Frame::data(Bytes::from(std::mem::take(encoder.get_mut())))
    }
}

impl HttpBody for Compressed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        while let Some(encoder) = &mut this.encoder {
            match ready!(Pin::new(&mut this.source).poll_frame(context)) {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if let Err(error) = encoder.write_all(&data) {
                        return Poll::Ready(Some(Err(error.into())));
                    }
                    if encoder.get_ref().len() >= FLUSH_AT {
                        return Poll::Ready(Some(Ok(Self::take(encoder))));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    let finished = this.encoder.take().map(GzEncoder::finish);
                    let rest = finished.transpose().map_err(BoxError::from);
                    return Poll::Ready(
                        rest.map(|rest| rest.map(|rest| Frame::data(Bytes::from(rest)))).transpose(),
                    );
                }
            }
        }
        Poll::Ready(None)
    }
}
