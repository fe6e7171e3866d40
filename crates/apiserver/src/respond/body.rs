//! Bodies that are made while they are sent: [`Slices`], [`Chunks`] and [`Compressed`].

use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::{Body, BoxError};

/// Size of the slices of a long body, in bytes.
pub(super) const SLICE: usize = 32 * 1024;

/// Bytes in slices. Each is a copy: a slice that waits in the buffer of a connection must not keep all bytes in memory.
#[derive(Debug)]
pub(super) struct Slices {
    left: Bytes,
}

impl Slices {
    /// A body of these bytes.
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { left: bytes }
    }
}

impl HttpBody for Slices {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.left.len().min(SLICE);
        let slice = Bytes::copy_from_slice(&self.left.split_to(length));
        Poll::Ready(Some(Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

/// A document in chunks, with a known total length.
#[derive(Debug)]
pub struct Chunks<I> {
    chunks: I,
    left: u64,
}

impl<I> Chunks<I> {
    /// `length` is the total of all chunks, in bytes.
    pub fn new(chunks: I, length: u64) -> Self {
        Self { chunks, left: length }
    }
}

impl<I: Iterator<Item = Bytes> + Unpin> HttpBody for Chunks<I> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.chunks.next().map(|chunk| {
            self.left = self.left.saturating_sub(chunk.len() as u64);
            Ok(Frame::data(chunk))
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
    /// `None` after the trailer was written.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

/// Bytes that are compressed before other tasks of the thread get their turn.
const TURN: usize = 256 * 1024;

/// Compressed bytes that are collected before a frame is sent.
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
        let mut taken = 0;
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
                    taken += data.len();
                    if taken >= TURN {
                        context.waker().wake_by_ref();
                        return Poll::Pending;
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
