//! Certificates for agents, from the side of the agent: a new key, a request, and the answer.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portolan_api::agents::{self, GROUP, SIGNER};
use portolan_api::kubernetes::{CertificateSigningRequest, View as _, ViewError};
use portolan_api::{labels, resources};
use portolan_net::pki::{NewRequest, PkiError};
use portolan_object::{Object, ObjectKey};
use portolan_runtime::client::Credential;
use portolan_runtime::{Client, ClientError};
use serde_json::json;

/// Interval at which the answer is looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The control plane refuses a request.
    #[error("the control plane answers the certificate request with: {0}")]
    Client(#[from] ClientError),
    /// The request was denied; the text has cause and cure.
    #[error("the control plane denies the certificate: {0}")]
    Denied(String),
    /// The request cannot be signed.
    #[error("the control plane cannot sign the certificate: {0}")]
    Failed(String),
    /// It was neither signed nor denied in time.
    #[error(
        "the certificate request {request} was not signed within {} s: look at it with `kubectl get csr {request}`, and at \
         the log of the control plane",
        waited.as_secs()
    )]
    Undecided {
        /// Name of the request.
        request: String,
        /// Time that was waited.
        waited: Duration,
    },
    /// No request can be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The answer cannot be read.
    #[error("the answer to the certificate request cannot be read: {0}")]
    Unreadable(#[from] ViewError),
}

/// Asks for a certificate of the agent of `cluster` with this life, and waits at most `patience` for it.
///
/// # Errors
/// See [`CertificateError`].
pub async fn obtain_certificate(
    hub: &Client,
    cluster: &str,
    lifetime: Duration,
    patience: Duration,
) -> Result<Credential, CertificateError> {
    let new = NewRequest::for_client(&agents::user(cluster), GROUP)?;
    let id = uuid::Uuid::new_v4().simple().to_string();
    let name = format!("{cluster}-{}", &id[..5]);
    let mut request = Object::new(&resources::CERTIFICATE_SIGNING_REQUEST.gvk(), &ObjectKey::cluster(&*name));
    request.set_label(labels::SYSTEM, labels::TRUE);
    request.0["spec"] = json!({
        "request": STANDARD.encode(&new.request_pem),
        "signerName": SIGNER,
        "expirationSeconds": lifetime.as_secs(),
        "usages": ["digital signature", "key encipherment", "client auth"],
    });
    let api = hub.resource::<Object>(&resources::CERTIFICATE_SIGNING_REQUEST.into());
    let key = api.create(&request).await?.key();
    let answered = async {
        loop {
            if let Some(chain_pem) = answer(&api.get(&key).await?)? {
                let key_pem = new.key_pem.clone().into_bytes();
                return Ok(Credential::Certificate { chain_pem, key_pem });
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    let answered = tokio::time::timeout(patience, answered).await;
    answered.unwrap_or(Err(CertificateError::Undecided { request: name, waited: patience }))
}

/// The certificate; `None` while there is no answer.
fn answer(object: &Object) -> Result<Option<Vec<u8>>, CertificateError> {
    let request = CertificateSigningRequest::read(object)?;
    let message = |kind: &str| {
        let found = request.status.conditions.iter().find(|condition| condition.kind == kind);
        found.map(|condition| format!("{}: {}", condition.reason, condition.message))
    };
    if let Some(message) = message("Denied") {
        return Err(CertificateError::Denied(message));
    }
    if let Some(message) = message("Failed") {
        return Err(CertificateError::Failed(message));
    }
    let pem = STANDARD.decode(request.status.certificate).unwrap_or_default();
    Ok((!pem.is_empty()).then_some(pem))
}
