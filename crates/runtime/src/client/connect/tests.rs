use std::convert::Infallible;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::StatusCode;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use portolan_net::Shutdown;
use portolan_net::pki::{Authority, ServerNames};
use portolan_net::server::{PeerAddress, Server, listen};
use portolan_net::tls::{ClientCertificates, ServerCertificate, ServerTls, server_config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::protocol::Connection as _;
use super::*;
use crate::client::transport::{Bounds, full};

const SOON: Duration = Duration::from_secs(20);
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.expect("in time")
}

/// An authority, and TLS of a server that it vouches for.
struct Trust {
    authority: Authority,
    config: ServerTls,
}

impl Trust {
    fn new() -> Self {
        let now = jiff::Timestamp::now();
        let authority = Authority::create("test", now).expect("made");
        let address = Ipv4Addr::LOCALHOST.into();
        let names = ServerNames { common_name: "test".into(), dns: vec![], addresses: vec![address] };
        let identity = authority.issue_server(&names, DAY, now).expect("issued");
        let certificate = ServerCertificate::new(&identity).expect("usable");
        let clients = ClientCertificates::SignedBy(vec![authority.certificate().clone()]);
        Self { config: server_config(certificate, &clients).expect("valid"), authority }
    }

    fn client(&self, server: SocketAddr) -> Transport {
        let ca_pem = self.authority.certificate_pem().as_bytes().to_vec();
        let endpoint = Endpoint { url: format!("https://{server}"), ca_pem, ..Endpoint::default() };
        transport(endpoint, None).expect("usable")
    }
}

/// Answers with the protocol, the client's port and what was sent.
fn serve(address: SocketAddr, config: &ServerTls) -> (SocketAddr, Shutdown) {
    let listener = listen(address).expect("a free port");
    let (address, scope) = (listener.local_addr().expect("bound"), Shutdown::new());
    let answer = service_fn(|request: Request<Incoming>| async move {
        let PeerAddress(peer) = *request.extensions().get().expect("set by the server");
        let head = format!("{:?} {} ", request.version(), peer.port());
        let sent = request.into_body().collect().await.expect("whole").to_bytes();
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from([head.as_bytes(), &sent].concat()))))
    });
    Server::tls(listener, config.clone()).spawn(answer, &scope);
    (address, scope)
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn post(body: impl Into<Bytes>) -> Request<Body> {
    Request::post("/echo").body(full(body)).expect("valid")
}

/// What the server says: protocol, port, and the body as it was received.
async fn say(client: &Transport, body: Vec<u8>) -> (String, String, Vec<u8>) {
    let response = soon(client.send(post(body), SOON)).await.expect("answered");
    assert_eq!(response.status(), StatusCode::OK);
    let bounds = Bounds { time: SOON, bytes: usize::MAX, budget: None };
    let answer = soon(client.collect(response.into_body(), bounds)).await.expect("whole");
    let mut parts = answer.splitn(3, |byte| *byte == b' ');
    let mut next = || parts.next().expect("three parts").to_vec();
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (text(next()), text(next()), next())
}

#[tokio::test]
async fn requests_share_one_connection() {
    let trust = Trust::new();
    let (address, _scope) = serve(loopback(), &trust.config);
    let client = trust.client(address);
    // None, what fits beside the head, and more than a frame and the first window take.
    let lengths = [0, 100, 20_000, 3 << 20];
    let asked = lengths.map(|length| say(&client, vec![b'x'; length]));
    let answers = futures::future::join_all(asked).await;
    let ports: std::collections::BTreeSet<_> = answers.iter().map(|(_, port, _)| port).collect();
    assert_eq!(ports.len(), 1);
    for (length, (protocol, _, body)) in lengths.into_iter().zip(&answers) {
        assert_eq!((protocol.as_str(), body.len()), ("HTTP/2.0", length));
    }
}

