use std::convert::Infallible;
use std::future::pending;
use std::net::Ipv4Addr;
use std::time::Instant;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, Empty, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::Timestamp;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::service_fn;

use super::*;
use crate::pki::{Authority, Identity, ServerNames};
use crate::shutdown::DrainError;
use crate::tls::{ClientCertificates, ServerCertificate, provider, server_config};

const SOON: Duration = Duration::from_secs(10);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A server under test, and what its clients need.
struct Fixture {
    address: SocketAddr,
    authority: Authority,
    certificate: ServerCertificate,
    shutdown: Shutdown,
    /// While true, `/slow` does not answer.
    hold: watch::Sender<bool>,
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.expect("in time")
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn issue_server(authority: &Authority) -> Identity {
    let names =
        ServerNames { common_name: "test".into(), dns: vec![], addresses: vec![Ipv4Addr::LOCALHOST.into()] };
    authority.issue_server(&names, DAY, Timestamp::now()).expect("issued")
}

/// `/peer` tells who asks, `/slow` waits, `/never` never answers, `/echo` upgrades to an echo. No body is read.
async fn answer(
    mut request: Request<Incoming>,
    mut held: watch::Receiver<bool>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let reply = match request.uri().path() {
        "/peer" => {
            let PeerIdentity(chain) = request.extensions().get().cloned().expect("set by the server");
            assert!(request.extensions().get::<PeerAddress>().is_some());
            let is_distrusted = request.extensions().get::<DistrustedPeer>().is_some();
            let peer = match (chain, is_distrusted) {
                (chain, false) => chain.map_or(0, |chain| chain.len()).to_string(),
                (None, true) => "distrusted".to_owned(),
                (Some(_), true) => "contradictory".to_owned(),
            };
            format!("{:?} {peer}", request.version())
        }
        "/slow" => {
            held.wait_for(|hold| !hold).await.expect("sender lives");
            "slow".to_owned()
        }
        "/never" => pending().await,
        "/echo" => {
            let upgraded = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let mut stream = TokioIo::new(upgraded.await.expect("upgraded"));
                let mut message = [0; 5];
                stream.read_exact(&mut message).await.expect("read");
                stream.write_all(&message).await.expect("written");
            });
            let switching =
                Response::builder().status(StatusCode::SWITCHING_PROTOCOLS).header("upgrade", "echo");
            return Ok(switching.header("connection", "upgrade").body(Full::default()).expect("valid"));
        }
        other => other.to_owned(),
    };
    Ok(Response::new(Full::from(reply)))
}

fn start(limits: Limits, is_tls: bool) -> Fixture {
    let authority = Authority::create("test", Timestamp::now()).expect("made");
    let certificate = ServerCertificate::new(&issue_server(&authority)).expect("usable");
    let listener = listen(loopback()).expect("a free port");
    let address = listener.local_addr().expect("bound");
    let server = if is_tls {
        let clients = ClientCertificates::SignedBy(vec![authority.certificate().clone()]);
        Server::tls(listener, server_config(certificate.clone(), &clients).expect("valid"))
    } else {
        Server::plain(listener)
    };
    let (shutdown, (hold, held)) = (Shutdown::new(), watch::channel(true));
    server.limits(limits).spawn(service_fn(move |request| answer(request, held.clone())), &shutdown);
    Fixture { address, authority, certificate, shutdown, hold }
}

impl Fixture {
    async fn tcp(&self) -> TcpStream {
        soon(TcpStream::connect(self.address)).await.expect("connected")
    }

    async fn tls(&self, protocol: &[u8], client: Option<&Identity>) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.certificate().clone()).expect("a certificate");
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let mut config = match client {
            Some(client) => builder
                .with_client_auth_cert(client.chain().to_vec(), client.key().clone_key())
                .expect("fitting"),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![protocol.to_vec()];
        let name = self.address.ip().into();
        soon(TlsConnector::from(Arc::new(config)).connect(name, self.tcp().await)).await
    }

    async fn h2(&self, client: Option<&Identity>) -> http2::SendRequest<Empty<Bytes>> {
        let stream = self.tls(b"h2", client).await.expect("handshake");
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("handshake");
        tokio::spawn(connection);
        sender
    }
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("https://test{path}")).body(Empty::new()).expect("valid")
}

async fn text(response: impl Future<Output = hyper::Result<Response<Incoming>>>) -> String {
    let body = soon(response).await.expect("answered").into_body();
    String::from_utf8(soon(body.collect()).await.expect("whole").to_bytes().into()).expect("text")
}

