//! Access to the cluster that a command works in.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use portolan_runtime::Client;

/// In place of a file: the service account of the pod.
const IN_CLUSTER: &str = "in-cluster";

/// Access to a member.
#[derive(Debug, Clone, Args)]
pub(crate) struct MemberAccess {
    /// Kubeconfig of the member, or `in-cluster` for the service account of the pod.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE|in-cluster")]
    kubeconfig: PathBuf,
    /// Context in that file; the current one without it.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

impl MemberAccess {
    /// A client of the member. Nothing is sent yet.
    pub(crate) async fn client(&self) -> Result<Client> {
        if self.kubeconfig.as_os_str() == IN_CLUSTER {
            return Ok(Client::in_cluster()?);
        }
        Ok(Client::from_kubeconfig(&self.kubeconfig, self.context.as_deref()).await?)
    }
}
