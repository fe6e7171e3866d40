//! The public keys of a provider (RFC 7517), and signatures by them (RFC 7518).

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, EcdsaVerificationAlgorithm, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::Deserialize;

use crate::auth::token::decode;

/// Algorithms of signatures that can be verified.
pub(super) const ALGORITHMS: [&str; 8] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384"];

/// Keys of one provider that are kept.
const MAX_KEYS: usize = 200;

/// A set of keys.
#[derive(Debug, Default, Deserialize)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

#[derive(Debug, Deserialize)]
struct Key {
    kty: String,
    #[serde(default)]
    kid: String,
    #[serde(default, rename = "use")]
    usage: String,
    #[serde(default)]
    alg: String,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
}

impl KeySet {
    /// The keys for signatures, of which at most [`MAX_KEYS`] are kept.
    pub(super) fn trimmed(mut self) -> Self {
        self.keys.retain(|key| key.usage.is_empty() || key.usage == "sig");
        self.keys.truncate(MAX_KEYS);
        self
    }

    /// Whether a key may have made the signatures of a token with this key id.
    pub(super) fn has(&self, id: &str) -> bool {
        self.keys.iter().any(|key| key.is(id))
    }

    /// Whether a signature is one of a key with this id.
    pub(super) fn verifies(&self, id: &str, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        let mut candidates = self.keys.iter().filter(|key| key.is(id));
        candidates.any(|key| key.verifies(algorithm, message, signature).unwrap_or(false))
    }
}

impl Key {
    /// A token without a key id may be of any key.
    fn is(&self, id: &str) -> bool {
        id.is_empty() || self.kid == id
    }

    /// `None` if the key cannot be read, or is not for the algorithm.
    fn verifies(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> Option<bool> {
        if !self.alg.is_empty() && self.alg != algorithm {
            return None;
        }
        if let Some(parameters) = rsa(algorithm).filter(|_| self.kty == "RSA") {
            let components = RsaPublicKeyComponents { n: decode(&self.n)?, e: decode(&self.e)? };
            return Some(components.verify(parameters, message, signature).is_ok());
        }
        let (curve, parameters, size) = elliptic(algorithm).filter(|_| self.kty == "EC")?;
        let (x, y) = (decode(&self.x)?, decode(&self.y)?);
        if self.crv != curve || x.len() != size || y.len() != size {
            return None;
        }
        // SEC 1, section 2.3.3: an uncompressed point is a 4, then x and y.
        let point = [&[4][..], &x, &y].concat();
        Some(UnparsedPublicKey::new(parameters, point).verify(message, signature).is_ok())
    }
}

fn rsa(algorithm: &str) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        "RS256" => &RSA_PKCS1_2048_8192_SHA256,
        "RS384" => &RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &RSA_PKCS1_2048_8192_SHA512,
        "PS256" => &RSA_PSS_2048_8192_SHA256,
        "PS384" => &RSA_PSS_2048_8192_SHA384,
        "PS512" => &RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

/// The curve of an algorithm, its parameters, and the bytes of a coordinate.
fn elliptic(algorithm: &str) -> Option<(&'static str, &'static EcdsaVerificationAlgorithm, usize)> {
    match algorithm {
        "ES256" => Some(("P-256", &ECDSA_P256_SHA256_FIXED, 32)),
        "ES384" => Some(("P-384", &ECDSA_P384_SHA384_FIXED, 48)),
        _ => None,
    }
}
