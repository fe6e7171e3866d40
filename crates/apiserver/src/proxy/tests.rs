use std::convert::Infallible;
use std::net::SocketAddr;

use http_body_util::Full;
use hyper_util::rt::TokioIo;
use portolan_net::pki::{Authority, ServerNames};
use portolan_net::server::{PeerIdentity, Server, listen};
use portolan_net::tls::{ClientCertificates, ServerCertificate, server_config};
use portolan_object::Object;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::backend::MAX_CONNECTIONS as MAX_FORWARDED;
use super::*;
use crate::auth::User;
use crate::request::query::Query;
use crate::respond;

mod targets;

const TIMEOUT: Duration = Duration::from_secs(20);
const DAY: Duration = Duration::from_secs(86_400);

fn loopback() -> tokio::net::TcpListener {
    listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap()
}

/// A kubelet that replies with the request, and echoes upgraded connections until they are half closed.
async fn kubelet(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_known = request.extensions().get::<PeerIdentity>().is_some_and(|peer| peer.0.is_some());
    if !is_known {
        return Ok(plain(401, "Unauthorized"));
    }
    let asked = request.uri().path_and_query().unwrap().to_string();
    if asked.starts_with("/containerLogs/n/waiting") {
        return Ok(plain(400, "container \"c\" in pod \"waiting\" is waiting to start: ContainerCreating\n"));
    }
    if asked.starts_with("/containerLogs/n/gone") {
        return Ok(plain(404, "pod does not exist"));
    }
    if asked.starts_with("/containerLogs") {
        return Ok(plain(200, &asked));
    }
    if asked.starts_with("/attach") {
        return Ok(plain(403, "no protocol in common"));
    }
    let seen: Vec<String> =
        request.headers().iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut connection = TokioIo::new(upgraded.await.unwrap());
        connection.write_all(format!("{asked}\n{}\n\n", seen.join("\n")).as_bytes()).await.unwrap();
        let mut received = Vec::new();
        connection.read_to_end(&mut received).await.unwrap();
        // The kubelet replies after the client has ended, so half-closed connections must be forwarded.
        connection.write_all(&received).await.unwrap();
        connection.shutdown().await.unwrap();
    });
    let mut response = plain(101, "");
    response.headers_mut().insert("connection", HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert("upgrade", HeaderValue::from_static("SPDY/3.1"));
    response.headers_mut().insert("x-secret", HeaderValue::from_static("1"));
    Ok(response)
}

fn plain(code: u16, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())));
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

/// A client for a fake kubelet, the port, and the scope of both.
fn cluster() -> (Kubelets, u16, Shutdown) {
    let now = jiff::Timestamp::now();
    let shutdown = Shutdown::new();
    let authority = Authority::create("test", now).unwrap();
    let names = ServerNames {
        common_name: "kubelet".to_owned(),
        dns: Vec::new(),
        addresses: vec![std::net::IpAddr::from([127, 0, 0, 1])],
    };
    let serving = ServerCertificate::new(&authority.issue_server(&names, DAY, now).unwrap()).unwrap();
    let trusted = vec![authority.certificate().clone()];
    let tls = server_config(serving, &ClientCertificates::SignedBy(trusted.clone())).unwrap();
    let listener = loopback();
    let port = listener.local_addr().unwrap().port();
    Server::tls(listener, tls).spawn(tower::service_fn(kubelet), &shutdown);
    let identity = authority.issue_client("apiserver", Some("system:masters"), DAY, now).unwrap();
    let tls = client_config(&trusted, &identity).unwrap();
    (Kubelets::new(Arc::new(DirectDialer), tls, &shutdown), port, shutdown)
}

fn pod(name: &str) -> Object {
    Object(
        json!({ "metadata": { "namespace": "n", "name": name }, "spec": { "nodeName": "node", "containers": [{ "name": "c" }] } }),
    )
}

fn node(port: u16) -> Object {
    Object(json!({ "metadata": { "name": "node" }, "status": {
        "addresses": [{ "type": "InternalIP", "address": "127.0.0.1" }],
        "daemonEndpoints": { "kubeletEndpoint": { "Port": port } } } }))
}

fn target(action: PodAction, pod: &Object, query: &str, port: u16) -> KubeletTarget {
    KubeletTarget::locate(action, pod, &Query::parse(query), |_| Some(node(port))).unwrap().unwrap()
}

