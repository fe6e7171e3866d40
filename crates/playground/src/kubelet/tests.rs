use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{SinkExt, StreamExt};
use http::Method;
use http_body_util::Empty;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use portolan_net::pki::{Authority, ServerNames};
use portolan_net::tls::{ClientCertificates, ServerCertificate, server_config};
use rustls_pki_types::CertificateDer;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;
use crate::network::{ClusterName, Network};
use crate::pods::{ContainerSettings, Run, StdinMode};
use crate::programs;
use crate::spdy::frame::Frame as SpdyFrame;
use crate::spdy::session::peer::Peer;

const DEADLINE: Duration = Duration::from_secs(10);

struct Node {
    kubelet: Kubelet,
    pods: Pods,
    network: Network,
    cluster: ClusterName,
    scope: Shutdown,
}

fn node() -> Node {
    let (network, cluster, scope) = (Network::new(), ClusterName::new("member1"), Shutdown::new());
    let range = |text: &str| text.parse().expect("range");
    network.add_cluster(&cluster, range("10.10.0.0/16"), range("10.11.0.0/16")).expect("joins");
    let pods = Pods::default();
    let kubelet = Kubelet::new(pods.clone(), Clock::system(), &scope);
    Node { kubelet, pods, network, cluster, scope }
}

impl Node {
    /// Runs a pod `default/<name>` with one container of the same name.
    fn run(&self, name: &str, reference: &str, args: &[&str], stdin: StdinMode) -> Arc<Run> {
        let network = self.network.attach_pod(&self.cluster).expect("an address");
        let settings =
            ContainerSettings { network: network.clone(), clock: Clock::system(), stdin, tty: false };
        let image = programs::image(reference);
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        let invocation = match image {
            Some(image) => image.invoke(&[], &args).expect("an executable"),
            None => programs::silent(),
        };
        let container = Arc::new(Container::new(name, reference, settings));
        let run = Run::start(invocation, &container.settings, Arc::default(), &self.scope);
        container.started(run.clone());
        self.pods.insert(Arc::new(Pod {
            key: ObjectKey::namespaced("default", name),
            uid: format!("uid-of-{name}"),
            network,
            sandbox: Default::default(),
            containers: [(name.to_owned(), container)].into(),
        }));
        run
    }

    /// Sends a request as the API server does, without TLS.
    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Response<hyper::body::Incoming> {
        let (near, far) = tokio::io::duplex(1 << 20);
        let kubelet = self.kubelet.clone();
        let service = service_fn(move |mut request: Request<hyper::body::Incoming>| {
            let kubelet = kubelet.clone();
            let certificate = CertificateDer::from(vec![0]);
            request.extensions_mut().insert(PeerIdentity(Some(vec![certificate].into())));
            async move { Ok::<_, Infallible>(kubelet.answer(request).await) }
        });
        let server = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(far), service);
        tokio::spawn(server.with_upgrades());
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(near)).await.expect("a connection");
        tokio::spawn(connection.with_upgrades());
        let mut request = Request::builder().method(method).uri(path).header("host", "node");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::<Bytes>::new()).expect("a request");
        timeout(DEADLINE, sender.send_request(request)).await.expect("an answer").expect("an answer")
    }

    async fn text(&self, path: &str) -> (u16, String) {
        let response = self.send(Method::GET, path, &[]).await;
        let status = response.status().as_u16();
        (status, body(response).await)
    }

    async fn web_socket(&self, path: &str, protocol: &str) -> WebSocketStream<Upgraded> {
        let headers = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-protocol", protocol),
        ];
        let response = self.send(Method::GET, path, &headers).await;
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let upgraded = hyper::upgrade::on(response).await.expect("upgrades");
        WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await
    }

    async fn spdy(&self, path: &str, protocol: &str) -> Peer<Upgraded> {
        let headers = [
            ("connection", "Upgrade"),
            ("upgrade", "SPDY/3.1"),
            ("x-stream-protocol-version", "v9.unknown"),
            ("x-stream-protocol-version", protocol),
        ];
        let response = self.send(Method::POST, path, &headers).await;
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(response.headers()["x-stream-protocol-version"], protocol);
        Peer::new(TokioIo::new(hyper::upgrade::on(response).await.expect("upgrades")))
    }

    async fn listening(&self, name: &str, port: u16) {
        let pod = self.pods.get(&ObjectKey::namespaced("default", name)).expect("the pod");
        let to = SocketAddr::new(pod.network.address(), port);
        let poll = async {
            while self.network.socket(&self.cluster, to, crate::network::Protocol::Tcp).is_none() {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, poll).await.expect("listens");
    }
}

