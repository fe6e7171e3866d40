//! Arguments of `portolan get`.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use crate::completion::candidates::{kinds, objects};
use crate::hub_access::HubAccess;
use crate::object_scope::ObjectScope;
use crate::servers::scope::ClusterScope;

const EXAMPLES: &str = "\
Examples:
  # The Deployments of the control plane
  portolan get deployments -n shop

  # The same objects on the control plane and in every member, in one table
  portolan get deploy -n shop -s all

  # Everything in two members, all columns
  portolan get all -A -o wide -C eu,us

  # Changes in all clusters as they happen
  portolan get pods -n shop -l app=web -s members -w

  # The Pods of all members, the oldest first, with their image
  portolan get pods -A -s members --sort-by .metadata.creationTimestamp \\
    -o custom-columns=NAME:.metadata.name,IMAGE:.spec.containers[*].image

  # One field of one object
  portolan get deploy/web -n shop -o jsonpath='{.status.readyReplicas}'";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Get {
    /// Kinds, plurals, short names or categories, separated by commas, such as `deploy,svc`, `cpp` or `all`; or KIND/NAME
    #[arg(add = ArgValueCompleter::new(kinds))]
    pub(crate) resource: String,
    /// Names of objects, or further KIND/NAME
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(objects))]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    #[command(flatten)]
    pub(crate) objects: ObjectScope,
    #[command(flatten)]
    pub(crate) scope: ClusterScope,
    /// Field selector, such as `metadata.name=web`
    #[arg(long, default_value = "", hide_default_value = true, value_name = "SELECTOR")]
    pub(crate) field_selector: String,
    /// Keep running, and print changes
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// Print changes only, not the present objects
    #[arg(long, conflicts_with = "watch")]
    pub(crate) watch_only: bool,
    /// With --watch or --watch-only: also print what happened, ADDED, MODIFIED or DELETED
    #[arg(long)]
    pub(crate) output_watch_events: bool,
    /// Output format: wide, yaml, json, name, jsonpath=TEMPLATE, jsonpath-as-json=TEMPLATE, jsonpath-file=FILE,
    /// custom-columns=HEADING:PATH,…, custom-columns-file=FILE [default: a table]
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) output: Option<String>,
    /// The template of `-o jsonpath`, or its file with `-o jsonpath-file`
    #[arg(long, value_name = "TEMPLATE", requires = "output")]
    pub(crate) template: Option<String>,
    /// Sort by a field, such as `.metadata.creationTimestamp`, over all clusters
    #[arg(long, value_name = "PATH")]
    pub(crate) sort_by: Option<String>,
    /// Print no headings
    #[arg(long)]
    pub(crate) no_headers: bool,
    /// Add a column with all labels
    #[arg(long)]
    pub(crate) show_labels: bool,
    /// Add a column with the value of a label; may be repeated
    #[arg(short = 'L', long, value_delimiter = ',', value_name = "LABEL")]
    pub(crate) label_columns: Vec<String>,
    /// Print the kind before each name, also with one kind only
    #[arg(long)]
    pub(crate) show_kind: bool,
    /// Print who manages which field, with `-o json` and `-o yaml`
    #[arg(long)]
    pub(crate) show_managed_fields: bool,
    /// Say nothing, and succeed, if no such object exists
    #[arg(long)]
    pub(crate) ignore_not_found: bool,
    /// Objects of one request; 0 for all in one
    #[arg(long, default_value_t = 500, value_name = "COUNT")]
    pub(crate) chunk_size: u32,
}
