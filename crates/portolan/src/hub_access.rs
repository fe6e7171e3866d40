//! The flags by which a command finds the control plane.

use std::path::PathBuf;

use clap::Args;

/// Access to the control plane.
#[derive(Debug, Clone, Args)]
pub(crate) struct HubAccess {
    /// Kubeconfig of the control plane [default: the files of $KUBECONFIG, or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: the current context]
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
}
