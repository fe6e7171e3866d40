//! Connections to a remote API server: HTTP/2 if the server offers it, HTTP/1.1 otherwise.
//!
//! kube's connector speaks HTTP/1.1 only and needs a TLS connection for each open watch: thousands with hundreds of
//! members. Here all requests and watches of one client share one HTTP/2 connection. The latency that the implementation on
//! `h2` saves is in the documentation of `http2`.
//!
//! ```text
//! Endpoint ─► http_service: absolute paths, credential ─► Link: one shared connection ─┬─► http2: on h2
//!                                                                                      └─► http1: pool of hyper
//! ```

mod dial;
mod http1;
mod http2;
pub(super) mod identity;
mod link;
mod protocol;

use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, Request, Response, Uri, header, uri};
use portolan_net::tls::{TrustError, accept_any, trusting};
use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tower::{Service, ServiceExt, service_fn};

use crate::client::error::BoxError;
use crate::client::transport::{Body, Transport};
pub use dial::Dialer;
use dial::Target;
use link::Link;

/// Extension of a request that needs a connection of its own, over HTTP/1.1, because it upgrades it.
#[derive(Debug, Clone, Copy)]
pub(super) struct OneConnection;

/// Credential of the client.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Credential {
    /// None.
    #[default]
    Anonymous,
    /// A bearer token.
    Token(String),
    /// A client certificate chain and its key, both in PEM.
    Certificate {
        /// Leaf first.
        chain_pem: Vec<u8>,
        /// PKCS#8, PKCS#1 or SEC1.
        key_pem: Vec<u8>,
    },
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Token(_) => "Token(..)",
            Self::Certificate { .. } => "Certificate(..)",
        })
    }
}

/// Address of an API server, its CA and the credential for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// A URL such as `https://10.0.0.1:6443`. Its path is a prefix of each request's path.
    pub url: String,
    /// The CA of the server's certificate, PEM.
    pub ca_pem: Vec<u8>,
    /// Credential of the client.
    pub credential: Credential,
    /// Accept any certificate. Anyone on the network path can then read and change all traffic.
    pub insecure_skip_verify: bool,
    /// The server is reached only through the tunnel that the agent of its cluster has opened; the address serves to verify
    /// it.
    pub is_tunnelled: bool,
}

/// Why an [`Endpoint`] cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is malformed, has no host, or is neither http nor https.
    #[error("{url:?} is not the address of an API server: {reason}")]
    Address {
        /// The URL.
        url: String,
        /// Cause.
        reason: String,
    },
    /// The CA is not a PEM certificate, or missing.
    #[error("the CA bundle for {url} cannot be used: {reason}")]
    Authority {
        /// The server.
        url: String,
        /// Cause.
        reason: String,
    },
    /// The token or the client certificate cannot be used.
    #[error("the credential for {url} cannot be used: {reason}")]
    Credential {
        /// The server.
        url: String,
        /// Cause.
        reason: String,
    },
}

/// Builds the transport. Sends nothing.
pub(super) fn transport(endpoint: Endpoint, dialer: Option<Dialer>) -> Result<Transport, ConnectError> {
    let base = Base::parse(&endpoint.url)?;
    let tls = if base.is_tls() { Some(tls_config(&endpoint)?) } else { None };
    let authorization = authorization(&endpoint)?;
    let service = http_service(&base, tls, None, dialer)?;
    let service = service.map_request(move |mut request: Request<Body>| {
        if let Some(value) = &authorization {
            request.headers_mut().insert(header::AUTHORIZATION, value.clone());
        }
        request
    });
    Ok(Transport::new(service, endpoint.url))
}

