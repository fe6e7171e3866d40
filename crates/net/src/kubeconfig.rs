//! Kubeconfig files that this process writes: for users (`kubectl --kubeconfig`) and for the playground's members.
//!
//! Kubeconfigs of users are read by `portolan_runtime::client`, by kubectl's rules.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::files::{FileError, write_private};
use crate::pki::to_sec1;

/// A kubeconfig file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Kubeconfig {
    /// `v1`.
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    /// `Config`.
    pub kind: String,
    /// API servers.
    pub clusters: Vec<NamedCluster>,
    /// Credentials.
    pub users: Vec<NamedUser>,
    /// Pairs of a server and a user.
    pub contexts: Vec<NamedContext>,
    /// The context that clients use unless another one is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_context: Option<String>,
}

/// An API server with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedCluster {
    /// Name, unique among clusters.
    pub name: String,
    /// The server.
    pub cluster: Cluster,
}

/// Address of an API server, and the authorities that verify its certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Cluster {
    /// Base URL.
    pub server: String,
    /// The authorities to trust: base64 of PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_authority_data: Option<String>,
    /// Fields of a copied entry that this type does not name.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// A credential with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedUser {
    /// Name, unique among users.
    pub name: String,
    /// The credential.
    pub user: User,
}

/// Credential of a client.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct User {
    /// The client's certificate: base64 of PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate_data: Option<String>,
    /// The key of the certificate: base64 of PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key_data: Option<String>,
    /// A bearer token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Fields of a copied entry that this type does not name, such as `exec`.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").finish_non_exhaustive()
    }
}

/// A context with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedContext {
    /// Name, unique among contexts.
    pub name: String,
    /// The context.
    pub context: Context,
}

/// A pair of a server and a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Context {
    /// Name of a cluster.
    pub cluster: String,
    /// Name of a user.
    pub user: String,
    /// Namespace of requests that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

impl Default for Kubeconfig {
    fn default() -> Self {
        Self {
            api_version: "v1".to_owned(),
            kind: "Config".to_owned(),
            clusters: vec![],
            users: vec![],
            contexts: vec![],
            current_context: None,
        }
    }
}

impl Kubeconfig {
    /// A kubeconfig without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a context, its cluster and its user under one name; replaces entries of that name.
    ///
    /// The first context becomes the current one.
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

    /// Writes the file, readable by its owner alone (0600), in one step.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        write_private(path, self.to_yaml().as_bytes())
    }

    /// The text of the file. Holds secrets.
    pub fn to_yaml(&self) -> String {
        // Lines are never folded: base64 is one word.
        let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
        serde_saphyr::to_string_with_options(self, options).expect("strings and lists can be written as YAML")
    }
}

impl Cluster {
    /// A server, with the authorities that verify its certificate.
    pub fn new(server: impl Into<String>, authorities_pem: &str) -> Self {
        let authorities = Some(STANDARD.encode(authorities_pem));
        Self { server: server.into(), certificate_authority_data: authorities, ..Self::default() }
    }
}

impl User {
    /// A user with a client certificate. The key is written in the form that all clients read.
    pub fn certificate(certificate_pem: &str, key_pem: &str) -> Self {
        let sec1 = to_sec1(key_pem);
        let key_pem = sec1.as_deref().unwrap_or(key_pem);
        Self {
            client_certificate_data: Some(STANDARD.encode(certificate_pem)),
            client_key_data: Some(STANDARD.encode(key_pem)),
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
