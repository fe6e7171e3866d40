//! `EncryptionConfiguration` of `apiserver.config.k8s.io`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portolan_object::yaml;
use serde::Deserialize;

use super::providers::{Key, Provider};
use super::resources::ResourcePattern;
use super::{Encryption, Entry};

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EncryptionConfigurationError {
    /// It is not YAML.
    #[error("it is not YAML: {0}")]
    Yaml(String),
    /// It is no `EncryptionConfiguration`.
    #[error("it is no EncryptionConfiguration of apiserver.config.k8s.io/v1: {0}")]
    Form(String),
    /// A field is wrong.
    #[error("{field}: {problem}")]
    Field {
        /// Path of the field.
        field: String,
        /// What is wrong.
        problem: String,
    },
}

/// Which resources are encrypted, and how.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EncryptionConfiguration {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    resources: Vec<ResourceEntry>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourceEntry {
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    providers: Vec<ProviderEntry>,
}

/// One provider; exactly one field is set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ProviderEntry {
    aesgcm: Option<Keys>,
    aescbc: Option<Keys>,
    secretbox: Option<Keys>,
    identity: Option<Identity>,
    kms: Option<serde_json::Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default)]
    keys: Vec<NamedKey>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedKey {
    #[serde(default)]
    name: String,
    #[serde(default)]
    secret: String,
}

// Implemented by hand without the secret.
impl fmt::Debug for NamedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedKey").field("name", &self.name).finish_non_exhaustive()
    }
}

fn field(field: impl Into<String>, problem: impl Into<String>) -> EncryptionConfigurationError {
    EncryptionConfigurationError::Field { field: field.into(), problem: problem.into() }
}

impl EncryptionConfiguration {
    /// Reads a configuration in YAML or JSON.
    ///
    /// # Errors
    /// [`EncryptionConfigurationError`]; an unknown field is one. No message has a secret.
    pub fn parse(text: &str) -> Result<Self, EncryptionConfigurationError> {
        let document = yaml::read_document(text)
            .map_err(|error| EncryptionConfigurationError::Yaml(error.to_string()))?;
        let configuration: Self = serde_json::from_value(document.value)
            .map_err(|error| EncryptionConfigurationError::Form(without_texts(&error.to_string())))?;
        let (version, kind) = (&configuration.api_version, &configuration.kind);
        if version != "apiserver.config.k8s.io/v1" || kind != "EncryptionConfiguration" {
            return Err(EncryptionConfigurationError::Form(format!("got {version}, {kind}")));
        }
        Ok(configuration)
    }

    /// The providers that it describes.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn encryption(&self) -> Result<Encryption, EncryptionConfigurationError> {
        if self.resources.is_empty() {
            return Err(field("resources", "at least one resource is required"));
        }
        let mut entries: Vec<Entry> = Vec::new();
        for (index, entry) in self.resources.iter().enumerate() {
            let path = format!("resources[{index}]");
            let resources = entry.patterns(&path)?;
            for (place, pattern) in resources.iter().enumerate() {
                let mut before = entries.iter().flat_map(|entry| &entry.resources);
                if before.any(|other| other.covers(pattern)) {
                    let problem = "an entry before names this resource, so this one has no effect";
                    return Err(field(format!("{path}.resources[{place}]"), problem));
                }
            }
            entries.push(Entry { resources, providers: entry.providers(&path)? });
        }
        Ok(Encryption(entries))
    }
}

/// A message of serde without the texts that it quotes: a secret in the wrong place is one.
fn without_texts(message: &str) -> String {
    match (message.find("string \""), message.rfind("\", ")) {
        (Some(start), Some(end)) if start < end => {
            format!("{}text{}", &message[..start], &message[end + 1..])
        }
        _ => message.to_owned(),
    }
}

