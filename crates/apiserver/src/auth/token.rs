//! Tokens of service accounts: JSON web tokens signed with ECDSA on P-256.
//!
//! An [`Issuer`] signs and verifies; whether the account and the object that a token is bound to still exist is
//! checked in [`super::authentication`]. Keys and randomness come from the caller, tokens are never logged.

mod key;
mod known;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::rand::SecureRandom;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use key::{KeyError, SigningKey};
use known::Known;

/// Clocks of two machines may differ by this much.
const LEEWAY: i64 = 60;

/// A token longer than this is refused unread.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Signs and verifies the tokens of one API server.
#[derive(Debug)]
pub struct Issuer {
    /// The `iss` claim; also the audience of tokens that ask for none.
    pub url: String,
    /// Audiences that this server accepts, `url` among them.
    pub audiences: Vec<String>,
    /// The longest time a token may hold; longer requests are shortened.
    pub longest: Duration,
    key: SigningKey,
    known: Known,
}

/// What a token says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    #[serde(default)]
    pub iss: String,
    /// User name of the service account.
    #[serde(default)]
    pub sub: String,
    /// Whom it is for.
    #[serde(default)]
    pub aud: Vec<String>,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// When it was issued.
    pub iat: i64,
    /// When it begins.
    pub nbf: i64,
    /// Name of the token itself.
    #[serde(default)]
    pub jti: String,
    /// The objects behind it.
    #[serde(rename = "kubernetes.io")]
    pub bound: Bound,
}

/// The objects behind a token; it ends with them.
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
    /// Node that the token is for, or on which its pod runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<Reference>,
}

/// One object by name and identity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reference {
    /// Its name.
    pub name: String,
    /// Its identity; an object of the same name made later has another one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
}

/// Why a token is not accepted; the texts are those that reviews show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of this issuer: another authenticator may know it.
    #[error("invalid bearer token")]
    Unknown,
    /// The signature does not hold.
    #[error("invalid signature")]
    Signature,
    /// It has ended.
    #[error("service account token has expired")]
    Expired,
    /// It has not begun.
    #[error("service account token is not valid yet")]
    NotYet,
    /// It is for somebody else.
    #[error("token audiences {found:?} is invalid for the target audiences {wanted:?}")]
    Audience {
        /// Whom the token is for.
        found: Vec<String>,
        /// Who was asked.
        wanted: Vec<String>,
    },
    /// The account, or the object that the token is bound to, is gone.
    #[error("service account token has been invalidated")]
    Invalidated,
}

impl Issuer {
    /// An issuer whose only audience is itself.
    pub fn new(url: impl Into<String>, key: SigningKey) -> Self {
        let url = url.into();
        // Years, as upstream leaves it open: 2^32 seconds is the limit that requests are held to.
        let longest = Duration::from_secs(1 << 32);
        Self { audiences: vec![url.clone()], url, longest, key, known: Known::default() }
    }

    /// Signs a token.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn issue(&self, claims: &Claims, random: &dyn SecureRandom) -> Result<String, KeyError> {
        let header = json!({ "alg": "ES256", "kid": self.key.id() });
        let body = serde_json::to_vec(claims).map_err(|_| KeyError::Signing)?;
        let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(&body));
        let signature = self.key.sign(signed.as_bytes(), random)?;
        Ok(format!("{signed}.{}", encode(&signature)))
    }

    /// Reads a token that this issuer signed and that holds at `now`.
    ///
    /// # Errors
    /// [`TokenError::Unknown`] when it is no token of this issuer, otherwise why it does not hold.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<Claims>, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Unknown);
        }
        let claims = self.known.get_or_read(token, || self.read(token))?;
        let now = now.as_second();
        if now > claims.exp.saturating_add(LEEWAY) {
            return Err(TokenError::Expired);
        }
        if now < claims.nbf.saturating_sub(LEEWAY) {
            return Err(TokenError::NotYet);
        }
        Ok(claims)
    }

    /// What a token of this issuer says, whenever it holds.
    fn read(&self, token: &str) -> Result<Claims, TokenError> {
        let (signed, signature) = self.split(token).ok_or(TokenError::Unknown)?;
        let (_, body) = signed.split_once('.').ok_or(TokenError::Unknown)?;
        let body = decode(body).ok_or(TokenError::Unknown)?;
        // Read once loosely, to tell a foreign token from a broken one of ours.
        let issued_by: Value = serde_json::from_slice(&body).map_err(|_| TokenError::Unknown)?;
        if issued_by.get("iss").and_then(Value::as_str) != Some(self.url.as_str()) {
            return Err(TokenError::Unknown);
        }
        if !self.key.verifies(signed.as_bytes(), &signature) {
            return Err(TokenError::Signature);
        }
        Claims::deserialize(issued_by).map_err(|_| TokenError::Unknown)
    }

    /// The audiences that a token and the asked ones have in common.
    ///
    /// # Errors
    /// [`TokenError::Audience`] when there is none.
    pub fn common_audiences(claims: &Claims, wanted: &[String]) -> Result<Vec<String>, TokenError> {
        let common: Vec<String> =
            wanted.iter().filter(|audience| claims.aud.contains(audience)).cloned().collect();
        if common.is_empty() {
            return Err(TokenError::Audience { found: claims.aud.clone(), wanted: wanted.to_vec() });
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

    /// The signed part and the signature of a token with our algorithm and key.
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

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
