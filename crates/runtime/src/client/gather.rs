//! A stream that sends in one piece what is written in one turn.
//!
//! An HTTP/2 connection sends the head of a request before the task that has its body gets its turn, so head and body
//! would leave as two TLS records in two system calls, and the server would wake up for each. Here the first flush lets
//! the other tasks go first; what they add leaves with it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is gathered at most; a TLS record holds as much.
const LIMIT: usize = 16 << 10;

/// Gathers writes until the turn after the first flush.
pub(super) struct Gather<S> {
    stream: S,
    gathered: BytesMut,
    /// The others had their turn since something was gathered.
    is_due: bool,
}

impl<S> Gather<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, gathered: BytesMut::new(), is_due: false }
    }

    pub(super) fn get_ref(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncWrite + Unpin> Gather<S> {
    /// Hands on everything that was gathered.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.gathered.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &self.gathered))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.gathered.advance(written);
        }
        self.is_due = false;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gather<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gather<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(buffer)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length: usize = buffers.iter().map(|buffer| buffer.len()).sum();
        if self.gathered.len() + length > LIMIT {
            ready!(self.poll_drain(context))?;
        }
        if length > LIMIT {
            return Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        }
        buffers.iter().for_each(|buffer| self.gathered.extend_from_slice(buffer));
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.gathered.is_empty() && !self.is_due {
            self.is_due = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        ready!(self.poll_drain(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use futures::task::noop_waker_ref;
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// Takes a few bytes at a time and keeps each write apart.
    #[derive(Default)]
    struct Pieces {
        written: Vec<Vec<u8>>,
        most: usize,
    }

    impl AsyncWrite for Pieces {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &[u8],
        ) -> Poll<io::Result<usize>> {
            let taken = buffer.len().min(self.most);
            self.written.push(buffer[..taken].to_vec());
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn pieces(most: usize) -> Gather<Pieces> {
        Gather::new(Pieces { written: Vec::new(), most })
    }

    #[tokio::test]
    async fn what_is_added_before_the_next_turn_leaves_together() {
        let mut stream = pieces(usize::MAX);
        let mut context = Context::from_waker(noop_waker_ref());
        stream.write_all(b"head").await.expect("gathered");
        assert!(Pin::new(&mut stream).poll_flush(&mut context).is_pending());
        stream.write_all(b"body").await.expect("gathered");
        assert!(stream.get_ref().written.is_empty());
        stream.flush().await.expect("flushed");
        assert_eq!(stream.get_ref().written, [b"headbody"]);
        // The next piece waits for a turn of its own.
        stream.write_all(b"next").await.expect("gathered");
        assert!(Pin::new(&mut stream).poll_flush(&mut context).is_pending());
        stream.flush().await.expect("flushed");
        assert_eq!(stream.get_ref().written, [&b"headbody"[..], b"next"]);
    }

    #[tokio::test]
    async fn nothing_is_lost_or_put_out_of_order() {
        let cases = [
            ("small writes", usize::MAX, vec![1, 2, 3]),
            ("up to the limit and over it", usize::MAX, vec![LIMIT - 1, 1, 1, LIMIT]),
            ("one that is too long to gather", usize::MAX, vec![10, LIMIT + 1, 10]),
            ("a stream that takes little at a time", 1000, vec![10, 3 * LIMIT, 5000, 1]),
        ];
        for (name, most, lengths) in cases {
            let mut stream = pieces(most);
            let mut want = Vec::new();
            for (index, length) in lengths.into_iter().enumerate() {
                let bytes: Vec<u8> = (0..length).map(|at| (at * 7 + index) as u8).collect();
                stream.write_all(&bytes).await.expect(name);
                want.extend(bytes);
            }
            stream.shutdown().await.expect(name);
            assert!(stream.get_ref().written.concat() == want, "{name}");
        }
    }
}
