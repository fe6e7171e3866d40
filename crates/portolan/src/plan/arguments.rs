//! Arguments of `portolan plan`.

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use crate::completion::candidates::namespaces;
use crate::hub_access::HubAccess;

const EXAMPLES: &str = "\
Examples:
  # What would this file change in the clusters?
  portolan plan -f policy.yaml

  # A folder with all folders below, or the output of another program
  portolan plan -f manifests/ -R
  kubectl kustomize overlays/prod | portolan plan -f -

Exit status: 0 if nothing would change, 2 if something would, 1 if there is an error.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Plan {
    /// Manifests: a file, a folder with .yaml, .yml and .json files, or - for standard input; may be repeated
    #[arg(short, long = "filename", value_name = "FILE|DIR|-", required_unless_present = "kustomize")]
    pub(crate) files: Vec<String>,
    /// Read the folders below a folder too
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,
    /// Not supported: pipe the output of kustomize instead
    #[arg(short, long, value_name = "DIR", hide = true)]
    pub(crate) kustomize: Option<String>,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    /// Namespace of manifests without one [default: that of the context]
    #[arg(short, long, add = ArgValueCompleter::new(namespaces))]
    pub(crate) namespace: Option<String>,
    /// Output format
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<PlanOutput>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanOutput {
    /// JSON with the same content.
    Json,
}
