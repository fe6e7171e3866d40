//! The standard streams of a program.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use portolan_net::Clock;
use tokio::io::{AsyncRead, AsyncWriteExt, DuplexStream, ReadBuf};

use crate::programs::log::ContainerLog;

/// Capacity of a standard input pipe, as in Linux.
const PIPE_BYTES: usize = 64 << 10;

/// Output stream of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Standard output or error of a program. Clones share state.
#[derive(Debug, Clone)]
pub struct Output {
    log: ContainerLog,
    stream: Stream,
    clock: Clock,
    /// Whether `\n` is written as `\r\n`, as by a terminal.
    terminal: bool,
}

impl Output {
    /// Standard output or error of a container without a terminal.
    pub fn new(log: ContainerLog, stream: Stream, clock: Clock) -> Self {
        Self { log, stream, clock, terminal: false }
    }

    /// The single output stream of a container with a terminal.
    pub fn terminal(log: ContainerLog, clock: Clock) -> Self {
        Self { log, stream: Stream::Stdout, clock, terminal: true }
    }

    /// Writes without waiting.
    pub fn write(&self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        if !self.terminal {
            return self.log.write(self.stream, bytes, self.clock.now());
        }
        let mut translated = Vec::with_capacity(bytes.len() + 8);
        for byte in bytes {
            if *byte == b'\n' {
                translated.push(b'\r');
            }
            translated.push(*byte);
        }
        self.log.write(self.stream, &translated, self.clock.now());
    }

    /// Writes terminal output unchanged.
    pub(crate) fn write_raw(&self, bytes: &[u8]) {
        self.log.write(self.stream, bytes, self.clock.now());
    }

    /// Writes a line.
    pub fn line(&self, text: impl fmt::Display) {
        self.write(format!("{text}\n"));
    }
}

/// Standard input of a program.
pub struct Input(Pin<Box<dyn AsyncRead + Send + Sync>>);

impl Input {
    /// A closed input.
    pub fn none() -> Self {
        Self(Box::pin(tokio::io::empty()))
    }

    /// An input that reads from `reader`.
    pub(crate) fn from_reader(reader: impl AsyncRead + Send + Sync + 'static) -> Self {
        Self(Box::pin(reader))
    }

    /// A pipe: the input and its writer.
    pub fn pipe() -> (Self, InputWriter) {
        let (reader, writer) = tokio::io::duplex(PIPE_BYTES);
        (Self(Box::pin(reader)), InputWriter(writer))
    }
}

/// Write end of a standard input pipe; dropping it closes the pipe.
#[derive(Debug)]
pub struct InputWriter(DuplexStream);

impl InputWriter {
    /// Writes bytes, waiting while the pipe is full.
    ///
    /// # Errors
    /// When the program has closed its end.
    pub async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
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
