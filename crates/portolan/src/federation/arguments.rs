//! Arguments of `portolan federation`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::hub_access::HubAccess;

const EXAMPLES: &str = "\
Examples:
  # Make the hub a federation API, with the context federation-cluster for it
  portolan federation init myfed
  kubectl --context=federation-cluster create -f services/nginx.yaml

  # Clusters, Services and zones of every federation
  portolan federation status

  # Clusters and federated objects of a KubeFed host; first only what would change in its members
  portolan federation take-over --from-kubefed host.config --dry-run
  portolan federation take-over --from-kubefed host.config";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct FederationArguments {
    #[command(subcommand)]
    pub(crate) command: FederationCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FederationCommand {
    /// Create a Federation, and a context for it in the kubeconfig.
    Init {
        /// Name of the Federation, which is a label of the names of its Services.
        name: String,
        /// Name of the context
        #[arg(long, value_name = "NAME", default_value = "federation-cluster")]
        new_context: String,
        #[command(flatten)]
        hub: HubAccess,
    },
    /// Take over the clusters and federated objects of a KubeFed host. Members keep their objects as they are; the host is only
    /// read.
    TakeOver(TakeOverArguments),
    /// Print the state of clusters, Services and zones.
    Status {
        /// Only this Federation.
        name: Option<String>,
        #[command(flatten)]
        hub: HubAccess,
    },
}

/// The host, and how far to go.
#[derive(Debug, Args)]
pub(crate) struct TakeOverArguments {
    /// Kubeconfig of the KubeFed host
    #[arg(long, value_name = "FILE")]
    pub(crate) from_kubefed: PathBuf,
    /// Context of that kubeconfig [default: the current context]
    #[arg(long, value_name = "NAME")]
    pub(crate) host_context: Option<String>,
    /// Print what would be created, and what would change in the members; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Go on although objects in members change; without it nothing is taken over then
    #[arg(long)]
    pub(crate) accept_changes: bool,
    /// Time for clusters to be ready, and then for objects to be taken over, in seconds each
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
}