type Upgraded = TokioIo<hyper::upgrade::Upgraded>;

async fn body(response: Response<hyper::body::Incoming>) -> String {
    let bytes = timeout(DEADLINE, response.into_body().collect()).await.expect("an end").expect("a body");
    String::from_utf8_lossy(&bytes.to_bytes()).into_owned()
}

/// The messages of each channel until the end, as `channel text` lines; neighbours of one channel are joined.
async fn heard<C>(socket: &mut WebSocketStream<C>) -> Vec<String>
where
    C: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut lines: Vec<(u8, String)> = Vec::new();
    loop {
        let message = timeout(DEADLINE, socket.next()).await.expect("a message or the end");
        match message {
            Some(Ok(Message::Binary(bytes))) => {
                let text = String::from_utf8_lossy(&bytes[1..]).into_owned();
                match lines.last_mut() {
                    Some((channel, line)) if *channel == bytes[0] => line.push_str(&text),
                    _ => lines.push((bytes[0], text)),
                }
            }
            Some(Ok(Message::Close(Some(frame)))) => assert_eq!(u16::from(frame.code), 1000),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => break,
        }
    }
    lines.into_iter().map(|(channel, line)| format!("{channel} {line}")).collect()
}

const SUCCESS: &str = r#"{"metadata":{},"status":"Success"}"#;
const RUN_I: &str = "?input=1&output=1&error=1";

async fn wrote(run: &Run) {
    let mut reader = run.log.from_start();
    timeout(DEADLINE, reader.next()).await.expect("writes something");
}

#[tokio::test]
async fn attaching_late_loses_nothing_and_ends_with_the_program() {
    let node = node();
    let run = node.run("request", "jeremyot/request", &["--once", "--address=10.10.0.99"], StdinMode::Once);
    timeout(DEADLINE, run.exited()).await.expect("ends");
    let mut socket =
        node.web_socket(&format!("/attach/default/request/request{RUN_I}"), "v5.channel.k8s.io").await;
    let heard = heard(&mut socket).await;
    assert_eq!(heard.len(), 3, "{heard:?}");
    assert_eq!(heard[0], "1 ", "the session is there");
    assert!(heard[1].starts_with("2 ") && heard[1].ends_with("connect: no route to host\n"), "{heard:?}");
    assert_eq!(heard[2], format!("3 {SUCCESS}"));

    let (status, text) = node.text(&format!("/attach/default/request/request{RUN_I}")).await;
    assert_eq!((status, text.as_str()), (500, "container \"request\" of pod default/request does not run"));
}

#[tokio::test]
async fn input_ends_when_the_client_closes_it() {
    let node = node();
    for (protocol, close) in [("v5.channel.k8s.io", true), ("v4.channel.k8s.io", false)] {
        let run = node.run("cat", "busybox", &["cat"], StdinMode::Once);
        let mut socket =
            node.web_socket(&format!("/attach/default/cat/uid-of-cat/cat{RUN_I}"), protocol).await;
        socket.send(Message::Binary(Bytes::from_static(b"\0hello\n"))).await.expect("sends");
        if close {
            socket.send(Message::Binary(Bytes::from_static(&[255, 0]))).await.expect("sends");
            assert_eq!(heard(&mut socket).await, ["1 hello\n".to_owned(), format!("3 {SUCCESS}")]);
        } else {
            wrote(&run).await;
            socket.close(None).await.expect("closes");
        }
        let exit = timeout(DEADLINE, run.exited()).await.expect("ends with its input");
        assert_eq!(exit.code, 0, "{protocol}");
    }
}

