//! Many datagrams per system call: a loop that receives queries and sends answers in batches.
//!
//! A system call costs more than an answer does, so a loaded server takes what has arrived together and answers it
//! together; an idle one answers at once. The loop knows nothing of DNS, which lets a benchmark run it with an echo.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, recvmmsg};
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};

/// Datagrams that are taken together.
const BATCH: usize = 32;
/// The longest query that is taken whole; more is cut off, which makes it malformed.
const LONGEST: usize = 2048;

/// Answers datagrams until `stop` is set and a datagram, a shutdown of the socket or its timeout wakes the loop.
///
/// `answer` writes the answer to its first argument into its second, and returns whether there is one. `begin` is
/// called before each batch.
///
/// # Errors
/// When the socket has no address, or receiving from it fails for good.
pub fn serve<B>(
    socket: &UdpSocket,
    stop: &AtomicBool,
    begin: impl FnMut() -> B,
    answer: impl FnMut(&B, &[u8], &mut Vec<u8>) -> bool,
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
    mut answer: impl FnMut(&B, &[u8], &mut Vec<u8>) -> bool,
) -> io::Result<()> {
    let mut headers = MultiHeaders::<A>::preallocate(BATCH, None);
    let mut queries = Box::new([[0u8; LONGEST]; BATCH]);
    let mut answers: [Vec<u8>; BATCH] = std::array::from_fn(|_| Vec::with_capacity(LONGEST));
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
                    if answer(&context, query, &mut answers[peers.len()]) {
                        let peer: SocketAddr = peer.into();
                        peers.push(peer.into());
                    }
                }
            }
            Err(error) if is_passing(error) => continue,
            Err(error) => return Err(error.into()),
        }
        send(socket, &answers, &peers);
    }
    Ok(())
}

/// Errors of one datagram, of the read timeout, or of an earlier answer that nobody took.
fn is_passing(error: Errno) -> bool {
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

/// Sends each answer to its peer. One that cannot be sent is lost, as datagrams may be; the others are not.
fn send(socket: &UdpSocket, answers: &[Vec<u8>; BATCH], peers: &[SocketAddrAny]) {
    let parts = answers.each_ref().map(|answer| [io::IoSlice::new(answer)]);
    let mut controls: [SendAncillaryBuffer<'_, '_, '_>; BATCH] =
        std::array::from_fn(|_| SendAncillaryBuffer::default());
    let messages = peers.iter().zip(&parts).zip(&mut controls);
    let mut messages: Vec<MMsgHdr<'_>> =
        messages.map(|((peer, part), control)| MMsgHdr::new_with_addr(peer, part, control)).collect();
    let mut sent = 0;
    while sent < messages.len() {
        sent += match sendmmsg(socket, &mut messages[sent..], SendFlags::empty()) {
            Ok(count) => count.max(1),
            Err(rustix::io::Errno::INTR) => 0,
            // It is about the first of the rest: a peer that cannot be reached.
            Err(_) => 1,
        };
    }
}
