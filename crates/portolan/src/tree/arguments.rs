//! Arguments of `portolan tree`.

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use crate::completion::candidates::{clusters, kinds, namespaces};
use crate::hub_access::HubAccess;

const EXAMPLES: &str = "\
Examples:
  # A Deployment, its Works, and its ReplicaSets and Pods in every cluster
  portolan tree deployment/web -n shop

  # Only one cluster, printed again after every change
  portolan tree deploy/web -n shop --in eu -w";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Tree {
    /// The object on the control plane, as KIND/NAME or KIND NAME.
    #[arg(value_name = "KIND/NAME", add = ArgValueCompleter::new(kinds), num_args = 1..=2, required = true)]
    pub(crate) object: Vec<String>,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    /// Namespace [default: that of the context]
    #[arg(short, long, add = ArgValueCompleter::new(namespaces))]
    pub(crate) namespace: Option<String>,
    /// Only this cluster.
    #[arg(long = "in", value_name = "CLUSTER", add = ArgValueCompleter::new(clusters))]
    pub(crate) cluster: Option<String>,
    /// Output format
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<TreeOutput>,
    /// Keep running, and print the tree again when it changes
    #[arg(short, long)]
    pub(crate) watch: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TreeOutput {
    /// JSON with the same content.
    Json,
}
