//! Encryption at rest: which values are encrypted in the store, with which provider and key
//! (`apiserver.config.k8s.io`, kind `EncryptionConfiguration`).
//!
//! ```text
//! value ─► first entry that names the resource ─► its first provider, with its first key ─► k8s:enc:PROVIDER:v1:KEY:…
//! ```
//!
//! A value on disk says in its prefix which provider and key it has, so that every key of the configuration reads. The
//! forms are those of kube-apiserver.
//!
//! # Source
//! kubernetes staging/src/k8s.io/apiserver/pkg/server/options/encryptionconfig/config.go, pkg/storage/value/encrypt.

mod configuration;
mod providers;
mod resources;

#[cfg(test)]
mod tests;

use std::fmt;

use bytes::Bytes;
use portolan_store::{TransformError, TransformedValue, ValueTransformer};

pub use configuration::{EncryptionConfiguration, EncryptionConfigurationError};
use providers::{Origin, Provider, ReadError};
use resources::ResourcePattern;

/// What every encrypted value begins with.
const MARK: &[u8] = b"k8s:enc:";

/// The providers of each resource. By default nothing is encrypted, and encrypted values are refused.
#[derive(Default)]
pub struct Encryption(Vec<Entry>);

/// The providers of some resources.
struct Entry {
    resources: Vec<ResourcePattern>,
    /// Not empty. The first one writes.
    providers: Vec<Provider>,
}

impl Encryption {
    /// The providers for the value of a key; `None` if it is stored in clear.
    fn providers(&self, key: &str) -> Option<&[Provider]> {
        let mut parts = key.split('/');
        let (group, plural) = (parts.next()?, parts.next()?);
        let matching = |entry: &&Entry| entry.resources.iter().any(|pattern| pattern.matches(group, plural));
        self.0.iter().find(matching).map(|entry| &*entry.providers)
    }

    fn read(&self, key: &str, stored: Bytes) -> Result<TransformedValue, ReadError> {
        let is_encrypted = stored.starts_with(MARK);
        let Some(providers) = self.providers(key) else {
            return match is_encrypted {
                true if self.0.is_empty() => Err(ReadError::NoConfiguration(Origin::of(&stored))),
                true => Err(ReadError::UnknownKey(Origin::of(&stored))),
                false => Ok(TransformedValue { bytes: stored, is_stale: false }),
            };
        };
        for (place, provider) in providers.iter().enumerate() {
            if let Some(read) = provider.read(key, &stored) {
                let (bytes, is_first_key) = read?;
                return Ok(TransformedValue { bytes, is_stale: place > 0 || !is_first_key });
            }
        }
        Err(if is_encrypted { ReadError::UnknownKey(Origin::of(&stored)) } else { ReadError::Clear })
    }
}

impl ValueTransformer for Encryption {
    fn transform_to_storage(&self, key: &str, value: Bytes) -> Bytes {
        match self.providers(key).and_then(<[Provider]>::first) {
            Some(provider) => provider.write(key, value),
            None => value,
        }
    }

    fn transform_from_storage(&self, key: &str, stored: Bytes) -> Result<TransformedValue, TransformError> {
        self.read(key, stored).map_err(TransformError::new)
    }

    fn hides_values(&self) -> bool {
        let encrypts = |provider: &Provider| !matches!(provider, Provider::Identity);
        self.0.iter().filter_map(|entry| entry.providers.first()).any(encrypts)
    }
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryption").field("entries", &self.0.len()).finish_non_exhaustive()
    }
}
