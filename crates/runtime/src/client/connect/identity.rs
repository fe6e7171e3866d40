//! The client certificate of a connection.
//!
//! rustls parses a client certificate as X.509 version 3 to check that it fits its key. Some tools make version 1, which
//! API servers and client-go accept; the handshake itself does not read it.

use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, Error};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::provider;

/// Why a client certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::client) enum IdentityError {
    /// The text is not PEM, or holds no key.
    #[error(transparent)]
    Pem(#[from] rustls_pki_types::pem::Error),
    /// The key is of an unknown kind, or the certificate does not fit it.
    #[error(transparent)]
    Unusable(#[from] Error),
    /// The text has no certificate.
    #[error("it holds no certificate")]
    Empty,
}

/// Presents the certificates of `chain_pem`, leaf first, with the key of `key_pem`.
///
/// # Errors
/// [`IdentityError`].
pub(in crate::client) fn resolver(
    chain_pem: &[u8],
    key_pem: &[u8],
) -> Result<Arc<dyn ResolvesClientCert>, IdentityError> {
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(chain_pem).collect::<Result<_, _>>()?;
    if chain.is_empty() {
        return Err(IdentityError::Empty);
    }
    let key = provider().key_provider.load_private_key(PrivateKeyDer::from_pem_slice(key_pem)?)?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) => {}
        // A certificate of version 1: whether it fits the key is found by the server.
        Err(Error::InvalidCertificate(CertificateError::Other(_))) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Arc::new(SingleCertAndKey::from(certified)))
}