#[tokio::test]
async fn every_protocol_takes_text_and_binary_messages() {
    let node = node();
    node.run("box", "busybox", &["sleep", "inf"], StdinMode::Closed);
    let hello = STANDARD.encode("hello\n");
    let (raw_in, raw_out) = ("\0hello\n".to_owned(), "\x01hello\n".to_owned());
    let (coded_in, coded_out) = (format!("0{hello}"), format!("1{hello}"));
    for (protocol, sent, want) in [
        ("v5.channel.k8s.io", &raw_in, &raw_out),
        ("v4.channel.k8s.io", &raw_in, &raw_out),
        ("channel.k8s.io", &raw_in, &raw_out),
        ("v4.base64.channel.k8s.io", &coded_in, &coded_out),
        ("base64.channel.k8s.io", &coded_in, &coded_out),
    ] {
        for message in [Message::Text(sent.clone().into()), Message::Binary(Bytes::from(sent.clone()))] {
            let path = "/exec/default/box/box?command=cat&input=1&output=1";
            let mut socket = node.web_socket(path, protocol).await;
            socket.send(message).await.expect("sends");
            let heard = spoken(&mut socket).await;
            assert_eq!(heard.as_deref(), Some(want.as_str()), "{protocol}");
        }
    }
}

#[tokio::test]
async fn old_protocols_tell_only_of_failures() {
    let node = node();
    node.run("box", "busybox", &["sleep", "inf"], StdinMode::Closed);
    for (protocol, command, want) in [
        ("v4.base64.channel.k8s.io", "command=echo&error=1", Some(format!("3{}", STANDARD.encode(SUCCESS)))),
        ("channel.k8s.io", "command=echo&error=1", None),
        (
            "channel.k8s.io",
            "command=cat&command=x&output=1",
            Some("\x03command terminated with non-zero exit code: exit status 1".to_owned()),
        ),
    ] {
        let path = format!("/exec/default/box/box?{command}");
        let mut socket = node.web_socket(&path, protocol).await;
        assert_eq!(spoken(&mut socket).await, want, "{protocol} {command}");
    }
}

/// The next message that has more than a channel; `None` at the end.
async fn spoken(socket: &mut WebSocketStream<Upgraded>) -> Option<String> {
    loop {
        let message = timeout(DEADLINE, socket.next()).await.expect("a message or the end")?.ok()?;
        match message {
            Message::Text(_) | Message::Binary(_) if message.len() > 1 => {
                return Some(String::from_utf8_lossy(&message.into_data()).into_owned());
            }
            Message::Close(_) => return None,
            _ => {}
        }
    }
}

#[tokio::test]
async fn attaching_over_spdy() {
    let node = node();
    node.run("cat", "busybox", &["cat"], StdinMode::Once);
    let mut peer = node.spdy(&format!("/attach/default/cat/cat{RUN_I}"), "v4.channel.k8s.io").await;
    for (stream, kind) in [(1, "error"), (3, "stdin"), (5, "stdout"), (7, "stderr")] {
        peer.open(stream, &[("streamtype", kind)]).await;
        peer.reply(stream).await;
    }
    peer.data(1, b"", true).await;
    peer.data(3, b"hello\n", true).await;
    let data =
        |stream, fin, bytes: &'static [u8]| SpdyFrame::Data { stream, fin, bytes: Bytes::from_static(bytes) };
    assert_eq!(peer.next().await, data(5, false, b"hello\n"));
    assert_eq!(peer.next().await, data(1, false, SUCCESS.as_bytes()));
    for stream in [5, 7, 1] {
        assert_eq!(peer.next().await, data(stream, true, b""));
    }
    assert!(
        matches!(peer.next().await, SpdyFrame::RstStream { stream: 3, .. }),
        "nothing was to be said there"
    );
    assert!(matches!(peer.next().await, SpdyFrame::GoAway { .. }));
}

#[tokio::test]
async fn exec_runs_the_commands_of_an_image() {
    let node = node();
    node.run("box", "busybox", &["sleep", "inf"], StdinMode::Closed);
    node.run("db", "postgres:17", &[], StdinMode::Closed);
    let cases: [(&str, &str, &[&str], i64); 4] = [
        ("box", "command=echo&command=a%20b&output=1&error=1", &["1 a b\n"], 0),
        (
            "box",
            "command=cat&command=x&output=1&error=1",
            &["1 ", "2 cat: can't open 'x': No such file or directory\n"],
            1,
        ),
        ("box", "command=bash&output=1", &["1 "], -1),
        ("db", "command=psql&output=1", &["1 "], -1),
    ];
    for (pod, query, output, code) in cases {
        let mut socket =
            node.web_socket(&format!("/exec/default/{pod}/{pod}?{query}"), "v5.channel.k8s.io").await;
        let mut heard = heard(&mut socket).await;
        let status = heard.pop().expect("a status");
        assert_eq!(heard, output, "{query}");
        let status: Value =
            serde_json::from_str(status.strip_prefix("3 ").expect("on the error channel")).expect("JSON");
        match code {
            0 => assert_eq!(status["status"], "Success", "{query}"),
            -1 => assert_eq!(
                (&status["status"], &status["reason"]),
                (&"Failure".into(), &"InternalError".into())
            ),
            code => {
                assert_eq!(status["reason"], "NonZeroExitCode", "{query}");
                assert_eq!(status["details"]["causes"][0]["reason"], "ExitCode");
                assert_eq!(status["details"]["causes"][0]["message"], code.to_string());
            }
        }
    }
}

