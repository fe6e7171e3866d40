use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::peer::Peer;
use super::*;

const DEADLINE: Duration = Duration::from_secs(10);

fn connected() -> (Peer<DuplexStream>, Session) {
    let (near, far) = tokio::io::duplex(1 << 20);
    let (session, driver) = Session::serve(far);
    // It ends with the peer's connection.
    tokio::spawn(driver);
    (Peer::new(near), session)
}

async fn accept(session: &mut Session) -> Stream {
    timeout(DEADLINE, session.accept()).await.expect("a stream").expect("an open session")
}

async fn read(stream: &mut Stream) -> Result<Option<Bytes>, StreamError> {
    timeout(DEADLINE, stream.reader.read()).await.expect("bytes or an end")
}

#[tokio::test]
async fn a_recorded_port_forwarding_session_is_understood() {
    // Written by the library that kubectl uses: an error stream, closed immediately, a data stream, a ping.
    let recorded = "800300010000003e0000000100000000000078f9e3c6a7c202253a48f95b044eea160616060c0c0c9c4590f8ca04a5\
                    634603704a2c294a4dcc851636aca9a0a800000000ffff0000000101000000800300010000001a0000000300000000\
                    0000826a469502954389848d04000000ffff0000000300000012474554202f20485454502f312e310d0a0d0a800300\
                    060000000400000001";
    let bytes: Vec<u8> = (0..recorded.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&recorded[at..at + 2], 16).expect("hex"))
        .collect();
    let (mut peer, mut session) = connected();
    peer.raw(&bytes).await;
    let mut errors = accept(&mut session).await;
    assert_eq!(errors.headers.get("streamtype"), Some("error"));
    assert_eq!(read(&mut errors).await, Ok(None));
    let mut data = accept(&mut session).await;
    assert_eq!(data.headers.get("port"), Some("8080"));
    assert_eq!(read(&mut data).await, Ok(Some(Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n"))));
    peer.reply(1).await;
    peer.reply(3).await;
    assert_eq!(peer.next().await, Frame::Ping(1));
    data.writer.send(Bytes::from_static(b"HTTP/1.1 200 OK\r\n\r\n")).await.expect("open");
    data.writer.finish().await.expect("open");
    let answer = Bytes::from_static(b"HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(peer.next().await, Frame::Data { stream: 3, fin: false, bytes: answer });
    assert_eq!(peer.next().await, Frame::Data { stream: 3, fin: true, bytes: Bytes::new() });
    session.close().await;
    assert_eq!(peer.next().await, Frame::GoAway { last_good: 0, status: 0 });
}

#[tokio::test]
async fn a_peer_that_grants_credit_is_held_to_it() {
    let (mut peer, mut session) = connected();
    peer.send(Frame::Settings(vec![(INITIAL_WINDOW_SIZE, 10)])).await;
    peer.open(1, &[("streamtype", "data")]).await;
    let mut stream = accept(&mut session).await;
    peer.reply(1).await;
    let sending = AbortOnDropHandle::new(tokio::spawn(async move {
        stream.writer.send(Bytes::from_static(b"0123456789abcdef")).await.expect("open");
        stream.writer.finish().await.expect("open");
    }));
    let piece = |text: &'static [u8]| Frame::Data { stream: 1, fin: false, bytes: Bytes::from_static(text) };
    assert_eq!(peer.next().await, piece(b"0123456789"));
    peer.send(Frame::Ping(1)).await;
    assert_eq!(peer.next().await, Frame::Ping(1), "nothing more without credit");
    peer.send(Frame::WindowUpdate { stream: 1, delta: 100 }).await;
    assert_eq!(peer.next().await, piece(b"abcdef"));
    assert!(matches!(peer.next().await, Frame::Data { fin: true, .. }));
    timeout(DEADLINE, sending).await.expect("done").expect("no panic");
}

#[tokio::test]
async fn consumed_bytes_are_granted_again() {
    let (mut peer, mut session) = connected();
    peer.open(1, &[("streamtype", "data")]).await;
    let mut stream = accept(&mut session).await;
    peer.reply(1).await;
    peer.send(Frame::Data { stream: 1, fin: true, bytes: Bytes::from(vec![7; GRANT_THRESHOLD_BYTES]) }).await;
    let mut received = 0;
    while let Some(bytes) = read(&mut stream).await.expect("no reset") {
        received += bytes.len();
    }
    assert_eq!(received, GRANT_THRESHOLD_BYTES);
    for stream in [1, 0] {
        assert_eq!(peer.receive().await, Frame::WindowUpdate { stream, delta: GRANT_THRESHOLD_BYTES as u32 });
    }
}

#[tokio::test]
async fn resets_end_both_sides() {
    let (mut peer, mut session) = connected();
    peer.open(1, &[("streamtype", "data")]).await;
    let mut stream = accept(&mut session).await;
    peer.reply(1).await;
    peer.send(Frame::RstStream { stream: 1, status: Reset::Cancel as u32 }).await;
    assert_eq!(read(&mut stream).await, Err(StreamError));
    assert_eq!(stream.writer.send(Bytes::from_static(b"late")).await, Err(StreamError));

    peer.open(3, &[("streamtype", "data")]).await;
    drop(accept(&mut session).await);
    peer.reply(3).await;
    assert_eq!(peer.next().await, Frame::RstStream { stream: 3, status: Reset::Cancel as u32 });
}

#[tokio::test]
async fn wrong_streams_are_refused_and_the_session_goes_on() {
    let (mut peer, mut session) = connected();
    let reset = |stream, reason| Frame::RstStream { stream, status: reason as u32 };
    peer.open(2, &[("streamtype", "data")]).await;
    assert_eq!(peer.next().await, reset(2, Reset::ProtocolError));
    peer.open(5, &[("streamtype", "data")]).await;
    let _five = accept(&mut session).await;
    peer.reply(5).await;
    peer.open(3, &[("streamtype", "data")]).await;
    assert_eq!(peer.next().await, reset(3, Reset::ProtocolError));
    peer.send(Frame::Data { stream: 9, fin: false, bytes: Bytes::from_static(b"x") }).await;
    assert_eq!(peer.next().await, reset(9, Reset::InvalidStream));
    let mut held = Vec::new();
    for number in 0..MAX_STREAMS as u32 - 1 {
        peer.open(11 + 2 * number, &[("streamtype", "data")]).await;
        held.push(accept(&mut session).await);
        peer.reply(11 + 2 * number).await;
    }
    peer.open(10_001, &[("streamtype", "data")]).await;
    assert_eq!(peer.next().await, reset(10_001, Reset::RefusedStream));
}

#[tokio::test]
async fn the_end_of_the_connection_ends_the_session() {
    let (mut peer, mut session) = connected();
    peer.open(1, &[("streamtype", "data")]).await;
    let mut stream = accept(&mut session).await;
    drop(peer);
    assert_eq!(read(&mut stream).await, Err(StreamError));
    assert!(timeout(DEADLINE, session.accept()).await.expect("an end").is_none());
}

#[tokio::test]
async fn something_else_than_spdy_is_an_error() {
    let (mut near, far) = tokio::io::duplex(1024);
    let (_session, driver) = Session::serve(far);
    near.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("room");
    let ended = timeout(DEADLINE, driver).await.expect("an end");
    assert!(matches!(ended, Err(SessionError::Frame(_))));
}
