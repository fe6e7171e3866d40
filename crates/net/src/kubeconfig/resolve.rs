//! From the name of a context to everything that a connection needs.
//!
//! Precedence is client-go's: inline data before files, a token file before a token.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Cluster, Kubeconfig, KubeconfigError, User};
use crate::files::read_text;

/// Fields of a user that say who it is in a way we do not support.
const REFUSED: [(&str, &str); 8] = [
    ("exec", "runs a helper program, which is not supported: use a token or a client certificate"),
    ("auth-provider", "is not supported: use a token or a client certificate"),
    ("username", "is not supported: use a token or a client certificate"),
    ("password", "is not supported: use a token or a client certificate"),
    ("as", "is not supported: use a user of its own"),
    ("as-uid", "is not supported: use a user of its own"),
    ("as-groups", "is not supported: use a user of its own"),
    ("as-user-extra", "is not supported: use a user of its own"),
];

/// Everything a client needs to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The context it came from.
    pub context: String,
    /// Base URL.
    pub server: String,
    /// Authorities to trust, PEM; `None` for those of the system.
    pub authorities_pem: Option<String>,
    /// The name to expect in the server's certificate instead of the host of the URL.
    pub tls_server_name: Option<String>,
    /// How to prove who we are.
    pub credential: Credential,
    /// The namespace of requests that name none.
    pub namespace: Option<String>,
}

/// How a client proves who it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// It does not.
    Anonymous,
    /// A bearer token.
    Token(String),
    /// A client certificate.
    Certificate {
        /// The certificate and its intermediate ones, PEM.
        chain_pem: String,
        /// The private key, PEM.
        key_pem: String,
    },
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Token(_) => "Token(..)",
            Self::Certificate { .. } => "Certificate(..)",
        })
    }
}

impl Kubeconfig {
    /// What a context says, or the current one; files that it names are read.
    ///
    /// # Errors
    /// [`KubeconfigError`] naming the entry and the field.
    pub fn connection(&self, context: Option<&str>) -> Result<Connection, KubeconfigError> {
        let names = || self.contexts.iter().map(|entry| entry.name.clone()).collect();
        let current = self.current_context.as_deref().filter(|name| !name.is_empty());
        let name = context
            .or(current)
            .ok_or_else(|| KubeconfigError::NoContext { path: self.path.clone(), known: names() })?;
        let context = self.contexts.iter().find(|entry| entry.name == name);
        let context = &context.ok_or_else(|| self.missing("context", name, names()))?.context;
        let cluster = self.clusters.iter().find(|entry| entry.name == context.cluster).ok_or_else(|| {
            let known = self.clusters.iter().map(|entry| entry.name.clone()).collect();
            self.missing("cluster", &context.cluster, known)
        })?;
        let cluster_fields = Fields { config: self, kind: "cluster", name: &cluster.name };
        let (server, authorities_pem) = cluster_fields.server(&cluster.cluster)?;
        let credential = match context.user.as_str() {
            "" => Credential::Anonymous,
            wanted => {
                let user = self.users.iter().find(|entry| entry.name == wanted).ok_or_else(|| {
                    let known = self.users.iter().map(|entry| entry.name.clone()).collect();
                    self.missing("user", wanted, known)
                })?;
                Fields { config: self, kind: "user", name: &user.name }.credential(&user.user)?
            }
        };
        Ok(Connection {
            context: name.to_owned(),
            server,
            authorities_pem,
            tls_server_name: cluster.cluster.tls_server_name.clone(),
            credential,
            namespace: context.namespace.clone().filter(|namespace| !namespace.is_empty()),
        })
    }

    fn missing(&self, kind: &'static str, name: &str, known: Vec<String>) -> KubeconfigError {
        KubeconfigError::Missing { path: self.path.clone(), kind, name: name.to_owned(), known }
    }
}

/// One entry being read.
struct Fields<'a> {
    config: &'a Kubeconfig,
    kind: &'static str,
    name: &'a str,
}

impl Fields<'_> {
    fn server(&self, cluster: &Cluster) -> Result<(String, Option<String>), KubeconfigError> {
        if cluster.server.is_empty() {
            return Err(self.fault("server", "is empty: give the URL of the API server"));
        }
        if cluster.insecure_skip_tls_verify == Some(true) {
            let fault = "is not supported: name the server's authority in certificate-authority";
            return Err(self.fault("insecure-skip-tls-verify", fault));
        }
        if cluster.proxy_url.as_deref().is_some_and(|proxy| !proxy.is_empty()) {
            return Err(
                self.fault("proxy-url", "is not supported: give a server that can be reached directly")
            );
        }
        let (data, file) = (&cluster.certificate_authority_data, &cluster.certificate_authority);
        let authorities =
            self.data_or_file("certificate-authority-data", data.as_deref(), file.as_deref())?;
        Ok((cluster.server.clone(), authorities))
    }

    fn credential(&self, user: &User) -> Result<Credential, KubeconfigError> {
        if let Some((field, fault)) = REFUSED.iter().find(|(field, _)| user.other.contains_key(*field)) {
            return Err(self.fault(field, fault));
        }
        let (data, file) = (user.client_certificate_data.as_deref(), user.client_certificate.as_deref());
        let chain = self.data_or_file("client-certificate-data", data, file)?;
        let (data, file) = (user.client_key_data.as_deref(), user.client_key.as_deref());
        let key = self.data_or_file("client-key-data", data, file)?;
        match (chain, key) {
            (Some(chain_pem), Some(key_pem)) => return Ok(Credential::Certificate { chain_pem, key_pem }),
            (Some(_), None) => return Err(self.fault("client-key", "is missing beside client-certificate")),
            (None, Some(_)) => return Err(self.fault("client-certificate", "is missing beside client-key")),
            (None, None) => {}
        }
        let token = match set(user.token_file.as_deref()) {
            Some(file) => Some(read_text(&self.located(file))?.trim().to_owned()),
            None => set(user.token.as_deref()).map(str::to_owned),
        };
        Ok(token.map_or(Credential::Anonymous, Credential::Token))
    }

    fn data_or_file(
        &self,
        field: &'static str,
        data: Option<&str>,
        file: Option<&str>,
    ) -> Result<Option<String>, KubeconfigError> {
        if let Some(data) = set(data) {
            let decoded = STANDARD.decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            return decoded.map(Some).ok_or_else(|| self.fault(field, "is not base64 of PEM"));
        }
        match set(file) {
            Some(file) => Ok(Some(read_text(&self.located(file))?)),
            None => Ok(None),
        }
    }

    /// Relative names start at the directory of the kubeconfig.
    fn located(&self, file: &str) -> PathBuf {
        self.config.path.parent().unwrap_or(Path::new("")).join(file)
    }

    fn fault(&self, field: &'static str, fault: &'static str) -> KubeconfigError {
        let (path, name) = (self.config.path.clone(), self.name.to_owned());
        KubeconfigError::Unsupported { path, kind: self.kind, name, field, fault }
    }
}

/// An empty string says as much as none.
fn set(value: Option<&str>) -> Option<&str> {
    value.filter(|value| !value.is_empty())
}

pub(super) fn inline(pem: &str) -> String {
    STANDARD.encode(pem)
}