/// kube-apiserver accepts 100 streams for each connection. A hub has more watches than that.
#[tokio::test]
async fn requests_beyond_the_streams_of_a_connection_open_another() {
    const STREAMS: usize = 5;
    let trust = Trust::new();
    let listener = TcpListener::bind(loopback()).await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let acceptor = TlsAcceptor::from(Arc::clone(trust.config.settings()));
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.expect("accepted");
            let tls = acceptor.accept(tcp).await.expect("handshake");
            let mut server = h2::server::Builder::new();
            let settings = server.max_concurrent_streams(u32::try_from(STREAMS).expect("few"));
            let mut connection = settings.handshake::<_, Bytes>(tls).await.expect("handshake");
            tokio::spawn(async move {
                let mut watches = Vec::new();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    watches.push(respond.send_response(Response::new(()), false).expect("sent"));
                }
            });
        }
    });
    let client = trust.client(address);
    // The first request learns the limit of the server.
    let mut watches = vec![soon(client.send(post(""), SOON)).await.expect("answered")];
    let more = (0..4 * STREAMS).map(|_| client.send(post(""), SOON));
    for watch in soon(futures::future::join_all(more)).await {
        watches.push(watch.expect("answered beside the others"));
    }
    assert_eq!(watches.len(), 1 + 4 * STREAMS, "none of them has ended");
}

#[tokio::test]
async fn a_server_that_speaks_nothing_newer_is_asked_in_http_1() {
    let trust = Trust::new();
    let (address, _scope) = serve(loopback(), &trust.config.clone().with_protocols(&[b"http/1.1"]));
    let client = trust.client(address);
    for length in [0, 20_000] {
        let (protocol, _, body) = say(&client, vec![b'x'; length]).await;
        assert_eq!((protocol.as_str(), body.len()), ("HTTP/1.1", length));
    }
}

#[tokio::test]
async fn a_restarted_server_is_found_again() {
    let trust = Trust::new();
    let (address, scope) = serve(loopback(), &trust.config);
    let client = trust.client(address);
    let (_, before, _) = say(&client, vec![]).await;
    scope.request();
    scope.drain(SOON).await.expect("stopped");
    let refused = soon(client.send(post(""), SOON)).await.expect_err("the port is closed").to_string();
    assert_eq!(refused, format!("cannot reach https://{address}: Connection refused (os error 111)"));
    let (_, _scope) = serve(address, &trust.config);
    let (_, after, _) = say(&client, vec![]).await;
    assert_ne!(before, after);
}

#[tokio::test]
async fn what_the_server_never_looked_at_is_sent_again() {
    let trust = Trust::new();
    let listener = TcpListener::bind(loopback()).await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let acceptor = TlsAcceptor::from(Arc::clone(trust.config.settings()));
    tokio::spawn(async move {
        for number in 0.. {
            let (tcp, _) = listener.accept().await.expect("accepted");
            let tls = acceptor.accept(tcp).await.expect("handshake");
            let mut connection = h2::server::handshake(tls).await.expect("handshake");
            if number == 0 {
                // It leaves before it has seen any request.
                connection.abrupt_shutdown(Reason::NO_ERROR);
            }
            tokio::spawn(async move {
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    let answer = format!("HTTP/2.0 0 {number}");
                    let mut stream = respond.send_response(Response::new(()), false).expect("sent");
                    stream.send_data(Bytes::from(answer), true).expect("sent");
                }
            });
        }
    });
    let (_, _, answered_by) = say(&trust.client(address), vec![]).await;
    assert_eq!(answered_by, b"1");
}

