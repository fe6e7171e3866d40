//! UDP loop that receives queries and sends answers in batches, with one system call per batch.
//!
//! A system call costs more than computing an answer. A loaded server receives and answers all waiting queries together;
//! an idle one answers each query immediately. The loop is independent of DNS, so that a benchmark can run it with an
//! echo function.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, recvmmsg};
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};

/// Maximum datagrams per system call.
const BATCH: usize = 32;
/// Maximum size of a query in octets; the kernel truncates longer ones, which makes them malformed.
const MAX_QUERY_SIZE: usize = 2048;

/// Answers datagrams until `stop` is set. `stop` is read after each batch, after the socket's read timeout, and after a
/// shutdown of the socket.
///
/// `begin` is called before each batch. `answer` gets its result, a query and its sender, writes the answer into the buffer, and
/// returns whether to send it.
///
/// # Errors
/// When the socket has no local address, or receiving fails with an error that does not pass by retrying.
pub fn serve<B>(
    socket: &UdpSocket,
    stop: &AtomicBool,
    begin: impl FnMut() -> B,
    answer: impl FnMut(&B, &[u8], SocketAddr, &mut Vec<u8>) -> bool,
) -> io::Result<()> {
    match socket.local_addr()? {
        SocketAddr::V4(_) => run::<SockaddrIn, B>(socket, stop, begin, answer),
        SocketAddr::V6(_) => run::<SockaddrIn6, B>(socket, stop, begin, answer),
    }
}

fn run<A: SockaddrLike + Copy + Into<SocketAddr>, B>(
    socket: &UdpSocket,
    stop: &AtomicBool,
    mut begin: impl FnMut() -> B,
    mut answer: impl FnMut(&B, &[u8], SocketAddr, &mut Vec<u8>) -> bool,
) -> io::Result<()> {
    let mut headers = MultiHeaders::<A>::preallocate(BATCH, None);
    let mut queries = Box::new([[0u8; MAX_QUERY_SIZE]; BATCH]);
    let mut answers: [Vec<u8>; BATCH] = std::array::from_fn(|_| Vec::with_capacity(MAX_QUERY_SIZE));
    let mut peers: Vec<SocketAddrAny> = Vec::with_capacity(BATCH);
    while !stop.load(Ordering::Relaxed) {
        peers.clear();
        let mut buffers = queries.each_mut().map(|buffer| [io::IoSliceMut::new(buffer)]);
        let received =
            recvmmsg(socket.as_raw_fd(), &mut headers, buffers.iter_mut(), MsgFlags::MSG_WAITFORONE, None);
        match received {
            Ok(received) => {
                let context = begin();
                for message in received {
                    let (Some(query), Some(peer)) = (message.iovs().next(), message.address) else {
                        continue;
                    };
                    let peer: SocketAddr = peer.into();
                    if answer(&context, query, peer, &mut answers[peers.len()]) {
                        peers.push(peer.into());
                    }
                }
            }
            Err(error) if is_transient(error) => continue,
            Err(error) => return Err(error.into()),
        }
        send(socket, &answers, &peers);
    }
    Ok(())
}

/// Read timeout, a shortage of kernel memory, or an ICMP error caused by an earlier answer.
fn is_transient(error: Errno) -> bool {
    matches!(
        error,
        Errno::EINTR
            | Errno::EAGAIN
            | Errno::ECONNREFUSED
            | Errno::ECONNRESET
            | Errno::EHOSTUNREACH
            | Errno::ENETUNREACH
            | Errno::ENETDOWN
            | Errno::ENOBUFS
            | Errno::ENOMEM
    )
}

/// Sends each answer to its peer. An answer that cannot be sent is dropped; the client retries.
fn send(socket: &UdpSocket, answers: &[Vec<u8>; BATCH], peers: &[SocketAddrAny]) {
    let buffers = answers.each_ref().map(|answer| [io::IoSlice::new(answer)]);
    let mut controls: [SendAncillaryBuffer<'_, '_, '_>; BATCH] =
        std::array::from_fn(|_| SendAncillaryBuffer::default());
    let messages = peers.iter().zip(&buffers).zip(&mut controls);
    let mut messages: Vec<MMsgHdr<'_>> =
        messages.map(|((peer, buffer), control)| MMsgHdr::new_with_addr(peer, buffer, control)).collect();
    let mut sent = 0;
    while sent < messages.len() {
        sent += match sendmmsg(socket, &mut messages[sent..], SendFlags::empty()) {
            Ok(count) => count.max(1),
            Err(rustix::io::Errno::INTR) => 0,
            // The error is about the first remaining message: its peer cannot be reached. Skip it.
            Err(_) => 1,
        };
    }
}
