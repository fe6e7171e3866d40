//! The end of an HTTP/1.1 connection on which a request was answered before its body was read.
//!
//! A socket that is closed while bytes arrive answers them with a reset, and the client's system then discards the answer
//! that the client has not read yet. So the server ends its own direction first, and for a moment goes on reading what it
//! discards (RFC 9112, section 9.6). Go's `net/http` does the same.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Time for which a closing connection is read, as in Go (`rstAvoidanceDelay`).
const TIME: Duration = Duration::from_millis(500);
/// Bytes that are read meanwhile. More than the longest body that is accepted, for clients that send all of it before they
/// read the answer.
const BYTES: usize = 4 << 20;
/// Bytes that are read at once.
const CHUNK: usize = 8 << 10;

/// Says that the latest request of a connection has a body, which may still be under way. Clones share state.
#[derive(Debug, Clone, Default)]
pub(super) struct BodyNote(Arc<AtomicBool>);

impl BodyNote {
    pub(super) fn set(&self, has_body: bool) {
        self.0.store(has_body, Ordering::Relaxed);
    }
}

/// A stream that reads for a moment after it was shut down, if [`BodyNote`] says so.
pub(super) struct Lingering<I> {
    stream: I,
    body: BodyNote,
    end: Option<End>,
}

/// What remains after the shutdown.
struct End {
    time: Pin<Box<Sleep>>,
    bytes: usize,
}

impl<I> Lingering<I> {
    pub(super) fn new(stream: I, body: BodyNote) -> Self {
        Self { stream, body, end: None }
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncRead for Lingering<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.end.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        }
        if !this.body.0.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        let end =
            this.end.get_or_insert_with(|| End { time: Box::pin(tokio::time::sleep(TIME)), bytes: BYTES });
        while end.time.as_mut().poll(context).is_pending() {
            if end.bytes == 0 {
                return Poll::Pending;
            }
            let mut chunk = [0; CHUNK];
            let mut chunk = ReadBuf::new(&mut chunk);
            match ready!(Pin::new(&mut this.stream).poll_read(context, &mut chunk)) {
                Ok(()) if !chunk.filled().is_empty() => {
                    end.bytes = end.bytes.saturating_sub(chunk.filled().len());
                }
                // The client has closed its direction, or the connection is lost: nothing more arrives.
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
