//! Arguments of `portolan promote`.

use clap::{ArgAction, Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use crate::cluster_access::ClusterAccess;
use crate::completion::candidates::{clusters, kinds, namespaces, objects};
use crate::hub_access::HubAccess;

const EXAMPLES: &str = "\
Examples:
  # A Deployment of a cluster becomes a template, with a policy for this cluster
  portolan promote deployment web -n shop -C eu

  # With the ConfigMaps, Secrets and ServiceAccounts that it needs
  portolan promote deployment web -n shop -C eu --dependencies

  # What would be created
  portolan promote deployment web -n shop -C eu -o yaml

  # Batch by batch
  portolan promote services -l team=payments -n shop -C eu
  portolan promote configmaps --all -n shop -C eu --dry-run";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Promote {
    /// The kind, or KIND/NAME
    #[arg(add = ArgValueCompleter::new(kinds))]
    pub(crate) kind: String,
    /// Names of objects
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(objects))]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    #[command(flatten)]
    pub(crate) access: ClusterAccess,
    /// The cluster that has the objects
    #[arg(short = 'C', long, value_name = "CLUSTER", required = true, add = ArgValueCompleter::new(clusters))]
    pub(crate) cluster: String,
    /// Namespace [default: that of the context, or `default`]
    #[arg(short, long, add = ArgValueCompleter::new(namespaces))]
    pub(crate) namespace: Option<String>,
    /// All objects with these labels, instead of names
    #[arg(short = 'l', long, default_value = "", hide_default_value = true, value_name = "SELECTOR")]
    pub(crate) selector: String,
    /// All objects of the kind in the namespace, instead of names
    #[arg(long, conflicts_with = "selector")]
    pub(crate) all: bool,
    /// Also promote the objects that it refers to, by the built-in rules; the policy then takes them along
    #[arg(
        short, long, visible_alias = "deps", action = ArgAction::Set, num_args = 0..=1, default_value_t = false,
        default_missing_value = "true", require_equals = true, hide_possible_values = true, value_name = "BOOL"
    )]
    pub(crate) dependencies: bool,
    /// Create a policy that places the object in this cluster; `--auto-create-policy=false` creates none
    #[arg(
        long, action = ArgAction::Set, num_args = 0..=1, default_value_t = true, default_missing_value = "true",
        require_equals = true, hide_possible_values = true, value_name = "BOOL"
    )]
    pub(crate) auto_create_policy: bool,
    /// Name of the policy [default: the name of the object with a hash, as karmadactl makes it]
    #[arg(long, value_name = "NAME")]
    pub(crate) policy_name: Option<String>,
    /// Let the control plane check the objects, and store nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the templates and policies, and create nothing
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<PromoteOutput>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PromoteOutput {
    /// YAML documents.
    Yaml,
    /// JSON.
    Json,
}
