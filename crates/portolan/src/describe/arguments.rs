//! Arguments of `portolan describe`.

use clap::{ArgAction, Args};
use clap_complete::engine::ArgValueCompleter;

use crate::completion::candidates::{kinds, objects};
use crate::hub_access::HubAccess;
use crate::object_scope::ObjectScope;
use crate::servers::scope::ClusterScope;

const EXAMPLES: &str = "\
Examples:
  # A Deployment of the control plane, with its events
  portolan describe deployment/web -n shop

  # The same object in every member
  portolan describe deploy web -n shop -s members

  # Pods with a label in one cluster
  portolan describe pods -l app=web -n shop -C eu";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Describe {
    /// The kind by any of its names, or KIND/NAME
    #[arg(add = ArgValueCompleter::new(kinds))]
    pub(crate) kind: String,
    /// Names of objects [default: all]
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(objects))]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    #[command(flatten)]
    pub(crate) objects: ObjectScope,
    #[command(flatten)]
    pub(crate) scope: ClusterScope,
    /// Print events; `--show-events=false` leaves them out
    #[arg(
        long, action = ArgAction::Set, num_args = 0..=1, default_value_t = true, default_missing_value = "true",
        require_equals = true, hide_possible_values = true, value_name = "BOOL"
    )]
    pub(crate) show_events: bool,
}