fn authorization(endpoint: &Endpoint) -> Result<Option<HeaderValue>, ConnectError> {
    let Credential::Token(token) = &endpoint.credential else { return Ok(None) };
    let value = HeaderValue::from_str(&format!("Bearer {}", token.trim()));
    let mut value = value.map_err(|_| ConnectError::Credential {
        url: endpoint.url.clone(),
        reason: "token contains characters not allowed in an HTTP header".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// The parsed address of a server.
#[derive(Debug, Clone)]
pub(super) struct Base {
    url: String,
    scheme: uri::Scheme,
    authority: uri::Authority,
    prefix: String,
}

impl Base {
    pub(super) fn parse(url: &str) -> Result<Self, ConnectError> {
        let invalid = |reason: &str| ConnectError::Address { url: url.to_owned(), reason: reason.to_owned() };
        let uri: Uri = url.parse().map_err(|error| invalid(&format!("{error}")))?;
        let parts = uri.into_parts();
        let scheme = parts.scheme.ok_or_else(|| invalid("it does not start with https://"))?;
        if scheme != uri::Scheme::HTTP && scheme != uri::Scheme::HTTPS {
            return Err(invalid("only http and https are known"));
        }
        let authority = parts.authority.ok_or_else(|| invalid("it has no host"))?;
        if let Some((_, host)) = authority.as_str().rsplit_once('@') {
            // The password is in no message.
            let url = format!("{scheme}://{host}");
            let reason = "it contains a user or a password, which an API server does not get from its address: give a token, a \
                          client certificate, or `username` and `password` of the kubeconfig";
            return Err(ConnectError::Address { url, reason: reason.to_owned() });
        }
        if parts.path_and_query.as_ref().is_some_and(|path| path.query().is_some()) {
            return Err(invalid("it has a query, which no request would contain: leave it out"));
        }
        let prefix = parts.path_and_query.map(|path| path.path().trim_end_matches('/').to_owned());
        Ok(Self { url: url.to_owned(), scheme, authority, prefix: prefix.unwrap_or_default() })
    }

    fn is_tls(&self) -> bool {
        self.scheme == uri::Scheme::HTTPS
    }

    /// Host without brackets, and port.
    fn host_port(&self) -> (String, u16) {
        let host = self.authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let default = if self.is_tls() { 443 } else { 80 };
        (host, self.authority.port_u16().unwrap_or(default))
    }

    /// Makes a request's path absolute.
    fn absolute(&self, uri: &Uri) -> Uri {
        let path = uri.path_and_query().map_or("/", uri::PathAndQuery::as_str);
        let full = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{}{path}", self.prefix))
            .build();
        full.unwrap_or_else(|_| uri.clone())
    }
}

/// A service that makes paths absolute and sends the requests to the server.
pub(super) fn http_service(
    base: &Base,
    tls: Option<ClientConfig>,
    server_name: Option<&str>,
    dialer: Option<Dialer>,
) -> Result<
    impl Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static,
    ConnectError,
> {
    let (host, port) = base.host_port();
    let tls = match tls {
        Some(config) => {
            let name = ServerName::try_from(server_name.unwrap_or(&host).to_owned());
            let name = name.map_err(|error| ConnectError::Address {
                url: base.url.clone(),
                reason: format!("{error}"),
            })?;
            Some((config, name))
        }
        None => None,
    };
    let (base, link) = (base.clone(), Link::new(Target::new(host, port, tls).through(dialer)));
    Ok(service_fn(move |mut request: Request<Body>| {
        *request.uri_mut() = base.absolute(request.uri());
        link.clone().send(request)
    }))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// TLS settings with the trust and the credential of an endpoint, for HTTP/2 to another server than an API server.
///
/// # Errors
/// When the CA or the credential cannot be read.
pub fn http_2_config(endpoint: &Endpoint) -> Result<ClientConfig, ConnectError> {
    let mut config = tls_config(endpoint)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// TLS settings with the trust of an endpoint, for HTTP/1.1: its connections can be upgraded.
///
/// # Errors
/// When the CA or the credential cannot be read.
pub fn http_1_config(endpoint: &Endpoint) -> Result<ClientConfig, ConnectError> {
    tls_config(endpoint)
}

/// Where an API server listens, from its URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Prefix of each path, without a slash at its end.
    pub prefix: String,
    /// Whether it speaks TLS.
    pub is_tls: bool,
}

impl Address {
    /// Reads a URL such as `https://10.0.0.1:6443`.
    ///
    /// # Errors
    /// [`ConnectError::Address`].
    pub fn parse(url: &str) -> Result<Self, ConnectError> {
        let base = Base::parse(url)?;
        let (host, port) = base.host_port();
        Ok(Self { host, port, is_tls: base.is_tls(), prefix: base.prefix })
    }
}

fn tls_config(endpoint: &Endpoint) -> Result<ClientConfig, ConnectError> {
    let authority = |reason: String| ConnectError::Authority { url: endpoint.url.clone(), reason };
    let credential = |reason: String| ConnectError::Credential { url: endpoint.url.clone(), reason };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| authority(error.to_string()))?;
    let builder = if endpoint.insecure_skip_verify {
        builder.dangerous().with_custom_certificate_verifier(accept_any())
    } else {
        let verifier = verifier(&endpoint.ca_pem).map_err(|error| authority(error.to_string()))?;
        builder.dangerous().with_custom_certificate_verifier(verifier)
    };
    match &endpoint.credential {
        Credential::Certificate { chain_pem, key_pem } => {
            let resolver =
                identity::resolver(chain_pem, key_pem).map_err(|error| credential(error.to_string()))?;
            Ok(builder.with_client_cert_resolver(resolver))
        }
        Credential::Anonymous | Credential::Token(_) => Ok(builder.with_no_client_auth()),
    }
}

/// Why PEM text is not usable as certificates.
#[derive(Debug, thiserror::Error)]
enum CertificateError {
    #[error(transparent)]
    Pem(#[from] rustls_pki_types::pem::Error),
    #[error(transparent)]
    Invalid(#[from] TrustError),
    #[error("it holds no certificate")]
    Empty,
}

fn verifier(ca_pem: &[u8]) -> Result<Arc<dyn ServerCertVerifier>, CertificateError> {
    let authorities: Vec<_> = CertificateDer::pem_slice_iter(ca_pem).collect::<Result<_, _>>()?;
    if authorities.is_empty() {
        return Err(CertificateError::Empty);
    }
    Ok(trusting(authorities)?)
}

#[cfg(test)]
mod tests;
