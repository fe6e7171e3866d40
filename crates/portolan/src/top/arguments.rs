//! Arguments of `portolan top`.

use clap::{Args, Subcommand, ValueEnum};

use crate::hub_access::HubAccess;
use crate::object_scope::ObjectScope;
use crate::servers::scope::ClusterScope;

const POD_EXAMPLES: &str = "\
Examples:
  # The pods of a namespace in all members, the hungriest first
  portolan top pods -n shop --sort-by memory

  # One cluster, each container, with the sum
  portolan top pods -n shop -C eu --containers --sum";

const NODE_EXAMPLES: &str = "\
Examples:
  # The nodes of all members
  portolan top nodes

  # Of two members, by CPU
  portolan top nodes -C eu,us --sort-by cpu";

/// What is used in the members, from their metrics-server.
#[derive(Debug, Subcommand)]
pub(crate) enum Top {
    /// CPU and memory of pods.
    #[command(visible_aliases = ["pod", "po"])]
    Pods(Box<TopPods>),
    /// CPU and memory of nodes.
    #[command(visible_aliases = ["node", "no"])]
    Nodes(Box<TopNodes>),
}

#[derive(Debug, Args)]
#[command(after_help = POD_EXAMPLES)]
pub(crate) struct TopPods {
    /// Name of a pod
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    #[command(flatten)]
    pub(crate) objects: ObjectScope,
    #[command(flatten)]
    pub(crate) scope: ClusterScope,
    /// Field selector, such as `metadata.name=web-1`
    #[arg(long, default_value = "", hide_default_value = true, value_name = "SELECTOR")]
    pub(crate) field_selector: String,
    /// The hungriest first [default: by name]
    #[arg(long, value_enum)]
    pub(crate) sort_by: Option<SortBy>,
    /// A line for each container
    #[arg(long)]
    pub(crate) containers: bool,
    /// A last line with the sum
    #[arg(long)]
    pub(crate) sum: bool,
    /// Print no headings
    #[arg(long)]
    pub(crate) no_headers: bool,
}

#[derive(Debug, Args)]
#[command(after_help = NODE_EXAMPLES)]
pub(crate) struct TopNodes {
    /// Name of a node
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    #[command(flatten)]
    pub(crate) scope: ClusterScope,
    /// Label selector, such as `pool=gpu`
    #[arg(short = 'l', long, default_value = "", hide_default_value = true, value_name = "SELECTOR")]
    pub(crate) selector: String,
    /// The hungriest first [default: by name]
    #[arg(long, value_enum)]
    pub(crate) sort_by: Option<SortBy>,
    /// Print no headings
    #[arg(long)]
    pub(crate) no_headers: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortBy {
    /// Cores.
    Cpu,
    /// Bytes.
    Memory,
}