#[tokio::test]
async fn a_stranger_is_not_trusted() {
    let (trust, stranger) = (Trust::new(), Trust::new());
    let (address, _scope) = serve(loopback(), &stranger.config);
    let error = soon(trust.client(address).send(post(""), SOON)).await.expect_err("refused").to_string();
    assert!(error.contains("invalid peer certificate"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_without_a_sign_of_life_is_given_up_and_sooner_if_another_connection_opens() {
    for (another_opens, seconds) in [(false, 13), (true, 5)] {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        // Empty settings, and then nothing ever again.
        theirs.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.expect("written");
        let opened = http2::open(ours, move || std::future::ready(another_opens)).await;
        let request = Request::get("https://test/").body(Bytes::new()).expect("valid");
        let started = tokio::time::Instant::now();
        let error = opened.expect("open").send(request).await.expect_err("no answer");
        assert!(!error.is_unprocessed && !error.is_usable, "{error}");
        assert_eq!(started.elapsed().as_secs(), seconds);
        assert_ne!(theirs.read_u8().await.expect("the preface"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_is_kept() {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let opened = http2::open(ours, || std::future::ready(true)).await.expect("open");
    let mut server = h2::server::handshake(theirs).await.expect("the client has begun");
    let kept = tokio::time::timeout(Duration::from_secs(60), server.accept()).await;
    assert!(kept.is_err() && !opened.is_closed(), "{kept:?}");
}

/// A self-signed certificate of X.509 version 1, as `openssl x509 -req` makes it without extensions, and its key.
const VERSION_1: (&str, &str) =
    (include_str!("testdata/version-1.crt"), include_str!("testdata/version-1.key"));

#[test]
fn client_certificates_of_version_1_are_presented() {
    let (chain, key) = VERSION_1;
    let endpoint = Endpoint {
        url: "https://127.0.0.1:1".to_owned(),
        ca_pem: chain.as_bytes().to_vec(),
        credential: Credential::Certificate { chain_pem: chain.into(), key_pem: key.into() },
        insecure_skip_verify: true,
        ..Endpoint::default()
    };
    let config = tls_config(&endpoint).expect("usable");
    assert!(config.client_auth_cert_resolver.has_certs());

    let now = jiff::Timestamp::now();
    let other = Authority::create("other", now).expect("made");
    let other = other.issue_client("eve", None, DAY, now).expect("issued");
    let mismatch = identity::resolver(other.certificate_pem().as_bytes(), key.as_bytes());
    assert!(mismatch.is_err(), "a certificate of version 3 must fit its key");
    assert!(identity::resolver(b"", key.as_bytes()).is_err(), "no certificate");
    assert!(identity::resolver(chain.as_bytes(), b"").is_err(), "no key");
}

#[test]
fn addresses_of_api_servers() {
    for (url, host, port, prefix) in [
        ("https://10.0.0.1:6443", "10.0.0.1", 6443, ""),
        ("https://10.0.0.1:6443/", "10.0.0.1", 6443, ""),
        ("https://10.0.0.1:6443///", "10.0.0.1", 6443, ""),
        ("HTTPS://api.example", "api.example", 443, ""),
        ("http://api.example", "api.example", 80, ""),
        ("https://[2001:db8::1]:6443", "2001:db8::1", 6443, ""),
        ("https://rancher.example/k8s/clusters/c-xyz", "rancher.example", 443, "/k8s/clusters/c-xyz"),
        ("https://rancher.example/k8s/clusters/c-xyz/", "rancher.example", 443, "/k8s/clusters/c-xyz"),
    ] {
        let found = Address::parse(url).expect(url);
        assert_eq!((&*found.host, found.port, &*found.prefix), (host, port, prefix), "{url}");
    }
    for (url, cause) in [
        ("10.0.0.1", "https://"),
        ("ftp://10.0.0.1", "only http and https"),
        ("https://admin:secret@10.0.0.1:6443", "a user or a password"),
        ("https://admin@10.0.0.1:6443", "a user or a password"),
        ("https://10.0.0.1:6443/?zone=a", "a query"),
    ] {
        let refusal = Address::parse(url).expect_err(url).to_string();
        assert!(refusal.contains(cause) && !refusal.contains("secret"), "{url}: {refusal}");
    }
}
