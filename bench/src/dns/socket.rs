//! Datagrams in batches, from the asking side: one connected socket, many per system call.

use std::io::{IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg};
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg};

/// Datagrams in one call.
pub(super) const BATCH: usize = 32;
const LONGEST: usize = 2048;

/// Whether to wait for a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// For the first, until the socket's own timeout.
    ForOne,
    /// Not at all.
    No,
}

/// Buffers for one socket.
pub(super) struct Batches {
    headers: MultiHeaders<SockaddrIn>,
    buffers: Box<[[u8; LONGEST]; BATCH]>,
}

impl Batches {
    pub(super) fn new() -> Self {
        Self { headers: MultiHeaders::preallocate(BATCH, None), buffers: Box::new([[0; LONGEST]; BATCH]) }
    }

    /// Hands on what has arrived, at most a batch; returns how many.
    pub(super) fn receive(
        &mut self,
        socket: &UdpSocket,
        wait: Wait,
        mut take: impl FnMut(&[u8]),
    ) -> Result<usize> {
        let flags = match wait {
            Wait::ForOne => MsgFlags::MSG_WAITFORONE,
            Wait::No => MsgFlags::MSG_DONTWAIT,
        };
        let mut slices = self.buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let received = recvmmsg(socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), flags, None);
        match received {
            Ok(received) => {
                let mut count = 0;
                for datagram in received {
                    count += 1;
                    take(datagram.iovs().next().unwrap_or_default());
                }
                Ok(count)
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(0),
            Err(error) => Err(error).context("cannot receive"),
        }
    }
}

/// Sends datagrams, at most a batch.
pub(super) fn send(socket: &UdpSocket, packets: &[Vec<u8>]) -> Result<()> {
    let parts: Vec<[IoSlice<'_>; 1]> = packets.iter().map(|packet| [IoSlice::new(packet)]).collect();
    let mut controls: Vec<SendAncillaryBuffer<'_, '_, '_>> =
        packets.iter().map(|_| SendAncillaryBuffer::default()).collect();
    let messages = parts.iter().zip(&mut controls);
    let mut messages: Vec<MMsgHdr<'_>> =
        messages.map(|(part, control)| MMsgHdr::new(part, control)).collect();
    let mut sent = 0;
    while sent < messages.len() {
        sent += sendmmsg(socket, &mut messages[sent..], SendFlags::empty()).context("cannot send")?;
    }
    Ok(())
}
