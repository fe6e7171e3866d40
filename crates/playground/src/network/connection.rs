//! One TCP connection over the network: a real loopback connection that stalls while its link is cut.
//!
//! Made by [`Interface::dial`](crate::network::Interface::dial); programs, probes and port forwarding read and write
//! it like any socket. The accepting side is a plain [`TcpStream`]: holding back one side holds back both.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::futures::OwnedNotified;

use crate::network::links::Gate;

/// An open connection to a pod, a Service or a published host socket.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    gate: Option<Arc<Gate>>,
    /// A reader and a writer may be two tasks: each waits for the gate on its own.
    reader: Option<Pin<Box<OwnedNotified>>>,
    writer: Option<Pin<Box<OwnedNotified>>>,
    /// A process inside of a pod counts nothing: its kernel does.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Connection {
    pub(crate) fn new(
        stream: TcpStream,
        gate: Option<Arc<Gate>>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self { stream, gate, reader: None, writer: None, _permit: permit }
    }
}

/// Ready once the gate is up; registers the task with the gate otherwise.
fn poll_gate(
    gate: Option<&Arc<Gate>>,
    waiting: &mut Option<Pin<Box<OwnedNotified>>>,
    context: &mut Context<'_>,
) -> Poll<()> {
    let Some(gate) = gate else { return Poll::Ready(()) };
    loop {
        if gate.is_up() {
            *waiting = None;
            return Poll::Ready(());
        }
        let changed = waiting.get_or_insert_with(|| Box::pin(gate.changed().clone().notified_owned()));
        if changed.as_mut().poll(context).is_pending() {
            // The gate may have opened before the waker was in place.
            if gate.is_up() {
                continue;
            }
            return Poll::Pending;
        }
        *waiting = None;
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        std::task::ready!(poll_gate(this.gate.as_ref(), &mut this.reader, context));
        Pin::new(&mut this.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        std::task::ready!(poll_gate(this.gate.as_ref(), &mut this.writer, context));
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        std::task::ready!(poll_gate(this.gate.as_ref(), &mut this.writer, context));
        Pin::new(&mut this.stream).poll_shutdown(context)
    }
}
