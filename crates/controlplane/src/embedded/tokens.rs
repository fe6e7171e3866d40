//! The key that signs service account tokens, kept beside the certificates. Tokens stay valid across restarts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use portolan_apiserver::auth::token::{Issuer, KeyError, SigningKey};
use portolan_net::files::{FileError, write_private};
use ring::rand::SystemRandom;

/// Issuer of service account tokens; the usual name inside clusters.
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
const KEY_FILE: &str = "service-account.key";

/// Why the key for service account tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenKeyError {
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The answer of the operating system.
        source: io::Error,
    },
    /// The file does not hold a key.
    #[error(
        "{path} holds no usable key ({source}); remove it to get a new one: all tokens issued so far become invalid"
    )]
    Content {
        /// The file.
        path: PathBuf,
        /// The mistake.
        source: KeyError,
    },
}

/// Reads the key in `directory`, or makes one.
pub(super) fn open_issuer(directory: &Path) -> Result<Issuer, TokenKeyError> {
    let random = SystemRandom::new();
    let path = directory.join(KEY_FILE);
    let content = |source| TokenKeyError::Content { path: path.clone(), source };
    let key = match fs::read(&path) {
        Ok(key) => key,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = SigningKey::generate(&random).map_err(content)?;
            write_private(&path, &key)?;
            key
        }
        Err(source) => return Err(TokenKeyError::Read { path, source }),
    };
    let key = SigningKey::from_pkcs8(&key, &random).map_err(content)?;
    Ok(Issuer::new(ISSUER, key))
}
