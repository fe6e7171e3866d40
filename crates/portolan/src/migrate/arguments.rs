//! Arguments of `portolan migrate`.

use clap::Args;

use crate::hub_access::HubAccess;

const EXAMPLES: &str = "\
Examples:
  # What would take the place of a FederatedDeployment
  portolan migrate federateddeployment web -n shop

  # Everything in a namespace
  portolan migrate -n shop --apply";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Migrate {
    /// Federated kind, by its kind, plural or short name [default: all, without FederatedNamespaces].
    #[arg(value_name = "TYPE")]
    pub(crate) kind: Option<String>,
    /// Names of federated objects [default: all of the namespace].
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Namespace of the objects [default: that of the context]
    #[arg(short, long)]
    pub(crate) namespace: Option<String>,
    /// Objects of all namespaces
    #[arg(short = 'A', long, conflicts_with_all = ["namespace", "names"])]
    pub(crate) all_namespaces: bool,
    /// Create the templates and policies, and delete the federated objects; without it they are only printed
    #[arg(long)]
    pub(crate) apply: bool,
    /// With --apply: time for each object to be taken over by its policies, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
}
