//! Kubeconfigs: the address book of Kubernetes clients.
//!
//! We write them for users (`kubectl --kubeconfig`) and read those that users have. What we cannot do, such as running a
//! credential helper, is an error that names the user entry and the field, never a guess.

mod resolve;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files::{FileError, read_text, write_private};

pub use resolve::{Connection, Credential};

/// Why a kubeconfig cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KubeconfigError {
    /// It, or a file it names, cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),

    /// It is not a kubeconfig.
    #[error("{} is not a kubeconfig: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where known. Never quotes the file, which holds secrets.
        reason: String,
    },

    /// It has no context chosen.
    #[error("{} has no current-context: name one of {}", path.display(), list(known))]
    NoContext {
        /// The file.
        path: PathBuf,
        /// The contexts it has.
        known: Vec<String>,
    },

    /// An entry is not there.
    #[error("{} has no {kind} {name:?}: known are {}", path.display(), list(known))]
    Missing {
        /// The file.
        path: PathBuf,
        /// `context`, `cluster` or `user`.
        kind: &'static str,
        /// The name looked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },

    /// An entry asks for something that is not supported, or contradicts itself.
    #[error("{}: {kind} {name:?}: {field} {fault}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// `cluster` or `user`.
        kind: &'static str,
        /// The entry.
        name: String,
        /// The field.
        field: &'static str,
        /// What is wrong with it, and what to do.
        fault: &'static str,
    },
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// A kubeconfig file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Kubeconfig {
    /// `v1`.
    #[serde(rename = "apiVersion", default = "v1")]
    pub api_version: String,
    /// `Config`.
    #[serde(default = "kind")]
    pub kind: String,
    /// API servers.
    #[serde(default, deserialize_with = "null_as_default")]
    pub clusters: Vec<NamedCluster>,
    /// Credentials.
    #[serde(default, deserialize_with = "null_as_default")]
    pub users: Vec<NamedUser>,
    /// Which user goes to which server.
    #[serde(default, deserialize_with = "null_as_default")]
    pub contexts: Vec<NamedContext>,
    /// The context taken when none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_context: Option<String>,
    /// Where it was read from: relative file names start there. Empty for one that was made.
    #[serde(skip)]
    path: PathBuf,
}

fn v1() -> String {
    "v1".to_owned()
}

fn kind() -> String {
    "Config".to_owned()
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// An API server with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedCluster {
    /// Unique among clusters.
    pub name: String,
    /// The server.
    pub cluster: Cluster,
}

/// How to reach an API server and how to know it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Cluster {
    /// Base URL.
    pub server: String,
    /// File with the authorities to trust, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<String>,
    /// The same inline: base64 of PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_authority_data: Option<String>,
    /// The name to expect in the server's certificate instead of the host of the URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_server_name: Option<String>,
    /// Not to check the server's certificate. Read, and refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insecure_skip_tls_verify: Option<bool>,
    /// A proxy. Read, and refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_url: Option<String>,
}

/// A credential with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedUser {
    /// Unique among users.
    pub name: String,
    /// The credential.
    #[serde(default, deserialize_with = "null_as_default")]
    pub user: User,
}

/// How a client proves who it is.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct User {
    /// File with the client's certificate, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<String>,
    /// The same inline: base64 of PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate_data: Option<String>,
    /// File with the certificate's key, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key: Option<String>,
    /// The same inline: base64 of PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key_data: Option<String>,
    /// A bearer token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// File with a bearer token.
    #[serde(rename = "tokenFile", skip_serializing_if = "Option::is_none")]
    pub token_file: Option<String>,
    /// Everything else; what changes who the client is gets refused.
    #[serde(flatten, skip_serializing)]
    pub other: BTreeMap<String, Ignored>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").finish_non_exhaustive()
    }
}

/// A value of a field that we know by name only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ignored;

impl Serialize for Ignored {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }
}

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// A context with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedContext {
    /// Unique among contexts.
    pub name: String,
    /// The context.
    pub context: Context,
}

/// Which user goes to which server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Context {
    /// Name of a cluster.
    pub cluster: String,
    /// Name of a user.
    pub user: String,
    /// The namespace of requests that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

impl Default for Kubeconfig {
    fn default() -> Self {
        Self {
            api_version: v1(),
            kind: kind(),
            clusters: vec![],
            users: vec![],
            contexts: vec![],
            current_context: None,
            path: PathBuf::new(),
        }
    }
}

impl Kubeconfig {
    /// One without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a context, its cluster and its user, all called `name`; replaces those of that name.
    ///
    /// The first context added becomes the current one.
    #[must_use]
    pub fn with_context(mut self, name: &str, cluster: Cluster, user: User) -> Self {
        self.clusters.retain(|entry| entry.name != name);
        self.users.retain(|entry| entry.name != name);
        self.contexts.retain(|entry| entry.name != name);
        let named = || name.to_owned();
        self.clusters.push(NamedCluster { name: named(), cluster });
        self.users.push(NamedUser { name: named(), user });
        let context = Context { cluster: named(), user: named(), namespace: None };
        self.contexts.push(NamedContext { name: named(), context });
        self.current_context.get_or_insert_with(named);
        self
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`KubeconfigError::File`] or [`KubeconfigError::Invalid`].
    pub fn read(path: &Path) -> Result<Self, KubeconfigError> {
        let text = read_text(path)?;
        let invalid = |reason| KubeconfigError::Invalid { path: path.to_owned(), reason };
        let mut config: Self = serde_saphyr::from_str(&text)
            .map_err(|error: serde_saphyr::Error| invalid(error.without_snippet().to_string()))?;
        if (config.api_version.as_str(), config.kind.as_str()) != ("v1", "Config") {
            return Err(invalid(format!(
                "it is a {} of {}, not a Config of v1",
                config.kind, config.api_version
            )));
        }
        path.clone_into(&mut config.path);
        Ok(config)
    }

    /// Writes the file, readable by its owner alone (0600), in one step.
    ///
    /// Meant for kubeconfigs made here: of one that was read, fields that this type does not know are not kept.
    ///
    /// # Errors
    /// [`KubeconfigError::File`].
    pub fn write(&self, path: &Path) -> Result<(), KubeconfigError> {
        Ok(write_private(path, self.to_yaml().as_bytes())?)
    }

    /// The text of the file. Holds secrets.
    pub fn to_yaml(&self) -> String {
        // Lines are never folded: base64 is one word.
        let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
        serde_saphyr::to_string_with_options(self, options).expect("strings and lists can be written as YAML")
    }
}

impl Cluster {
    /// A server that is known by the authorities that signed its certificate.
    pub fn new(server: impl Into<String>, authorities_pem: &str) -> Self {
        let authorities = Some(resolve::inline(authorities_pem));
        Self { server: server.into(), certificate_authority_data: authorities, ..Self::default() }
    }
}

impl User {
    /// A user with a client certificate.
    pub fn certificate(certificate_pem: &str, key_pem: &str) -> Self {
        Self {
            client_certificate_data: Some(resolve::inline(certificate_pem)),
            client_key_data: Some(resolve::inline(key_pem)),
            ..Self::default()
        }
    }

    /// A user with a bearer token.
    pub fn token(token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..Self::default() }
    }
}

#[cfg(test)]
mod tests;
