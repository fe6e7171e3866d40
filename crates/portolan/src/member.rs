//! Flags for access to a member.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use portolan_runtime::Client;
use portolan_runtime::client::{KubeconfigContext, KubeconfigFiles};

/// The value of `--kubeconfig` for the service account of the pod.
const IN_CLUSTER: &str = "in-cluster";

const UNUSABLE: &str = "cannot use the member's kubeconfig";

/// Access to a member.
#[derive(Debug, Clone, Args)]
pub(crate) struct MemberAccess {
    /// Kubeconfig of the member, or `in-cluster` for the service account of the pod [default: the files of $KUBECONFIG,
    /// or ~/.kube/config]
    #[arg(long, value_name = "FILE|in-cluster")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: the current context]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

impl MemberAccess {
    /// A client of the member. Nothing is sent yet.
    pub(crate) async fn client(&self) -> Result<Client> {
        if self.kubeconfig.as_deref().is_some_and(|path| path.as_os_str() == IN_CLUSTER) {
            return Ok(Client::in_cluster()?);
        }
        self.loaded().await?.client().context(UNUSABLE)
    }

    /// The context of the kubeconfig.
    pub(crate) async fn loaded(&self) -> Result<KubeconfigContext> {
        let files = KubeconfigFiles::find(self.kubeconfig.as_deref());
        KubeconfigContext::load(&files, self.context.as_deref()).await.context(UNUSABLE)
    }
}
