use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use portolan_api::resources;
use portolan_net::clock::ManualClock;
use portolan_net::tls::provider;
use portolan_object::Object;
use portolan_runtime::client::{KubeconfigContext, KubeconfigFiles};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::*;
use crate::kubeconfig::KubeconfigFile;

const MINUTE: Duration = Duration::from_secs(60);
/// Certificates are valid from an hour before their issue, so two thirds of their life end 20 minutes after it.
const LIFETIME: Duration = Duration::from_secs(3600);
/// Longest wait for something that takes milliseconds.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A server with certificates of an hour, and the hand of its clock.
struct Running {
    server: EmbeddedServer,
    hand: ManualClock,
    scope: Shutdown,
    directory: TempDir,
}

impl Running {
    async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (clock, hand) = Clock::manual(Timestamp::now());
        let scope = Shutdown::new();
        let settings = Settings {
            name: "test",
            directory: directory.path(),
            service_cidr: ServiceCidr::default(),
            address: None,
            advertise_address: None,
            tls_sans: &[],
            endpoint: None,
            admission: Vec::new(),
            kubelets: None,
            backends: None,
            mounted: None,
            options: crate::ApiServerOptions::default(),
            certificates: CertificatePolicy { lifetime: LIFETIME, check_interval: Duration::from_millis(5) },
            metrics: None,
            clock: &clock,
        };
        let server = EmbeddedServer::start(settings, &scope).await.expect("started");
        Self { server, hand, scope, directory }
    }

    fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("admin.config")
    }

    /// A client of a new connection, as kubectl would make it.
    async fn client(&self) -> Client {
        let context = KubeconfigContext::load(&KubeconfigFiles::Named(self.kubeconfig()), None).await;
        context.expect("a kubeconfig").client().expect("a client")
    }

    async fn connect(&self) -> Connection {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.server.ca_pem.as_bytes()).expect("PEM")).expect("a CA");
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.server.address).await.expect("a connection");
        let name = ServerName::from(self.server.address.ip());
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("TLS");
        let shown = stream.get_ref().1.peer_certificates().expect("a certificate")[0].to_vec();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(connection);
        Connection { sender, shown }
    }

    async fn stop(self) {
        self.server.drain();
        self.scope.drain(TIMEOUT).await.expect("ended");
        self.server.close().await;
    }
}

/// An open connection, and the certificate that the server showed on it.
struct Connection {
    sender: http1::SendRequest<Empty<Bytes>>,
    shown: Vec<u8>,
}

impl Connection {
    async fn status(&mut self) -> u16 {
        let request = hyper::Request::get("/healthz").header("host", "localhost").body(Empty::new());
        self.sender.send_request(request.expect("a request")).await.expect("an answer").status().as_u16()
    }
}

async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(started.elapsed() < TIMEOUT, "{what} did not happen within {TIMEOUT:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_renewed_while_clients_stay_connected() {
    let running = Running::start().await;
    KubeconfigFile::new(&running.kubeconfig(), vec![running.server.administrator("admin")])
        .keep_written(&running.scope)
        .expect("written");
    let first_kubeconfig = fs::read_to_string(running.kubeconfig()).expect("a file");
    let mut old = running.connect().await;
    let old_client = running.client().await;
    assert_eq!(old.status().await, 200);
    old_client.text("/api").await.expect("an administrator may do everything");
    let expiries = running.server.certificates().expiries();

    running.hand.advance(MINUTE * 15);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(running.connect().await.shown, old.shown, "not due yet");
    assert_eq!(running.server.certificates().expiries(), expiries);

    running.hand.advance(MINUTE * 10);
    let mut new = eventually("a new serving certificate", async || {
        Some(running.connect().await).filter(|connection| connection.shown != old.shown)
    })
    .await;
    eventually("a new kubeconfig", async || {
        let kubeconfig = fs::read_to_string(running.kubeconfig()).expect("a file");
        (kubeconfig != first_kubeconfig).then_some(())
    })
    .await;
    assert_eq!((old.status().await, new.status().await), (200, 200), "open connections stay");
    old_client.text("/api").await.expect("the old client certificate is still valid");
    running.client().await.text("/api").await.expect("the new one is valid");
    for (before, after) in expiries.iter().zip(running.server.certificates().expiries()) {
        assert_eq!(after.not_after > before.not_after, before.certificate != "authority", "{after:?}");
    }

    running.hand.advance(MINUTE * 45);
    let expired = old_client.text("/api").await.expect_err("certificates are checked for each request");
    assert_eq!(expired.status().map(|status| status.code), Some(401), "{expired}");
    running.stop().await;
}

/// What every API server does, that of the control plane and those of members: it fills Secrets with tokens, and says how
/// to reach it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_get_tokens_and_cluster_info_is_published() {
    let running = Running::start().await;
    let client = &running.server.client;
    let account = json!({ "metadata": { "name": "robot", "namespace": "default" } });
    client.resource(&resources::SERVICE_ACCOUNT.into()).create(&Object(account)).await.expect("created");
    let annotations = json!({ "kubernetes.io/service-account.name": "robot" });
    let secret = json!({ "metadata": { "name": "robot", "namespace": "default", "annotations": annotations },
                         "type": "kubernetes.io/service-account-token" });
    client.resource(&resources::SECRET.into()).create(&Object(secret)).await.expect("created");
    let filled = eventually("a token", async || {
        let found: Value =
            client.json("/api/v1/namespaces/default/secrets/robot").await.expect("it is there");
        Some(found).filter(|found| found["data"]["token"].is_string())
    })
    .await;
    assert_eq!(filled["data"]["ca.crt"], STANDARD.encode(&running.server.ca_pem));
    let path = "/api/v1/namespaces/kube-public/configmaps/cluster-info";
    let info: Value = client.json(path).await.expect("it is there");
    let kubeconfig = info["data"]["kubeconfig"].as_str().expect("a text");
    for part in [STANDARD.encode(&running.server.ca_pem), format!("server: {}", running.server.url)] {
        assert!(kubeconfig.contains(&part), "{kubeconfig}");
    }
    running.stop().await;
}
