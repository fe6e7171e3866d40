//! One request over HTTPS to a server that an administrator has configured: a webhook, or an OpenID Connect provider. The
//! size of the answer is bounded, redirects are not followed, and the caller limits the time.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{InvalidDnsNameError, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpsError {
    /// No connection.
    #[error("dial tcp {host}:{port}: {source}")]
    Dial { host: String, port: u16, source: io::Error },
    /// No certificate can have the name.
    #[error(transparent)]
    Name(#[from] InvalidDnsNameError),
    /// The server is not the one that is wanted, or speaks no TLS.
    #[error("tls: {0}")]
    Tls(io::Error),
    /// The exchange was broken off.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// A refusal.
    #[error("the server answered {0}")]
    Status(StatusCode),
    /// The body of the answer.
    #[error("the answer cannot be read, or has more than {max} bytes: {source}")]
    Body { max: usize, source: Box<dyn std::error::Error + Send + Sync> },
}

/// Sends requests to servers with certificates of known authorities.
#[derive(Debug, Clone)]
pub(crate) struct HttpsClient(Arc<ClientConfig>);

impl HttpsClient {
    /// Trusts the authorities.
    ///
    /// # Errors
    /// When TLS cannot be used.
    pub(crate) fn trusting(roots: RootCertStore) -> Result<Self, rustls::Error> {
        let config = ClientConfig::builder_with_provider(portolan_net::tls::provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// Connects to `address`, where the server has a certificate with `name`, and returns the body of its answer, of at most
    /// `max` bytes. Dropping the future ends the connection.
    ///
    /// # Errors
    /// [`HttpsError`], also for an answer that is no success.
    pub(crate) async fn send(
        &self,
        (host, port): (&str, u16),
        name: &str,
        request: Request<Full<Bytes>>,
        max: usize,
    ) -> Result<Bytes, HttpsError> {
        let dialed = TcpStream::connect((host, port)).await;
        let stream = dialed.map_err(|source| HttpsError::Dial { host: host.to_owned(), port, source })?;
        let name = ServerName::try_from(name.to_owned())?;
        let stream = TlsConnector::from(Arc::clone(&self.0)).connect(name, stream).await;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream.map_err(HttpsError::Tls)?)).await?;
        let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
        let answer = sender.send_request(request).await?;
        if !answer.status().is_success() {
            return Err(HttpsError::Status(answer.status()));
        }
        let whole = Limited::new(answer.into_body(), max).collect().await;
        whole.map(|whole| whole.to_bytes()).map_err(|source| HttpsError::Body { max, source })
    }
}