#[tokio::test]
async fn a_terminal_echoes_and_interrupts() {
    let node = node();
    node.run("box", "busybox", &["sleep", "inf"], StdinMode::Closed);
    let path = "/exec/default/box/box?command=cat&input=1&output=1&tty=1";
    let mut socket = node.web_socket(path, "v5.channel.k8s.io").await;
    socket.send(Message::Binary(Bytes::from_static(b"\0hi\r"))).await.expect("sends");
    socket
        .send(Message::Binary(Bytes::from_static(b"\x04{\"Width\":80,\"Height\":24}")))
        .await
        .expect("sends");
    let mut seen = String::new();
    while !seen.contains("hi\r\nhi\r\n") {
        let message = timeout(DEADLINE, socket.next()).await.expect("an echo").expect("open").expect("valid");
        seen.push_str(&String::from_utf8_lossy(&message.into_data()[1..]));
    }
    socket.send(Message::Binary(Bytes::from_static(b"\0\x03"))).await.expect("sends");
    let heard = heard(&mut socket).await;
    assert!(heard.last().expect("a status").contains("\"message\":\"130\""), "{heard:?}");
}

#[tokio::test]
async fn port_forwarding_as_kubectl_does_it() {
    let node = node();
    node.run("echo", "portolan/echo", &[], StdinMode::Closed);
    node.listening("echo", 8080).await;
    let direct = node.spdy("/portForward/default/echo/uid-of-echo", "portforward.k8s.io").await;
    check_forwarding(direct).await;
    let socket = node.web_socket("/portForward/default/echo", "SPDY/3.1+portforward.k8s.io").await;
    let (bytes, pump) = tunnel::through(socket);
    tokio::spawn(pump);
    check_forwarding(Peer::new(bytes)).await;
}

async fn check_forwarding<C: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(mut peer: Peer<C>) {
    let data = |stream, fin, text: &str| SpdyFrame::Data { stream, fin, bytes: Bytes::from(text.to_owned()) };
    for (stream, kind) in [(1, "error"), (3, "data")] {
        peer.open(stream, &[("streamtype", kind), ("port", "8080"), ("requestid", "0")]).await;
        peer.reply(stream).await;
    }
    peer.data(1, b"", true).await;
    peer.data(3, b"ping", false).await;
    assert_eq!(peer.next().await, data(3, false, "ping"));
    peer.data(3, b"", true).await;
    assert_eq!(peer.next().await, data(3, true, ""), "the end goes through the pod and back");
    assert_eq!(peer.next().await, data(1, true, ""));

    for (stream, kind) in [(5, "error"), (7, "data")] {
        peer.open(stream, &[("streamtype", kind), ("port", "81"), ("requestid", "1")]).await;
        peer.reply(stream).await;
    }
    let problem = "error forwarding port 81 to pod echo, uid uid-of-echo: \
                   dial tcp 10.10.0.5:81: connect: connection refused";
    assert_eq!(peer.next().await, data(5, false, problem));
    assert_eq!(peer.next().await, data(7, true, ""));
    assert_eq!(peer.next().await, data(5, true, ""));
}

#[tokio::test]
async fn port_forwarding_over_channels() {
    let node = node();
    node.run("echo", "portolan/echo", &[], StdinMode::Closed);
    node.listening("echo", 8080).await;
    let path = "/portForward/default/echo?port=8080&port=81";
    let mut socket = node.web_socket(path, "v4.channel.k8s.io").await;
    socket.send(Message::Binary(Bytes::from_static(b"\0ping"))).await.expect("sends");
    let mut channels: [Vec<u8>; 4] = Default::default();
    while channels[0].len() < 6 || channels[3].len() < 20 {
        let message = timeout(DEADLINE, socket.next()).await.expect("an echo").expect("open").expect("valid");
        let bytes = message.into_data();
        channels[usize::from(bytes[0])].extend_from_slice(&bytes[1..]);
    }
    assert_eq!(channels[0], [&8080u16.to_le_bytes()[..], b"ping"].concat());
    assert_eq!(channels[1], 8080u16.to_le_bytes());
    assert!(channels[3].ends_with(b"connection refused"));
}

