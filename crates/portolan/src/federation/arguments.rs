//! Arguments of `portolan federation`.

use clap::{Args, Subcommand};

use crate::hub_access::HubAccess;

const EXAMPLES: &str = "\
Examples:
  # Make the hub a federation API, with the context federation-cluster for it
  portolan federation init myfed
  kubectl --context=federation-cluster create -f services/nginx.yaml

  # Clusters, Services and zones of every federation
  portolan federation status";

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
    /// Print the state of clusters, Services and zones.
    Status {
        /// Only this Federation.
        name: Option<String>,
        #[command(flatten)]
        hub: HubAccess,
    },
}