#[tokio::test]
async fn requests_carry_the_certificates_of_their_connection() {
    let server = start(Limits::default(), true);
    let now = Timestamp::now();
    let client = server.authority.issue_client("jane", Some("a"), DAY, now).expect("issued");
    assert_eq!(text(server.h2(None).await.send_request(get("/peer"))).await, "HTTP/2.0 0");
    assert_eq!(text(server.h2(Some(&client)).await.send_request(get("/peer"))).await, "HTTP/2.0 1");

    let stream = server.tls(b"http/1.1", Some(&client)).await.expect("handshake");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("handshake");
    tokio::spawn(connection);
    assert_eq!(text(sender.send_request(get("/peer"))).await, "HTTP/1.1 1");

    let stranger = Authority::create("other", now).expect("made").issue_client("jane", None, DAY, now);
    // The service refuses it: a client sees the answer, and not the end of a connection.
    let stranger = stranger.expect("issued");
    assert_eq!(
        text(server.h2(Some(&stranger)).await.send_request(get("/peer"))).await,
        "HTTP/2.0 distrusted"
    );
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections() {
    let server = start(Limits::default(), true);
    let shown =
        |stream: &TlsStream<TcpStream>| stream.get_ref().1.peer_certificates().expect("shown")[0].to_vec();
    let before = server.tls(b"h2", None).await.expect("handshake");
    let renewed = issue_server(&server.authority);
    server.certificate.replace(&renewed).expect("usable");
    let after = server.tls(b"h2", None).await.expect("handshake");
    assert_eq!(shown(&after), renewed.chain()[0].to_vec());
    assert_ne!(shown(&before), shown(&after));
}

#[tokio::test]
async fn a_connection_carries_many_streams() {
    let server = start(Limits::default(), true);
    let sender = server.h2(None).await;
    let waiting: Vec<_> = (0..400)
        .map(|_| {
            let mut sender = sender.clone();
            tokio::spawn(async move { text(sender.send_request(get("/slow"))).await })
        })
        .collect();
    // Streams are opened in order, so this one has all others before it.
    assert_eq!(text(sender.clone().send_request(get("/last"))).await, "/last");
    server.hold.send_replace(false);
    for response in waiting {
        assert_eq!(soon(response).await.expect("no panic"), "slow");
    }
}

#[tokio::test]
async fn plain_connections_speak_both_versions_and_upgrade() {
    let server = start(Limits::default(), false);
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(server.tcp().await)).await.expect("handshake");
    tokio::spawn(connection);
    assert_eq!(text(sender.send_request(get("/peer"))).await, "HTTP/2.0 0");

    let (mut sender, connection) =
        http1::handshake(TokioIo::new(server.tcp().await)).await.expect("handshake");
    tokio::spawn(connection.with_upgrades());
    let upgrade = Request::get("/echo").header("connection", "upgrade").header("upgrade", "echo");
    let upgrade = upgrade.body(Empty::<Bytes>::new()).expect("valid");
    let response = soon(sender.send_request(upgrade)).await.expect("answered");
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let mut stream = TokioIo::new(hyper::upgrade::on(response).await.expect("upgraded"));
    stream.write_all(b"hello").await.expect("written");
    let mut echoed = [0; 5];
    soon(stream.read_exact(&mut echoed)).await.expect("read");
    assert_eq!(&echoed, b"hello");
}

#[tokio::test]
async fn a_shutdown_lets_requests_finish() {
    let server = start(Limits::default(), true);
    let mut sender = server.h2(None).await;
    assert_eq!(text(sender.send_request(get("/ready"))).await, "/ready");
    let slow = tokio::spawn(text(sender.send_request(get("/slow"))));
    // Answered after `/slow` has reached the service.
    assert_eq!(text(sender.send_request(get("/next"))).await, "/next");
    server.shutdown.request();
    soon(async {
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await
        }
    })
    .await;
    server.hold.send_replace(false);
    assert_eq!(soon(slow).await.expect("no panic"), "slow");
    assert_eq!(server.shutdown.drain(SOON).await, Ok(()));
}

