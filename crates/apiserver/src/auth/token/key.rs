//! The key that signs service account tokens.

use std::fmt;

use ring::digest;
use ring::rand::SecureRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use serde_json::{Value, json};

use super::encode;

/// Errors of keys; the texts contain neither key nor message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes are not a P-256 key in PKCS #8.
    #[error("the service account key is not a P-256 key in PKCS #8")]
    Malformed,
    /// The source of randomness failed, or the key cannot sign.
    #[error("cannot sign a service account token")]
    Signing,
}

/// A P-256 key pair.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    id: String,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A new key in PKCS #8, for the caller to keep in a file that only the owner can read.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn generate(random: &dyn SecureRandom) -> Result<Vec<u8>, KeyError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, random);
        document.map(|document| document.as_ref().to_vec()).map_err(|_| KeyError::Signing)
    }

    /// Reads a key in PKCS #8.
    ///
    /// # Errors
    /// When it is not a P-256 key.
    pub fn from_pkcs8(key: &[u8], random: &dyn SecureRandom) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key, random)
            .map_err(|_| KeyError::Malformed)?;
        let id = encode(digest::digest(&digest::SHA256, pair.public_key().as_ref()).as_ref());
        Ok(Self { pair, id })
    }

    /// The `kid` of the key, derived from the public half.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn sign(&self, message: &[u8], random: &dyn SecureRandom) -> Result<Vec<u8>, KeyError> {
        self.pair
            .sign(random, message)
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| KeyError::Signing)
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.pair.public_key());
        public.verify(message, signature).is_ok()
    }

    /// The public half as a JSON web key.
    pub(super) fn public(&self) -> Value {
        // SEC 1, section 2.3.3: an uncompressed point is a 4, then x and y of 32 bytes each.
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        json!({ "use": "sig", "kty": "EC", "kid": self.id, "crv": "P-256", "alg": "ES256", "x": encode(x), "y": encode(y) })
    }
}
