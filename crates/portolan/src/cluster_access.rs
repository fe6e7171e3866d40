//! The flags by which a command reaches a cluster that has joined.

use std::path::PathBuf;

use clap::Args;

/// How a command reaches a cluster that has joined.
#[derive(Debug, Args)]
pub(crate) struct ClusterAccess {
    /// Kubeconfig of the cluster, with the rights of an administrator [default: the credential that the control plane has]
    #[arg(long, value_name = "FILE")]
    pub(crate) cluster_kubeconfig: Option<PathBuf>,
    /// Context of that kubeconfig [default: the current context]
    #[arg(long, value_name = "NAME", requires = "cluster_kubeconfig")]
    pub(crate) cluster_context: Option<String>,
}
