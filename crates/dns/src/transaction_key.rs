//! Shared secrets that sign DNS messages (TSIG, RFC 8945).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dnswire::base::Name;
use dnswire::tsig::{Algorithm, Key, KeyName};

/// A key with its name. Printing it does not show the secret.
#[derive(Clone)]
pub struct TransactionKey(Arc<Key>);

/// A key that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionKeyError {
    /// The name is not a domain name.
    #[error(
        "{name:?} is not the name of a TSIG key: use the domain name that the DNS server has for the key"
    )]
    Name {
        /// The given name.
        name: String,
    },
    /// The algorithm is unknown or unsafe.
    #[error(
        "{algorithm:?} is not an algorithm of TSIG keys that is supported: use hmac-sha256, hmac-sha384 or hmac-sha512 \
         (hmac-sha1 works, hmac-md5 does not)"
    )]
    Algorithm {
        /// The given algorithm.
        algorithm: String,
    },
    /// The secret is not base64. The message does not repeat it.
    #[error(
        "the secret of the TSIG key {name:?} is not base64: copy it as the DNS server's configuration has it"
    )]
    Secret {
        /// Name of the key.
        name: String,
    },
}

impl TransactionKey {
    /// A key of a name, an algorithm such as `hmac-sha256`, and a secret in base64.
    ///
    /// # Errors
    /// [`TransactionKeyError`] names the part that is wrong.
    pub fn new(name: &str, algorithm: &str, secret: &str) -> Result<Self, TransactionKeyError> {
        let wire = Name::<Vec<u8>>::vec_from_str(&name.to_ascii_lowercase());
        let bad_name = || TransactionKeyError::Name { name: name.to_owned() };
        let wire = wire.ok().filter(|wire| !wire.is_root()).ok_or_else(bad_name)?;
        let key_name = KeyName::from_str(&wire.to_string()).map_err(|_| bad_name())?;
        let bare = algorithm.trim_end_matches('.').to_ascii_lowercase();
        let code = match bare.as_str() {
            "hmac-sha1" => Algorithm::Sha1,
            "hmac-sha256" => Algorithm::Sha256,
            "hmac-sha384" => Algorithm::Sha384,
            "hmac-sha512" => Algorithm::Sha512,
            _ => return Err(TransactionKeyError::Algorithm { algorithm: algorithm.to_owned() }),
        };
        let bad_secret = || TransactionKeyError::Secret { name: name.to_owned() };
        let secret = STANDARD.decode(secret.trim()).ok().filter(|secret| !secret.is_empty());
        let key = Key::new(code, &secret.ok_or_else(bad_secret)?, key_name, None, None);
        Ok(Self(Arc::new(key.map_err(|_| bad_secret())?)))
    }

    /// The key as the DNS library uses it.
    pub fn key(&self) -> Arc<Key> {
        self.0.clone()
    }

    /// Name of the key, without a final dot.
    pub fn name(&self) -> String {
        self.0.name().to_string()
    }
}

impl fmt::Debug for TransactionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactionKey")
            .field("name", &self.name())
            .field("algorithm", &self.0.algorithm())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_a_name_an_algorithm_and_a_secret() {
        let name = |name: &str| TransactionKeyError::Name { name: name.to_owned() };
        let algorithm = |algorithm: &str| TransactionKeyError::Algorithm { algorithm: algorithm.to_owned() };
        let secret = || TransactionKeyError::Secret { name: "fed".to_owned() };
        for (parts, want) in [
            (["Fed.", "HMAC-SHA256.", " c2VjcmV0 "], Ok("fed".to_owned())),
            (["", "hmac-sha256", "c2VjcmV0"], Err(name(""))),
            (["a..b", "hmac-sha256", "c2VjcmV0"], Err(name("a..b"))),
            (["fed", "hmac-md5", "c2VjcmV0"], Err(algorithm("hmac-md5"))),
            (["fed", "hmac-sha256", "not base64"], Err(secret())),
            (["fed", "hmac-sha256", ""], Err(secret())),
        ] {
            let [name, algorithm, secret] = parts;
            assert_eq!(TransactionKey::new(name, algorithm, secret).map(|key| key.name()), want, "{parts:?}");
        }
    }

    #[test]
    fn the_secret_is_not_printed() {
        let key = TransactionKey::new("fed", "hmac-sha256", "c2VjcmV0").unwrap();
        assert_eq!(format!("{key:?}"), r#"TransactionKey { name: "fed", algorithm: Sha256, .. }"#);
    }
}
