//! Why a cluster could not be read, and what restores the link to it.
//!
//! A cluster that the control plane cannot read is not a dead cluster: its pods may answer, and other clusters keep its
//! endpoints. So the cause is told apart from what the service does.

use std::fmt;

/// What keeps a cluster from being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostCause {
    /// The Secret of the Cluster object does not exist or lacks a key.
    NoCredential,
    /// The user of the command may not read that Secret on the control plane.
    NotAllowed,
    /// The API server does not accept the credential (401).
    CredentialRefused,
    /// The account of the control plane lacks a right to read (403).
    RightsMissing,
    /// The certificate of the API server is not one of the CA in the Secret.
    Certificate,
    /// No connection to the API server.
    Unreachable,
    /// The API server took longer to answer than is waited for.
    Silent,
    /// The API server answers with an error.
    Failing,
    /// The cluster is in pull mode: the control plane has no credential for it.
    Pull,
    /// Any other error.
    Other,
}

/// A cluster that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Lost {
    /// The cause.
    pub cause: LostCause,
    /// Message of the error.
    pub message: String,
}

impl Lost {
    /// A failure with its cause.
    pub fn new(cause: LostCause, message: impl Into<String>) -> Self {
        Self { cause, message: message.into() }
    }

    /// What to do, for the cluster of this name.
    pub fn cure(&self, cluster: &str) -> String {
        match self.cause {
            LostCause::NoCredential => format!(
                "`portolan join {cluster} --cluster-kubeconfig FILE` makes a new Secret for spec.secretRef of Cluster {cluster}"
            ),
            LostCause::NotAllowed => format!(
                "ask as a user with the right `get` on the Secret of spec.secretRef of Cluster {cluster}, on the control plane"
            ),
            LostCause::CredentialRefused => format!(
                "`portolan join {cluster} --cluster-kubeconfig FILE` again: it replaces the token in the Secret of \
                 spec.secretRef of Cluster {cluster}"
            ),
            LostCause::RightsMissing => format!(
                "`portolan cluster permissions {cluster} --all --apply --cluster-kubeconfig FILE` gives the account its rights \
                 again"
            ),
            LostCause::Certificate => format!(
                "`portolan join {cluster} --cluster-kubeconfig FILE` again: it replaces caBundle in the Secret of \
                 spec.secretRef of Cluster {cluster}"
            ),
            LostCause::Unreachable | LostCause::Silent => format!(
                "start the API server of {cluster}, or correct spec.apiEndpoint of Cluster {cluster} and the route to it"
            ),
            LostCause::Failing => format!("see the log of the API server of {cluster}"),
            LostCause::Pull => format!("ask with a kubeconfig of {cluster}: it is in pull mode"),
            LostCause::Other => format!("`kubectl describe cluster {cluster}` on the control plane"),
        }
    }
}

impl fmt::Display for LostCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCredential => "its Secret on the control plane is gone or lacks a key",
            Self::NotAllowed => "your account may not use the control plane's credential for it",
            Self::CredentialRefused => "its API server refuses the credential of the control plane",
            Self::RightsMissing => "the account of the control plane lacks a right there",
            Self::Certificate => "the certificate of its API server is not trusted",
            Self::Unreachable => "no connection to its API server",
            Self::Silent => "its API server does not answer in time",
            Self::Failing => "its API server answers with an error",
            Self::Pull => "it is in pull mode",
            Self::Other => "it cannot be read",
        })
    }
}
