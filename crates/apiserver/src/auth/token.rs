//! Service account tokens: JSON web tokens with `ES256` signatures.
//!
//! An [`Issuer`] signs and verifies; [`super::authentication`] checks that the account and the bound object still exist.
//! Keys, randomness and the time come from the caller. Tokens are not logged.
//!
//! # Why not the crate `jsonwebtoken`
//! Version 12 signs with aws-lc-rs or RustCrypto, and this program has one cryptography library, ring, which rustls
//! uses too. Its hook for another library is one provider for the process, which panics when it is missing, and key
//! and signature would still be written here on ring. It also reads the system clock instead of taking the time. Left
//! for it would be joining three base64 parts with a header of one fixed algorithm and key.

mod key;
mod secret;
mod verified;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::rand::SecureRandom;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use key::{KeyError, SigningKey};
pub use secret::SecretClaims;
use verified::VerifiedTokens;

/// Tolerated difference between clocks, in seconds.
const LEEWAY: i64 = 60;

/// Maximum size of a token, in bytes; longer ones are refused without parsing.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Signs and verifies the tokens of one API server.
#[derive(Debug)]
pub struct Issuer {
    /// The `iss` claim; also the default audience.
    pub url: String,
    /// Audiences of this server, including `url`.
    pub audiences: Vec<String>,
    /// Maximum lifetime of a token; longer requests are shortened.
    pub max_lifetime: Duration,
    key: SigningKey,
    verified: VerifiedTokens<Claims>,
    verified_secrets: VerifiedTokens<SecretClaims>,
}

/// Claims of a token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Issuer.
    #[serde(default)]
    pub iss: String,
    /// User name of the service account.
    #[serde(default)]
    pub sub: String,
    /// Audiences.
    #[serde(default)]
    pub aud: Vec<String>,
    /// Expiry, in seconds since 1970.
    pub exp: i64,
    /// Time of issue.
    pub iat: i64,
    /// Start of validity.
    pub nbf: i64,
    /// Unique id of the token.
    #[serde(default)]
    pub jti: String,
    /// Objects that the token is bound to.
    #[serde(rename = "kubernetes.io")]
    pub bound: Bound,
}

/// Objects that a token is bound to; it is invalid once one of them is deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bound {
    /// Namespace of the account, and of the pod or secret.
    pub namespace: String,
    /// The account.
    #[serde(rename = "serviceaccount")]
    pub service_account: Reference,
    /// Pod that the token is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<Reference>,
    /// Secret that the token is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Reference>,
    /// Node that the token is for, or the node of its pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<Reference>,
}

/// Name and uid of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reference {
    /// Its name.
    pub name: String,
    /// Uid; a later object of the same name has another one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
}

/// Why a token is invalid; reviews show the texts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of this issuer.
    #[error("invalid bearer token")]
    Unknown,
    /// A token of an OpenID Connect provider that is refused.
    #[error("{0}")]
    Provider(String),
    /// The signature is wrong.
    #[error("invalid signature")]
    Signature,
    /// The token has expired.
    #[error("service account token has expired")]
    Expired,
    /// The token is not valid yet.
    #[error("service account token is not valid yet")]
    NotYet,
    /// The token is for other audiences.
    #[error("token audiences {found:?} is invalid for the target audiences {wanted:?}")]
    Audience {
        /// Audiences of the token.
        found: Vec<String>,
        /// Wanted audiences.
        wanted: Vec<String>,
    },
    /// The service account or a bound object no longer exists.
    #[error("service account token has been invalidated")]
    Invalidated,
}

impl Issuer {
    /// An issuer with itself as the only audience.
    pub fn new(url: impl Into<String>, key: SigningKey) -> Self {
        let url = url.into();
        // 2^32 seconds: the validation of TokenRequest allows no more.
        let max_lifetime = Duration::from_secs(1 << 32);
        Self {
            audiences: vec![url.clone()],
            url,
            max_lifetime,
            key,
            verified: VerifiedTokens::default(),
            verified_secrets: VerifiedTokens::default(),
        }
    }

    /// Signs a token.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn issue(&self, claims: &Claims, random: &dyn SecureRandom) -> Result<String, KeyError> {
        self.sign(claims, random)
    }

    fn sign(&self, claims: &impl Serialize, random: &dyn SecureRandom) -> Result<String, KeyError> {
        let header = json!({ "alg": "ES256", "kid": self.key.id() });
        let body = serde_json::to_vec(claims).map_err(|_| KeyError::Signing)?;
        let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(&body));
        let signature = self.key.sign(signed.as_bytes(), random)?;
        Ok(format!("{signed}.{}", encode(&signature)))
    }

    /// The claims of a token of this issuer that is valid at `now`.
    ///
    /// # Errors
    /// [`TokenError::Unknown`] for a token of another issuer, otherwise why the token is invalid.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<Claims>, TokenError> {
        let claims = self.verified.get_or_read(token, || self.read::<Claims>(token, &self.url))?;
        let now = now.as_second();
        if now > claims.exp.saturating_add(LEEWAY) {
            return Err(TokenError::Expired);
        }
        if now < claims.nbf.saturating_sub(LEEWAY) {
            return Err(TokenError::NotYet);
        }
        Ok(claims)
    }

    /// The claims of a token that this issuer has signed with the `iss` claim `issued_by`; the time is not checked.
    fn read<C: DeserializeOwned>(&self, token: &str, issued_by: &str) -> Result<C, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Unknown);
        }
        let (signed, signature) = self.split(token).ok_or(TokenError::Unknown)?;
        let (_, body) = signed.split_once('.').ok_or(TokenError::Unknown)?;
        let body = decode(body).ok_or(TokenError::Unknown)?;
        // Parsed loosely first, to distinguish tokens of other issuers from damaged ones of this issuer.
        let claims: Value = serde_json::from_slice(&body).map_err(|_| TokenError::Unknown)?;
        if claims.get("iss").and_then(Value::as_str) != Some(issued_by) {
            return Err(TokenError::Unknown);
        }
        if !self.key.verifies(signed.as_bytes(), &signature) {
            return Err(TokenError::Signature);
        }
        C::deserialize(claims).map_err(|_| TokenError::Unknown)
    }

    /// The wanted audiences that a token with the audiences `found` has.
    ///
    /// # Errors
    /// [`TokenError::Audience`] when there is none.
    pub fn common_audiences(found: &[String], wanted: &[String]) -> Result<Vec<String>, TokenError> {
        let common: Vec<String> =
            wanted.iter().filter(|audience| found.contains(audience)).cloned().collect();
        if common.is_empty() {
            return Err(TokenError::Audience { found: found.to_vec(), wanted: wanted.to_vec() });
        }
        Ok(common)
    }

    /// The public key as a JSON web key set.
    pub fn key_set(&self) -> Value {
        json!({ "keys": [self.key.public()] })
    }

    /// The document at `/.well-known/openid-configuration`.
    pub fn configuration(&self) -> Value {
        json!({
            "issuer": self.url,
            "jwks_uri": format!("{}/openid/v1/jwks", self.url),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    }

    /// The signed part and the signature of a token with the algorithm and key of this issuer.
    fn split<'a>(&self, token: &'a str) -> Option<(&'a str, Vec<u8>)> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, _) = signed.split_once('.')?;
        let header: Value = serde_json::from_slice(&decode(header)?).ok()?;
        let is_ours = header.get("alg").and_then(Value::as_str) == Some("ES256")
            && header.get("kid").and_then(Value::as_str) == Some(self.key.id());
        if !is_ours {
            return None;
        }
        Some((signed, decode(signature)?))
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of unpadded base64 in the alphabet of URLs.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
