//! Why a kubeconfig gives no client: the file, the entry, the cause and the next step. Never quotes a secret.

use std::io;
use std::path::{Path, PathBuf};

use kube::client::AuthError;
use kube::config::{ExecConfig, KubeconfigError as KubeError};

use super::Origin;
use crate::client::connect::ConnectError;

/// Why a kubeconfig gives no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KubeconfigError {
    /// None of the files exists.
    #[error("no kubeconfig at {searched}: name one with a flag, or set KUBECONFIG")]
    NotFound {
        /// The files.
        searched: String,
    },
    /// A file cannot be read.
    #[error("cannot read kubeconfig {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The answer of the operating system.
        source: io::Error,
    },
    /// A file is not a kubeconfig.
    #[error("{} is not a kubeconfig: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The mistake, with its line where known. Never quotes the file, which holds secrets.
        reason: String,
    },
    /// No context is chosen.
    #[error("{files} has no current-context: choose one of these contexts: {}", list(known))]
    NoCurrentContext {
        /// The files.
        files: String,
        /// The contexts.
        known: Vec<String>,
    },
    /// An entry does not exist.
    #[error("{files} has no {kind} {name:?}: known are {}", list(known))]
    Missing {
        /// The files.
        files: String,
        /// `context`, `cluster` or `user`.
        kind: &'static str,
        /// The name.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// A cluster has no address.
    #[error("{files}: cluster {cluster:?}: server is empty: give the URL of the API server")]
    NoServer {
        /// The files.
        files: String,
        /// The cluster.
        cluster: String,
    },
    /// A field of the context, its cluster or its user cannot be used.
    #[error("{files}: context {context:?}: {reason}")]
    Unusable {
        /// The files.
        files: String,
        /// The context.
        context: String,
        /// The field and the mistake.
        reason: String,
    },
    /// The server's address cannot be used.
    #[error("{files}: context {context:?}: {source}")]
    Server {
        /// The files.
        files: String,
        /// The context.
        context: String,
        /// The mistake.
        source: ConnectError,
    },
    /// `auth-provider` is not supported.
    #[error(
        "{files}: context {context:?}: auth-provider {provider:?} is not supported: give an exec plugin, such as kubelogin or \
         gke-gcloud-auth-plugin, a token or a client certificate"
    )]
    AuthProvider {
        /// The files.
        files: String,
        /// The context.
        context: String,
        /// Name of the provider.
        provider: String,
    },
    /// `proxy-url` is not supported.
    #[error(
        "{files}: context {context:?}: proxy-url is not supported: give a server that can be reached directly"
    )]
    Proxy {
        /// The files.
        files: String,
        /// The context.
        context: String,
    },
    /// The process does not run in a pod, or its service account is not mounted.
    #[error("not running in a pod with a service account: give a kubeconfig file instead")]
    NotInCluster(#[source] Box<kube::config::InClusterError>),
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

impl KubeconfigError {
    /// A file that cannot be read, parsed or merged.
    pub(super) fn invalid(path: &Path, source: &KubeError) -> Self {
        let path = path.to_owned();
        match source {
            KubeError::ReadConfig(error, _) => {
                let source = match error.raw_os_error() {
                    Some(code) => io::Error::from_raw_os_error(code),
                    None => io::Error::new(error.kind(), error.to_string()),
                };
                Self::Read { path, source }
            }
            // The text with its snippet would quote the file.
            KubeError::Parse(error) => {
                // Without the parser's advice to programmers.
                let reason = error.without_snippet().to_string().replace(
                    "cannot deserialize null into string; use Option<String>",
                    "a value is missing where a text is expected",
                );
                Self::Invalid { path, reason }
            }
            other => Self::Invalid { path, reason: other.to_string() },
        }
    }

    /// A context that kube cannot use.
    pub(super) fn unusable(files: &str, context: &str, source: &KubeError) -> Self {
        Self::Unusable { files: files.to_owned(), context: context.to_owned(), reason: source.to_string() }
    }

    /// A credential that cannot be obtained or used.
    pub(super) fn credential(origin: &Origin<'_>, source: kube::Error) -> Self {
        let exec = origin.user.exec.as_ref();
        let reason = match (source, exec) {
            (kube::Error::Auth(AuthError::AuthExecStart(error)), Some(exec)) => {
                format!("exec plugin {} cannot be started: {error}; {}", command(exec), install_hint(exec))
            }
            (kube::Error::Auth(AuthError::AuthExecRun { out, .. }), Some(exec)) => {
                let stderr = String::from_utf8_lossy(&out.stderr).trim().to_owned();
                let said = if stderr.is_empty() { "it printed no error".to_owned() } else { stderr };
                format!("exec plugin {} failed ({}): {said}", command(exec), out.status)
            }
            (kube::Error::Auth(AuthError::AuthExecParse(error)), Some(exec)) => format!(
                "exec plugin {} did not print an ExecCredential: {}",
                command(exec),
                error.without_snippet()
            ),
            (kube::Error::Auth(AuthError::ExecPluginFailed), Some(exec)) => {
                format!("exec plugin {} printed an ExecCredential without a status", command(exec))
            }
            (other, _) => format!("the credential cannot be used: {other}"),
        };
        Self::Unusable { files: origin.files.to_owned(), context: origin.context.to_owned(), reason }
    }
}

fn command(exec: &ExecConfig) -> &str {
    exec.command.as_deref().unwrap_or("without a command")
}

fn install_hint(exec: &ExecConfig) -> &str {
    exec.install_hint.as_deref().map_or("install it, or correct its path", str::trim)
}
