//! A client of the Kubernetes API that checks nothing before it sends.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificates::Identity;

/// Longer than the server's own time limit of requests.
const TIMEOUT: Duration = Duration::from_secs(75);

/// Media types of bodies.
pub(crate) mod media {
    pub(crate) const JSON: &str = "application/json";
    pub(crate) const YAML: &str = "application/yaml";
    pub(crate) const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
    pub(crate) const JSON_PATCH: &str = "application/json-patch+json";
    pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";
    pub(crate) const STRATEGIC_PATCH: &str = "application/strategic-merge-patch+json";
    pub(crate) const APPLY_PATCH: &str = "application/apply-patch+yaml";
}

/// An answer as a whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).context("the answer is no JSON")
    }

    pub(crate) fn is_refusal(&self) -> bool {
        self.status >= 400
    }

    /// The message of a Status, or the beginning of the body.
    pub(crate) fn message(&self) -> String {
        let message = self.json().ok().and_then(|status| Some(status["message"].as_str()?.to_owned()));
        let text = message.unwrap_or_else(|| String::from_utf8_lossy(&self.body).into_owned());
        text.chars().take(200).collect()
    }
}

/// The server, and the identity of the client.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    roots: Arc<RootCertStore>,
    /// The authority of the server, as PEM.
    authority: String,
    tls: Arc<ClientConfig>,
    bearer: Option<String>,
    timeout: Duration,
}

fn trusting(roots: &Arc<RootCertStore>) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots.clone()))
}

impl Client {
    /// The server and the user of a kubeconfig with a client certificate.
    pub(crate) fn of_kubeconfig(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).context("cannot read the kubeconfig")?;
        let config: Value = serde_saphyr::from_str(&text).context("the kubeconfig is no YAML")?;
        let field = |path: &str| {
            config
                .pointer(path)
                .and_then(Value::as_str)
                .with_context(|| format!("the kubeconfig has no {path}"))
        };
        let server = field("/clusters/0/cluster/server")?;
        let address = server.trim_start_matches("https://").trim_end_matches('/').parse()?;
        let decode = |path: &str| Ok::<_, anyhow::Error>(STANDARD.decode(field(path)?)?);
        let mut roots = RootCertStore::empty();
        let authority = decode("/clusters/0/cluster/certificate-authority-data")?;
        for certificate in CertificateDer::pem_slice_iter(&authority) {
            roots.add(certificate?)?;
        }
        let chain = decode("/users/0/user/client-certificate-data")?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain).collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(&decode("/users/0/user/client-key-data")?)?;
        let roots = Arc::new(roots);
        let tls = trusting(&roots)?.with_client_auth_cert(chain, key)?;
        let authority = String::from_utf8(authority)?;
        Ok(Self { address, roots, authority, tls: Arc::new(tls), bearer: None, timeout: TIMEOUT })
    }

    /// A client of the same server with a token instead of a certificate.
    pub(crate) fn with_token(&self, token: &str) -> Result<Self> {
        let tls = Arc::new(trusting(&self.roots)?.with_no_client_auth());
        Ok(Self { tls, bearer: Some(token.to_owned()), ..self.clone() })
    }

    /// A client of the same server with another certificate.
    pub(crate) fn with_certificate(&self, identity: Identity) -> Result<Self> {
        let tls = trusting(&self.roots)?.with_client_auth_cert(identity.chain, identity.key)?;
        Ok(Self { tls: Arc::new(tls), bearer: None, ..self.clone() })
    }

    /// A kubeconfig for the same server with a token.
    pub(crate) fn kubeconfig_with_token(&self, token: &str) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {
                "server": format!("https://{}", self.address),
                "certificate-authority-data": STANDARD.encode(&self.authority),
            }}],
            "users": [{"name": "c", "user": {"token": token}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        })
        .to_string()
    }

    /// The same with another time limit.
    pub(crate) fn within(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens a TLS connection that offers one protocol.
    pub(crate) async fn connect(&self, protocol: &[u8]) -> Result<TlsStream<TcpStream>> {
        let mut tls = (*self.tls).clone();
        tls.alpn_protocols = vec![protocol.to_vec()];
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
        Ok(TlsConnector::from(Arc::new(tls)).connect(name, stream).await?)
    }

    /// Sends a request without a body.
    pub(crate) async fn request(&self, method: &Method, path: &str) -> Result<Answer> {
        self.send(method, path, "", Bytes::new()).await
    }

    /// Sends a body.
    pub(crate) async fn send(
        &self,
        method: &Method,
        path: &str,
        media_type: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer> {
        let request = self.prepare(method, path, media_type, body.into())?;
        match tokio::time::timeout(self.timeout, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => bail!("no answer within {:?}", self.timeout),
        }
    }

    /// Sends JSON by POST.
    pub(crate) async fn create(&self, path: &str, object: &Value) -> Result<Answer> {
        self.send(&Method::POST, path, media::JSON, object.to_string()).await
    }

    fn prepare(
        &self,
        method: &Method,
        path: &str,
        media_type: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>> {
        let mut request =
            Request::builder().method(method).uri(path).header("host", self.address.to_string());
        if !media_type.is_empty() {
            request = request.header("content-type", media_type);
        }
        if let Some(bearer) = &self.bearer {
            let value = HeaderValue::from_str(&format!("Bearer {bearer}"))?;
            request = request.header(HeaderName::from_static("authorization"), value);
        }
        Ok(request.body(Full::new(body))?)
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer> {
        let stream = TokioIo::new(self.connect(b"http/1.1").await?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        connection.abort();
        Ok(Answer { status, body })
    }
}
