//! TLS settings of our servers: TLS 1.2 and 1.3 with ring, HTTP/2 before HTTP/1.1, optional client certificates.
//!
//! The certificate can be replaced while the server runs. Open connections are not affected.

mod accept_any;
mod system_roots;
mod trusted;
mod verified_later;

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, VerifierBuilderError, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::pki::Identity;
use verified_later::VerifiedLater;

pub use accept_any::accept_any;
pub use system_roots::system_roots;
pub use trusted::{TrustError, trusting};

/// ALPN names, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The server's certificate and key do not match, or are of an unsupported kind.
    #[error("the server's certificate cannot be used")]
    Identity(#[source] rustls::Error),
    /// A client authority is not a certificate.
    #[error("a client authority cannot be used")]
    Authority(#[source] rustls::Error),
    /// There is no client authority to verify with.
    #[error("client certificates cannot be verified")]
    Verifier(#[source] VerifierBuilderError),
    /// The cryptography does not support the protocol versions.
    #[error("no usable protocol version")]
    Versions(#[source] rustls::Error),
}

/// The cryptography of every connection. No process-wide default is used.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The certificate that a server presents; replaceable at any time. Clones share state.
#[derive(Debug, Clone)]
pub struct ServerCertificate(Arc<ArcSwap<CertifiedKey>>);

impl ServerCertificate {
    /// Presents `identity`.
    ///
    /// # Errors
    /// [`TlsError::Identity`].
    pub fn new(identity: &Identity) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(certified(identity)?))))
    }

    /// Presents `identity` to every client that connects from now on.
    ///
    /// # Errors
    /// [`TlsError::Identity`]; the previous certificate stays.
    pub fn replace(&self, identity: &Identity) -> Result<(), TlsError> {
        self.0.store(Arc::new(certified(identity)?));
        Ok(())
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

fn certified(identity: &Identity) -> Result<CertifiedKey, TlsError> {
    CertifiedKey::from_der(identity.chain().to_vec(), identity.key().clone_key(), &provider())
        .map_err(TlsError::Identity)
}

/// Policy for client certificates.
#[derive(Debug, Clone)]
pub enum ClientCertificates {
    /// Clients are not asked for a certificate.
    Ignored,
    /// Clients may present a certificate signed by one of these authorities; without one they are anonymous to TLS. A client
    /// with any other certificate is told from both.
    SignedBy(Vec<CertificateDer<'static>>),
}

/// The settings of a server. Clones share state.
#[derive(Debug, Clone)]
pub struct ServerTls {
    settings: Arc<ServerConfig>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
}

impl ServerTls {
    /// The settings of the handshake. It does not verify the certificate of a client: [`Self::trusts`] does.
    pub fn settings(&self) -> &Arc<ServerConfig> {
        &self.settings
    }

    /// The same settings with other ALPN names, the preferred one first.
    #[must_use]
    pub fn with_protocols(mut self, names: &[&[u8]]) -> Self {
        let mut settings = ServerConfig::clone(&self.settings);
        settings.alpn_protocols = names.iter().map(|name| name.to_vec()).collect();
        self.settings = Arc::new(settings);
        self
    }

    /// Whether a client's chain, its own certificate first, is that of one of the client authorities, and valid now.
    pub fn trusts(&self, chain: &[CertificateDer<'_>]) -> bool {
        match (&self.clients, chain) {
            (Some(clients), [own, others @ ..]) => {
                clients.verify_client_cert(own, others, UnixTime::now()).is_ok()
            }
            _ => false,
        }
    }
}

/// The settings of a server.
///
/// # Errors
/// [`TlsError`] when the client authorities cannot be used.
pub fn server_config(
    certificate: ServerCertificate,
    clients: &ClientCertificates,
) -> Result<ServerTls, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Versions)?;
    let (builder, clients) = match clients {
        ClientCertificates::Ignored => (builder.with_no_client_auth(), None),
        ClientCertificates::SignedBy(authorities) => {
            let mut roots = RootCertStore::empty();
            for authority in authorities {
                roots.add(authority.clone()).map_err(TlsError::Authority)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
                .allow_unauthenticated()
                .build()
                .map_err(TlsError::Verifier)?;
            let later = VerifiedLater(Arc::clone(&verifier));
            (builder.with_client_cert_verifier(Arc::new(later)), Some(verifier))
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(certificate));
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    Ok(ServerTls { settings: Arc::new(config), clients })
}