async fn logs(kubelets: &Kubelets, name: &str, port: u16) -> Result<String, Status> {
    let target = target(PodAction::Logs, &pod(name), "tailLines=2&follow=true", port);
    let answer = kubelets.forward(&target, Request::new(())).await?;
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn logs_are_forwarded_from_the_node() {
    let (kubelets, port, shutdown) = cluster();
    assert_eq!(logs(&kubelets, "p", port).await.unwrap(), "/containerLogs/n/p/c?follow=true&tailLines=2");
    let waiting = logs(&kubelets, "waiting", port).await.unwrap_err();
    assert_eq!((waiting.code, waiting.reason.as_str()), (400, "BadRequest"));
    assert_eq!(waiting.message, r#"container "c" in pod "waiting" is waiting to start: ContainerCreating"#);
    let gone = logs(&kubelets, "gone", port).await.unwrap_err();
    assert_eq!(
        (gone.code, gone.message.as_str()),
        (404, "the server could not find the requested resource ( pods/log gone)")
    );
    shutdown.request();
    shutdown.drain(TIMEOUT).await.unwrap();
    assert_eq!(
        kubelets.connections.available_permits(),
        MAX_CONNECTIONS,
        "every stream has given its place back"
    );
}

#[tokio::test]
async fn a_node_that_cannot_be_reached_is_named() {
    let (kubelets, _, _shutdown) = cluster();
    let closed = loopback().local_addr().unwrap().port();
    let status = logs(&kubelets, "p", closed).await.unwrap_err();
    assert_eq!((status.code, status.reason.as_str()), (500, "InternalError"));
    let want = format!("error dialing backend: dial tcp 127.0.0.1:{closed}: ");
    assert!(status.message.starts_with(&want), "{status}");
}

#[tokio::test]
async fn a_kubelet_that_another_authority_signed_is_not_trusted() {
    let (kubelets, _, _shutdown) = cluster();
    let (_, stranger, _other) = cluster();
    let status = logs(&kubelets, "p", stranger).await.unwrap_err();
    assert!(status.message.contains("certificate"), "{status}");
}

#[tokio::test]
async fn streams_need_an_upgrade() {
    let (kubelets, port, _shutdown) = cluster();
    let target = target(PodAction::Exec, &pod("p"), "command=a", port);
    let status = kubelets.forward(&target, Request::new(())).await.unwrap_err();
    assert_eq!((status.code, status.message.as_str()), (400, "Upgrade request required"));
}

/// An API server that only forwards, and a connection of a client to it.
async fn client(kubelets: &Kubelets, target: KubeletTarget, shutdown: &Shutdown) -> TcpStream {
    let listener = loopback();
    let address = listener.local_addr().unwrap();
    let kubelets = kubelets.clone();
    let service = tower::service_fn(move |request: Request<Incoming>| {
        let (kubelets, target) = (kubelets.clone(), target.clone());
        async move {
            let answer = kubelets.forward(&target, request).await;
            Ok::<_, Infallible>(answer.unwrap_or_else(|status| {
                respond::plain_text(StatusCode::from_u16(status.code).unwrap(), status.message)
            }))
        }
    });
    Server::plain(listener).spawn(service, shutdown);
    TcpStream::connect(address).await.unwrap()
}

async fn read_head(connection: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tokio::time::timeout(TIMEOUT, connection.read_u8()).await.expect("an answer").unwrap());
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

const UPGRADE: &str = "POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\
    X-Stream-Protocol-Version: v4.channel.k8s.io\r\nX-Stream-Protocol-Version: channel.k8s.io\r\n\
    Sec-WebSocket-Protocol: v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.c2VjcmV0\r\n\
    Authorization: Bearer secret\r\n\r\n";

#[tokio::test]
async fn streams_are_forwarded_both_ways_and_half_closed() {
    let (kubelets, port, shutdown) = cluster();
    let target = target(
        PodAction::Exec,
        &pod("p"),
        "container=c&command=echo&command=a+b&stdin=true&stdout=1&tty=false",
        port,
    );
    let mut connection = client(&kubelets, target, &shutdown).await;
    connection.write_all(UPGRADE.as_bytes()).await.unwrap();
    let head = read_head(&mut connection).await;
    assert!(head.starts_with("http/1.1 101"), "{head}");
    assert!(head.contains("upgrade: spdy/3.1"), "{head}");
    assert!(!head.contains("x-secret"), "only what belongs to the upgrade comes back: {head}");
    let sent = vec![b'x'; 200_000];
    connection.write_all(&sent).await.unwrap();
    connection.shutdown().await.unwrap();
    let mut received = Vec::new();
    tokio::time::timeout(TIMEOUT, connection.read_to_end(&mut received)).await.expect("an end").unwrap();
    let (report, echo) = received.split_at(received.len() - sent.len());
    assert!(echo == sent, "the echo differs");
    let report = String::from_utf8_lossy(report);
    assert!(report.starts_with("/exec/n/p/c?input=1&output=1&command=echo&command=a+b\n"), "{report}");
    assert!(report.contains("x-stream-protocol-version: \"channel.k8s.io\""), "{report}");
    assert!(report.contains("sec-websocket-protocol: \"v5.channel.k8s.io\"\n"), "{report}");
    assert!(!report.contains("secret") && !report.contains("c2VjcmV0"), "credentials stay: {report}");
}

#[tokio::test]
async fn a_refused_upgrade_reaches_the_client() {
    let (kubelets, port, shutdown) = cluster();
    let target = target(PodAction::Attach, &pod("p"), "", port);
    let mut connection = client(&kubelets, target, &shutdown).await;
    connection.write_all(UPGRADE.as_bytes()).await.unwrap();
    let head = read_head(&mut connection).await;
    assert!(head.starts_with("http/1.1 403"), "{head}");
    let mut text = [0; 21];
    tokio::time::timeout(TIMEOUT, connection.read_exact(&mut text)).await.expect("a text").unwrap();
    assert_eq!(&text, b"no protocol in common");
}

#[tokio::test]
async fn open_streams_end_with_the_server() {
    let (kubelets, port, shutdown) = cluster();
    let target = target(PodAction::PortForward, &pod("p"), "ports=80", port);
    let mut connection = client(&kubelets, target, &shutdown).await;
    connection.write_all(UPGRADE.as_bytes()).await.unwrap();
    assert!(read_head(&mut connection).await.starts_with("http/1.1 101"));
    shutdown.request();
    let mut rest = Vec::new();
    tokio::time::timeout(TIMEOUT, connection.read_to_end(&mut rest)).await.expect("an end").ok();
    shutdown.drain(TIMEOUT).await.unwrap();
}

/// One other API server, to which everybody is `own`.
struct OneBackend(Backend);

impl Backends for OneBackend {
    fn answers(&self, _: &str, _: &str, _: &str) -> bool {
        true
    }

    fn locate<'a>(&'a self, _: &'a str, _: &'a User) -> Locating<'a> {
        let backend = self.0.clone();
        Box::pin(async move { Ok(backend) })
    }
}

