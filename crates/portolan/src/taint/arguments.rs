//! Arguments of `portolan taint`, `cordon` and `uncordon`.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use crate::completion::candidates::clusters;
use crate::hub_access::HubAccess;

const EXAMPLES: &str = "\
Examples:
  # Keep what does not tolerate it out of a cluster
  portolan taint clusters eu dedicated=special-user:NoSchedule

  # Replace the value
  portolan taint clusters eu dedicated=other:NoSchedule --overwrite

  # Remove it, and all taints with another key
  portolan taint clusters eu dedicated:NoSchedule- maintenance-";

const CORDON_EXAMPLES: &str = "\
Examples:
  # No new workloads for a cluster; what is there stays
  portolan cordon eu

  # Again
  portolan uncordon eu";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Taint {
    /// `clusters`, the names of clusters, then taints: KEY=VALUE:EFFECT or KEY:EFFECT to add, KEY:EFFECT- or KEY- to
    /// remove
    #[arg(value_name = "clusters NAME... TAINT", required = true, num_args = 2.., add = ArgValueCompleter::new(clusters))]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    /// Replace the value of a taint that is there
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Let the control plane check the change, and do not make it
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
#[command(after_help = CORDON_EXAMPLES)]
pub(crate) struct Cordon {
    /// Names of clusters
    #[arg(required = true, value_name = "CLUSTER", add = ArgValueCompleter::new(clusters))]
    pub(crate) clusters: Vec<String>,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    /// Let the control plane check the change, and do not make it
    #[arg(long)]
    pub(crate) dry_run: bool,
}
