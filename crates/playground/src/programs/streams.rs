//! The standard streams of a program.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use portolan_net::Clock;
use tokio::io::{AsyncRead, AsyncWriteExt, DuplexStream, ReadBuf};

use crate::programs::journal::Journal;

/// Bytes that wait for a program to read them (a pipe of Linux).
const PIPE_BYTES: usize = 64 << 10;

/// Where a program writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a program writes to. Clones write to the same place.
#[derive(Debug, Clone)]
pub struct Output {
    journal: Journal,
    stream: Stream,
    clock: Clock,
    /// Line breaks become carriage return and line feed, as a terminal makes them.
    terminal: bool,
}

impl Output {
    /// Standard output or error of a container without a terminal.
    pub fn new(journal: Journal, stream: Stream, clock: Clock) -> Self {
        Self { journal, stream, clock, terminal: false }
    }

    /// Both streams of a container with a terminal, which has only one.
    pub fn terminal(journal: Journal, clock: Clock) -> Self {
        Self { journal, stream: Stream::Stdout, clock, terminal: true }
    }

    /// Writes at once; never waits.
    pub fn write(&self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        if !self.terminal {
            return self.journal.write(self.stream, bytes, self.clock.now());
        }
        let mut translated = Vec::with_capacity(bytes.len() + 8);
        for byte in bytes {
            if *byte == b'\n' {
                translated.push(b'\r');
            }
            translated.push(*byte);
        }
        self.journal.write(self.stream, &translated, self.clock.now());
    }

    /// Writes bytes that are for a terminal as they are.
    pub(crate) fn write_raw(&self, bytes: &[u8]) {
        self.journal.write(self.stream, bytes, self.clock.now());
    }

    /// Writes a text and a line break.
    pub fn line(&self, text: impl fmt::Display) {
        self.write(format!("{text}\n"));
    }
}

/// What a program reads from.
pub struct Input(Pin<Box<dyn AsyncRead + Send + Sync>>);

impl Input {
    /// An input that is at its end.
    pub fn none() -> Self {
        Self(Box::pin(tokio::io::empty()))
    }

    /// An input that is read from elsewhere.
    pub(crate) fn of(reader: impl AsyncRead + Send + Sync + 'static) -> Self {
        Self(Box::pin(reader))
    }

    /// An input and what feeds it.
    pub fn fed() -> (Self, Feeder) {
        let (reader, writer) = tokio::io::duplex(PIPE_BYTES);
        (Self(Box::pin(reader)), Feeder(writer))
    }
}

/// Feeds the input of a program; the input ends when this is dropped.
#[derive(Debug)]
pub struct Feeder(DuplexStream);

impl Feeder {
    /// Writes bytes, waiting while the program is behind.
    ///
    /// # Errors
    /// When the program no longer reads.
    pub async fn feed(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes).await
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Input")
    }
}

impl AsyncRead for Input {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.0.as_mut().poll_read(context, buffer)
    }
}