/// A forwarder to the fake kubelet, which answers as any server would.
fn forwarder() -> (Forwarder, Shutdown) {
    let (kubelets, port, shutdown) = cluster();
    let mut identity = http::HeaderMap::new();
    identity.insert("authorization", HeaderValue::from_static("Bearer own"));
    identity.insert("impersonate-user", HeaderValue::from_static("ann"));
    let backend = Backend {
        host: "127.0.0.1".to_owned(),
        port,
        prefix: "/prefix".to_owned(),
        tls: Some(Arc::clone(&kubelets.tls)),
        identity,
        dialer: None,
    };
    (Forwarder::new(Arc::new(OneBackend(backend)), &shutdown), shutdown)
}

/// An API server that only forwards to `api/v1/pods` of another, and a connection of a client to it.
async fn forwarding_client(forwarder: &Forwarder, shutdown: &Shutdown) -> TcpStream {
    let listener = loopback();
    let address = listener.local_addr().unwrap();
    let forwarder = forwarder.clone();
    let service = tower::service_fn(move |request: Request<Incoming>| {
        let forwarder = forwarder.clone();
        async move {
            let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
            let answer = forwarder.forward("eu", "api/v1/pods", &User::anonymous(), request).await;
            Ok::<_, Infallible>(answer.unwrap_or_else(|status| {
                respond::plain_text(StatusCode::from_u16(status.code).unwrap(), status.message)
            }))
        }
    });
    Server::plain(listener).spawn(service, shutdown);
    TcpStream::connect(address).await.unwrap()
}

#[tokio::test]
async fn streams_to_another_server_have_its_identity_and_end_with_the_client() {
    let (forwarder, shutdown) = forwarder();
    let mut connection = forwarding_client(&forwarder, &shutdown).await;
    let request = UPGRADE.replacen("POST / ", "POST /?command=a+b ", 1);
    let claimed =
        request.replacen("Host: x", "Host: x\r\nImpersonate-User: eve\r\nImpersonate-Group: root", 1);
    connection.write_all(claimed.as_bytes()).await.unwrap();
    let head = read_head(&mut connection).await;
    assert!(head.starts_with("http/1.1 101"), "{head}");
    connection.write_all(b"sent").await.unwrap();
    connection.shutdown().await.unwrap();
    let mut received = Vec::new();
    tokio::time::timeout(TIMEOUT, connection.read_to_end(&mut received)).await.expect("an end").unwrap();
    let report = String::from_utf8_lossy(&received);
    assert!(report.starts_with("/prefix/api/v1/pods?command=a+b\n") && report.ends_with("sent"), "{report}");
    assert!(report.contains("authorization: Sensitive") || report.contains("Bearer own"), "{report}");
    assert!(report.contains("impersonate-user: \"ann\""), "{report}");
    for stranger in ["eve", "root", "secret", "c2VjcmV0"] {
        assert!(!report.contains(stranger), "{stranger} in {report}");
    }
    shutdown.request();
    shutdown.drain(TIMEOUT).await.unwrap();
    assert_eq!(forwarder.free(), MAX_FORWARDED, "the stream has given its place back");
}
