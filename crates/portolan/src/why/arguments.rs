//! Arguments of `portolan why`.

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use crate::completion::candidates::{clusters, kinds, namespaces};
use crate::hub_access::HubAccess;

const EXAMPLES: &str = "\
Examples:
  # Where does this Deployment go, and what keeps it from there?
  portolan why deployment/web -n shop

  # Only the path to one cluster
  portolan why deploy/web -n shop --in eu

  # An object in a cluster that came from the control plane
  portolan why pod/web-6f7c9-x2x4z -n shop --in eu

  # Everything that is broken, grouped by cause
  portolan why

  # A service of the cluster set, from its export to a connection
  portolan why service web -n shop --from us

Exit status: 0 if nothing is broken, 1 if something is.";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = EXAMPLES)]
pub(crate) struct Why {
    #[command(subcommand)]
    pub(crate) other: Option<WhyOther>,
    #[command(flatten)]
    pub(crate) object: WhyObject,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WhyOther {
    /// Walk from a service's export to a connection, and show the first hop that is broken; of a Service of a Federation,
    /// show its clusters and its public names.
    Service(WhyService),
}

#[derive(Debug, Args)]
pub(crate) struct WhyObject {
    /// The object, as KIND/NAME or KIND NAME; the kind by any name that kubectl takes.
    #[arg(value_name = "KIND/NAME", add = ArgValueCompleter::new(kinds), num_args = 0..=2)]
    pub(crate) object: Vec<String>,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    /// Namespace [default: that of the context]
    #[arg(short, long, add = ArgValueCompleter::new(namespaces))]
    pub(crate) namespace: Option<String>,
    /// Only the path to this cluster. The object may also be one that the cluster made from it, such as a Pod
    #[arg(long = "in", value_name = "CLUSTER", add = ArgValueCompleter::new(clusters))]
    pub(crate) cluster: Option<String>,
    /// Output format
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<WhyOutput>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WhyOutput {
    /// JSON with the same content.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct WhyService {
    /// Name of the service, or NAMESPACE/NAME.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    /// Namespace [default: that of the context]
    #[arg(short, long, add = ArgValueCompleter::new(namespaces))]
    pub(crate) namespace: Option<String>,
    /// The cluster that uses the service [default: every cluster that the service is for]
    #[arg(long, value_name = "CLUSTER", add = ArgValueCompleter::new(clusters))]
    pub(crate) from: Option<String>,
    /// Also query DNS and connect, from a pod that is started in the cluster that uses the service, and deleted
    /// afterwards
    #[arg(long)]
    pub(crate) probe: bool,
    /// Image of that pod; it must have busybox's sh, nslookup and nc.
    #[arg(long, value_name = "IMAGE", default_value = "busybox", requires = "probe")]
    pub(crate) probe_image: String,
}
