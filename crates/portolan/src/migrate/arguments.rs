//! Arguments of `portolan migrate`.

use clap::Args;

use crate::hub_access::{Hub, HubAccess};

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
    #[command(flatten)]
    pub(crate) namespaces: MigratedNamespaces,
    /// Create the templates and policies, and delete the federated objects; without it they are only printed
    #[arg(long)]
    pub(crate) apply: bool,
    /// With --apply: time for each object to be taken over by its policies, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
}

/// The namespaces of the objects that a command migrates. The command has an argument `names`.
#[derive(Debug, Args)]
pub(crate) struct MigratedNamespaces {
    /// Namespace [default: that of the context]
    #[arg(short, long)]
    namespace: Option<String>,
    /// All namespaces
    #[arg(short = 'A', long, conflicts_with_all = ["namespace", "names"])]
    all_namespaces: bool,
}

impl MigratedNamespaces {
    /// The namespace; empty for all.
    pub(crate) fn chosen(&self, hub: &Hub) -> String {
        match self.all_namespaces {
            true => String::new(),
            false => hub.namespace_or(self.namespace.as_deref()).to_owned(),
        }
    }
}