#[tokio::test]
async fn a_shutdown_drops_what_does_not_end() {
    let server = start(Limits::default(), true);
    let mut sender = server.h2(None).await;
    let never = tokio::spawn(sender.send_request(get("/never")));
    assert_eq!(text(sender.send_request(get("/next"))).await, "/next");
    let started = Instant::now();
    assert!(matches!(server.shutdown.drain(Duration::from_millis(50)).await, Err(DrainError(1..))));
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(soon(never).await.expect("no panic").is_err());
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_clients_that_answer_nothing() {
    let server = start(Limits::default(), true);
    // Speaks HTTP/2 up to the first request, and then neither reads nor writes.
    let mut idle = server.tls(b"h2", None).await.expect("handshake");
    idle.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        .await
        .expect("sent");
    let mut greeting = [0];
    soon(idle.read_exact(&mut greeting)).await.expect("settings");
    let half_open = server.tcp().await;
    assert_eq!(server.shutdown.drain(SOON).await, Ok(()));
    drop((idle, half_open));
}

#[tokio::test]
async fn silent_clients_are_not_waited_for() {
    let limits =
        Limits { connections: 1, handshake_timeout: Duration::from_millis(100), ..Limits::default() };
    for is_tls in [true, false] {
        let server = start(limits, is_tls);
        for _ in 0..3 {
            // One connection at a time: each can only be accepted because the one before was given up.
            let mut silent = server.tcp().await;
            assert!(
                matches!(soon(silent.read_u8()).await, Err(error) if error.kind() == io::ErrorKind::UnexpectedEof)
            );
        }
        if is_tls {
            let mut shaken = server.tls(b"h2", None).await.expect("handshake");
            let mut rest = Vec::new();
            let _ = soon(shaken.read_to_end(&mut rest)).await;
        }
    }
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_told_so() {
    let server = start(Limits::default(), true);
    let mut stream = server.tcp().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("written");
    let mut answer = String::new();
    // The rest of the request is never read, so the end may be a reset.
    let _ = soon(stream.read_to_string(&mut answer)).await;
    assert!(
        answer.starts_with("HTTP/1.0 400 ") && answer.contains("HTTP request to an HTTPS server"),
        "{answer}"
    );
}

/// Sends a head and a body of this length, and only then reads the answer to its end.
async fn send_whole_then_read(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), length: usize) -> String {
    let head = format!("POST /refused HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    soon(stream.write_all(head.as_bytes())).await.expect("the head is sent");
    soon(stream.write_all(&vec![b'x'; length])).await.expect("the body is sent");
    soon(stream.flush()).await.expect("flushed");
    let mut answer = Vec::new();
    let mut chunk = [0; 1024];
    while !String::from_utf8_lossy(&answer).ends_with("/refused") {
        let read = soon(stream.read(&mut chunk)).await.expect("an answer, not a reset");
        assert!(read > 0, "{answer:?}");
        answer.extend_from_slice(&chunk[..read]);
    }
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn an_answer_before_the_body_was_read_reaches_a_client_that_sends_all_of_it_first() {
    for length in [1, 100_000, 3_000_000] {
        let server = start(Limits::default(), true);
        let mut stream = server.tls(b"http/1.1", None).await.expect("handshake");
        let answer = send_whole_then_read(&mut stream, length).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{length}: {answer}");
        let plain = start(Limits::default(), false);
        let answer = send_whole_then_read(&mut plain.tcp().await, length).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{length}: {answer}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_end_does_not_hold_its_connection() {
    let limits = Limits { connections: 1, handshakes: 1, ..Limits::default() };
    let server = start(limits, true);
    let mut stream = server.tls(b"http/1.1", None).await.expect("handshake");
    stream
        .write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9000000000\r\n\r\n")
        .await
        .expect("sent");
    // Sends until the server has closed the connection, which it notices by the reset.
    let flood = async { while stream.write_all(&[b'x'; 16 << 10]).await.is_ok() {} };
    soon(flood).await;
    assert_eq!(text(server.h2(None).await.send_request(get("/next"))).await, "/next");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_kernel_takes_little_for_a_client_that_does_not_read() {
    let listener = listen(loopback()).expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connected");
    let (mut served, _) = listener.accept().await.expect("accepted");
    let chunk = vec![b'x'; 16 << 10];
    let mut taken = 0;
    while let Ok(written) = tokio::time::timeout(Duration::from_millis(200), served.write(&chunk)).await {
        taken += written.expect("written");
        assert!(taken < 2 << 20, "{taken} bytes");
    }
    assert!(taken >= 128 << 10, "{taken} bytes");
    drop(client);
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let first = listen(loopback()).expect("a free port");
    let address = first.local_addr().expect("bound");
    let error = listen(address).expect_err("taken").to_string();
    let want = format!("cannot listen on {address}: the port is taken; stop the program that has it");
    assert!(error.starts_with(&want), "{error}");
    let elsewhere = listen("192.0.2.1:0".parse().expect("an address")).expect_err("not ours").to_string();
    assert!(elsewhere.contains("192.0.2.1:0: this machine does not have the address"), "{elsewhere}");
}
