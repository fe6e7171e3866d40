//! Arguments of `portolan apply`.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use crate::completion::candidates::{clusters, namespaces};
use crate::hub_access::HubAccess;

const EXAMPLES: &str = "\
Examples:
  # To the control plane; the policies that are there decide about the clusters
  portolan apply -f web.yaml

  # And into two clusters, by a policy for each object
  portolan apply -f web.yaml -C eu,us

  # A folder, into every cluster
  portolan apply -f manifests/ -R --all-clusters

  # What would change in the clusters
  portolan plan -f web.yaml";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Apply {
    /// Files and folders with manifests, `-` for standard input; may be repeated
    #[arg(short, long = "filename", value_name = "FILE", required_unless_present = "kustomize")]
    pub(crate) files: Vec<String>,
    /// Also the folders in folders
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,
    /// A folder with a kustomization
    #[arg(short, long, value_name = "FOLDER", hide = true)]
    pub(crate) kustomize: Option<String>,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    /// Namespace of manifests without one [default: that of the context, or `default`]
    #[arg(short, long, add = ArgValueCompleter::new(namespaces))]
    pub(crate) namespace: Option<String>,
    /// Place each object in all clusters, by a policy for it
    #[arg(long, conflicts_with = "clusters")]
    pub(crate) all_clusters: bool,
    /// Place each object in these clusters, by a policy for it
    #[arg(short = 'C', long = "cluster", alias = "clusters", value_delimiter = ',', value_name = "CLUSTER", add = ArgValueCompleter::new(clusters))]
    pub(crate) clusters: Vec<String>,
    /// Take over fields that another program has written
    #[arg(long)]
    pub(crate) force_conflicts: bool,
    /// Let the control plane check the objects, and store nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
