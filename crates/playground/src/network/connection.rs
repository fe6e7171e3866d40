//! A TCP connection over the network: a loopback connection that stalls while its link is down.
//!
//! Made by [`Interface::dial`](crate::network::Interface::dial); programs, probes and port forwarding read and write
//! it like any socket. The accepting side is a plain [`TcpStream`]: stalling one side stalls both.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::futures::OwnedNotified;

use crate::network::links::LinkWatch;

/// An open connection to a pod, a Service or a published host socket.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    link: Option<Arc<LinkWatch>>,
    /// A reader and a writer may be two tasks: each waits for the link independently.
    reader: Option<Pin<Box<OwnedNotified>>>,
    writer: Option<Pin<Box<OwnedNotified>>>,
    /// `None` inside a pod, where the kernel limits connections.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Connection {
    pub(crate) fn new(
        stream: TcpStream,
        link: Option<Arc<LinkWatch>>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self { stream, link, reader: None, writer: None, _permit: permit }
    }
}

/// Ready while the link is up; otherwise registers the task for the next change of the link.
fn poll_link(
    link: Option<&Arc<LinkWatch>>,
    waiting: &mut Option<Pin<Box<OwnedNotified>>>,
    context: &mut Context<'_>,
) -> Poll<()> {
    let Some(link) = link else { return Poll::Ready(()) };
    loop {
        if link.is_up() {
            *waiting = None;
            return Poll::Ready(());
        }
        let changed = waiting.get_or_insert_with(|| Box::pin(link.changed().clone().notified_owned()));
        if changed.as_mut().poll(context).is_pending() {
            // The link may have come up before the waker was registered.
            if link.is_up() {
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
        std::task::ready!(poll_link(this.link.as_ref(), &mut this.reader, context));
        Pin::new(&mut this.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        std::task::ready!(poll_link(this.link.as_ref(), &mut this.writer, context));
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        std::task::ready!(poll_link(this.link.as_ref(), &mut this.writer, context));
        Pin::new(&mut this.stream).poll_shutdown(context)
    }
}
