//! Documents of a provider, over HTTPS. Time and size are bounded, and redirects are not followed.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HOST};
use http::{Request, Uri};
use http_body_util::Full;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::de::DeserializeOwned;

use crate::https::HttpsClient;

/// Timeout of one document.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum size of a document, in bytes.
const MAX_DOCUMENT: usize = 1024 * 1024;

/// Authorities for providers that name none: PEM, as the operating system keeps them.
#[derive(Debug, Clone, Default)]
pub struct Roots(pub Vec<u8>);

/// Fetches documents from servers with certificates of known authorities.
#[derive(Debug)]
pub(super) struct Fetcher(HttpsClient);

impl Fetcher {
    /// Trusts the authorities in a PEM text.
    pub(super) fn new(pem: &[u8]) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| error.to_string())?;
            // Bundles of operating systems have old certificates that cannot be used.
            let _ = roots.add(certificate);
        }
        if roots.is_empty() {
            return Err("there is no certificate of an authority".to_owned());
        }
        HttpsClient::trusting(roots).map(Self).map_err(text)
    }

    /// Fetches a JSON document.
    pub(super) async fn json<T: DeserializeOwned>(&self, url: &str) -> Result<T, String> {
        let fetched = tokio::time::timeout(TIMEOUT, self.bytes(url)).await;
        let bytes = fetched.map_err(|_| format!("{url}: no answer in time"))?;
        let bytes = bytes.map_err(|problem| format!("{url}: {problem}"))?;
        serde_json::from_slice(&bytes).map_err(|error| format!("{url}: {error}"))
    }

    async fn bytes(&self, url: &str) -> Result<Bytes, String> {
        let uri: Uri = url.parse().map_err(text)?;
        if uri.scheme_str() != Some("https") {
            return Err("the address does not begin with https://".to_owned());
        }
        let host = uri.host().ok_or("the address has no host")?.trim_matches(['[', ']']);
        let target = uri.path_and_query().map_or("/", |path| path.as_str());
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        let request = Request::get(target).header(HOST, authority).header(ACCEPT, "application/json");
        let request = request.body(Full::default()).map_err(text)?;
        let address = (host, uri.port_u16().unwrap_or(443));
        self.0.send(address, host, request, MAX_DOCUMENT).await.map_err(text)
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
