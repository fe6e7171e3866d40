//! Turns of connections: a connection that can send at once all that it has still lets others run in between.
//!
//! A task that is never blocked runs until the runtime's budget of operations is used, which is megabytes of TLS. With a
//! thousand connections that send long answers, a new connection would wait for seconds until it is looked at.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that a connection sends in one turn: some tens of microseconds of encryption and system calls. A new client waits
/// for about five turns of each of the others.
const TURN: usize = 16 << 10;

/// A stream that yields to other tasks after each turn of writing.
pub(super) struct InTurns<I> {
    stream: I,
    /// Bytes left of this turn. It may span several runs of the task; then the yield comes early.
    left: usize,
}

impl<I> InTurns<I> {
    pub(super) fn new(stream: I) -> Self {
        Self { stream, left: TURN }
    }

    /// Pending, with the task woken, when the turn is over.
    fn poll_turn(&mut self, context: &Context<'_>) -> Poll<()> {
        if self.left > 0 {
            return Poll::Ready(());
        }
        self.left = TURN;
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn count(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => self.left = self.left.saturating_sub(bytes),
            // It waits for its client: others run anyway.
            Poll::Pending => self.left = TURN,
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for InTurns<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for InTurns<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_turn(context));
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.count(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_turn(context));
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.count(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn a_long_answer_lets_other_tasks_run_in_between() {
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&turns);
        let other = tokio::spawn(async move {
            loop {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        });
        let mut stream = InTurns::new(tokio::io::sink());
        // A sink takes everything at once.
        for _ in 0..64 {
            stream.write_all(&[0; TURN]).await.expect("written");
        }
        other.abort();
        assert!(turns.load(Ordering::Relaxed) >= 63, "a turn of others after each of its own");
    }
}
