//! Keys of Google service accounts, and the signed claims that are exchanged for tokens (RFC 7523).

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::json;

use super::source::is_private;

/// Reading and writing zones and their records, and nothing else.
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/ndev.clouddns.readwrite";
/// Time for which a claim holds, in seconds; Google takes no longer one.
const CLAIM_TIME: u64 = 3_600;
/// Most characters of a type that are repeated in an error.
const MAX_TYPE: usize = 50;
/// Google's own address for tokens, for keys that name none.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// A service account with its key. Neither is printed.
#[derive(Clone)]
pub struct ServiceAccount {
    /// Its name, as an e-mail address.
    pub(super) email: String,
    /// Id of the project that has it.
    pub(super) project: Option<String>,
    /// Where claims are exchanged for tokens.
    pub(super) token_uri: String,
    key_id: String,
    key: Arc<RsaKeyPair>,
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccount").field("email", &self.email).finish_non_exhaustive()
    }
}

/// A file is no usable key of a service account. No message has a part of the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// Not the JSON of a key.
    #[error("it is not the JSON that `gcloud iam service-accounts keys create FILE` writes")]
    Form,
    /// Credentials of another type, such as those of a user.
    #[error(
        "its type is {0:?}, not \"service_account\": create a key with `gcloud iam service-accounts keys create FILE`"
    )]
    Type(String),
    /// The private key cannot be used.
    #[error("its private_key is no RSA key in PKCS #8 ({0}): create another key")]
    PrivateKey(String),
    /// Claims must not be sent in the clear.
    #[error("its token_uri is {0:?}: it must begin with https://")]
    TokenUri(String),
    /// The claim could not be signed.
    #[error("its private_key cannot sign: create another key")]
    Signature,
}

#[derive(Deserialize)]
#[serde(default)]
struct KeyFile {
    r#type: String,
    project_id: String,
    private_key_id: String,
    private_key: String,
    client_email: String,
    token_uri: String,
}

impl Default for KeyFile {
    fn default() -> Self {
        let [r#type, project_id, private_key_id, private_key, client_email]: [String; 5] = Default::default();
        let token_uri = TOKEN_URI.to_owned();
        Self { r#type, project_id, private_key_id, private_key, client_email, token_uri }
    }
}

impl ServiceAccount {
    /// Reads the JSON of a key.
    ///
    /// # Errors
    /// When it is not one of a service account, or its key cannot be used.
    pub fn parse(json: &[u8]) -> Result<Self, AccountError> {
        // The error of the parser may have a part of the key.
        let file: KeyFile = serde_json::from_slice(json).map_err(|_| AccountError::Form)?;
        if file.r#type != "service_account" {
            return Err(AccountError::Type(file.r#type.chars().take(MAX_TYPE).collect()));
        }
        if file.client_email.is_empty() {
            return Err(AccountError::Form);
        }
        if !is_private(&file.token_uri) {
            return Err(AccountError::TokenUri(file.token_uri));
        }
        let der = PrivatePkcs8KeyDer::from_pem_slice(file.private_key.as_bytes())
            .map_err(|_| AccountError::PrivateKey("not PEM".to_owned()))?;
        let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
            .map_err(|error| AccountError::PrivateKey(error.to_string()))?;
        Ok(Self {
            email: file.client_email,
            project: Some(file.project_id).filter(|project| !project.is_empty()),
            token_uri: file.token_uri,
            key_id: file.private_key_id,
            key: Arc::new(key),
        })
    }

    /// A signed claim to be this account, at a time in seconds since 1970.
    pub(super) fn claim(&self, now: u64) -> Result<String, AccountError> {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.key_id });
        let claims = json!({
            "iss": self.email, "scope": SCOPE, "aud": self.token_uri, "iat": now, "exp": now + CLAIM_TIME,
        });
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let content = format!("{header}.{claims}");
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), content.as_bytes(), &mut signature)
            .map_err(|_| AccountError::Signature)?;
        Ok(format!("{content}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