#[tokio::test]
async fn refusals() {
    let node = node();
    node.run("web", "nginx", &[], StdinMode::Closed);
    let cases = [
        ("/healthz", 200, "ok"),
        ("/", 404, "404 page not found"),
        ("/run/default/web/web?cmd=ls", 404, "404 page not found"),
        ("/containerLogs/default/nope/web", 404, "pod \"nope\" does not exist"),
        ("/containerLogs/default/web/nope", 404, "container \"nope\" not found in pod \"web\""),
        (
            "/containerLogs/default/web/web?previous=true",
            400,
            "previous terminated container \"web\" in pod \"web\" not found",
        ),
        ("/containerLogs/default/web/web?tailLines=-1", 400, "invalid value \"-1\" of tailLines"),
        ("/attach/default/web/web", 400, "you must specify at least 1 of stdin, stdout, stderr"),
        ("/attach/default/web/other-uid/web?output=1", 404, "pod \"web\" does not exist"),
        ("/attach/default/web/web?output=1", 400, "Upgrade request required"),
        ("/portForward/default/web?port=0", 400, "Upgrade request required"),
    ];
    for (path, status, text) in cases {
        assert_eq!(node.text(path).await, (status, text.to_owned()), "{path}");
    }
    let upgrade = |to| [("connection", "Upgrade"), ("upgrade", to), ("x-stream-protocol-version", "v1")];
    for to in ["h2c", "SPDY/3.1"] {
        let response = node.send(Method::POST, "/portForward/default/web", &upgrade(to)).await;
        assert!(response.status().is_client_error(), "{to}");
        assert!(body(response).await.starts_with("unable to upgrade: "), "{to}");
    }
}

#[tokio::test]
async fn only_the_api_server_is_answered() {
    let node = node();
    let run = node.run("box", "busybox", &["echo", "hello"], StdinMode::Closed);
    timeout(DEADLINE, run.exited()).await.expect("ends");
    let now = Clock::system().now();
    let authority = Authority::create("cluster", now).expect("an authority");
    let (day, local) = (Duration::from_secs(86_400), Ipv4Addr::LOCALHOST.into());
    let names = ServerNames { common_name: "node".to_owned(), dns: vec![], addresses: vec![local] };
    let identity = authority.issue_server(&names, day, now).expect("a certificate");
    let clients = ClientCertificates::SignedBy(vec![authority.certificate().clone()]);
    let certificate = ServerCertificate::new(&identity).expect("usable");
    let config = server_config(certificate, &clients).expect("a configuration");
    let listener = portolan_net::server::listen(SocketAddr::new(local, 0)).expect("listens");
    let address = listener.local_addr().expect("an address");
    portolan_net::server::Server::tls(listener, config).spawn(node.kubelet.clone(), &node.scope);

    let client =
        authority.issue_client("kube-apiserver", Some("system:masters"), day, now).expect("a certificate");
    let cases = [(Some(&client), "200 OK", "hello\n"), (None, "401 Unauthorized", "Unauthorized")];
    for (identity, status, want) in cases {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.certificate().clone()).expect("an authority");
        let config = rustls::ClientConfig::builder_with_provider(portolan_net::tls::provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let config = match identity {
            Some(identity) => config
                .with_client_auth_cert(identity.chain().to_vec(), identity.key().clone_key())
                .expect("a certificate"),
            None => config.with_no_client_auth(),
        };
        let stream = tokio::net::TcpStream::connect(address).await.expect("connects");
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let mut stream = connector.connect(local.into(), stream).await.expect("handshake");
        let request =
            "GET /containerLogs/default/box/box HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.expect("writes");
        let mut answer = String::new();
        timeout(DEADLINE, stream.read_to_string(&mut answer)).await.expect("an end").expect("reads");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")) && answer.contains(want), "{answer}");
    }
    node.scope.drain(DEADLINE).await.expect("sessions end");
}