impl ResourceEntry {
    fn patterns(&self, path: &str) -> Result<Vec<ResourcePattern>, EncryptionConfigurationError> {
        if self.resources.is_empty() {
            return Err(field(format!("{path}.resources"), "at least one resource is required"));
        }
        let mut patterns: Vec<ResourcePattern> = Vec::new();
        for (index, text) in self.resources.iter().enumerate() {
            let named = format!("{path}.resources[{index}]");
            let pattern = ResourcePattern::parse(text)
                .map_err(|problem| field(&*named, format!("{text:?}: {problem}")))?;
            if patterns.contains(&pattern) {
                return Err(field(
                    named,
                    format!("{text:?}: the same resource cannot be specified multiple times"),
                ));
            }
            if patterns.iter().any(|other| other.overlaps(&pattern)) {
                let problem = "using overlapping resources such as 'secrets' and '*.' in the same resource list is not \
                               allowed as they will be masked";
                return Err(field(named, format!("{text:?}: {problem}")));
            }
            patterns.push(pattern);
        }
        Ok(patterns)
    }

    fn providers(&self, path: &str) -> Result<Vec<Provider>, EncryptionConfigurationError> {
        if self.providers.is_empty() {
            return Err(field(format!("{path}.providers"), "at least one provider is required"));
        }
        let provider =
            |(index, entry): (usize, &ProviderEntry)| entry.provider(&format!("{path}.providers[{index}]"));
        self.providers.iter().enumerate().map(provider).collect()
    }
}

impl ProviderEntry {
    fn provider(&self, path: &str) -> Result<Provider, EncryptionConfigurationError> {
        if self.kms.is_some() {
            let problem = "providers of key management services (KMS) are not built: use secretbox, aesgcm or aescbc, and keep \
                           this file where only the server reads it";
            return Err(field(format!("{path}.kms"), problem));
        }
        let keys = |name: &str, keys: &Keys, sizes| keys.read(&format!("{path}.{name}.keys"), sizes);
        match (&self.aesgcm, &self.aescbc, &self.secretbox, &self.identity) {
            (Some(aesgcm), None, None, None) => keys("aesgcm", aesgcm, &[16, 24, 32]).map(Provider::AesGcm),
            (None, Some(aescbc), None, None) => keys("aescbc", aescbc, &[16, 24, 32]).map(Provider::AesCbc),
            (None, None, Some(secretbox), None) => {
                keys("secretbox", secretbox, &[32]).map(Provider::Secretbox)
            }
            (None, None, None, Some(Identity {})) => Ok(Provider::Identity),
            (None, None, None, None) => Err(field(
                path,
                "provider does not contain any of the expected providers: aesgcm, aescbc, secretbox, identity",
            )),
            _ => Err(field(
                path,
                "more than one provider specified in a single element, should split into different list elements",
            )),
        }
    }
}

impl Keys {
    fn read(&self, path: &str, sizes: &[usize]) -> Result<Vec<Key>, EncryptionConfigurationError> {
        if self.keys.is_empty() {
            return Err(field(path, "at least one key is required"));
        }
        let mut keys: Vec<Key> = Vec::new();
        for (index, key) in self.keys.iter().enumerate() {
            let path = format!("{path}[{index}]");
            if key.name.is_empty() {
                return Err(field(format!("{path}.name"), "key.name is a required field"));
            }
            // A colon ends the name in the prefix of a value.
            if key.name.contains(':') || key.name.chars().any(char::is_control) {
                return Err(field(format!("{path}.name"), "a name has no colon and no control characters"));
            }
            if keys.iter().any(|other| other.name() == key.name) {
                return Err(field(
                    format!("{path}.name"),
                    format!("{:?} names another key as well", key.name),
                ));
            }
            if key.secret.is_empty() {
                return Err(field(format!("{path}.secret"), "key.secret is a required field"));
            }
            // The error of the decoder has a byte of the secret.
            let secret = STANDARD
                .decode(&key.secret)
                .map_err(|_| field(format!("{path}.secret"), "secrets must be base64 encoded"))?;
            if !sizes.contains(&secret.len()) {
                let problem = format!(
                    "secret is not of the expected length, got {}, expected one of {sizes:?}",
                    secret.len()
                );
                return Err(field(format!("{path}.secret"), problem));
            }
            keys.push(Key::new(&key.name, &secret));
        }
        Ok(keys)
    }
}
