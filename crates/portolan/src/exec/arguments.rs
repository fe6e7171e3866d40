//! Arguments of `portolan exec`.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;

use crate::completion::candidates::pods;
use crate::pods::PodAccess;

const EXAMPLES: &str = "\
Examples:
  # A command in a pod, wherever it runs
  portolan exec web-6f7c9-x2x4z -n shop -- cat /etc/hosts

  # A shell in the first pod of a Deployment, in one cluster
  portolan exec -it deploy/web -n shop -C eu -- sh

  # A container that is not the first
  portolan exec web-6f7c9-x2x4z -n shop -c proxy -- ls /

Exit status: that of the command.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Exec {
    /// The pod, or KIND/NAME of an object that selects pods
    #[arg(value_name = "POD|KIND/NAME", add = ArgValueCompleter::new(pods))]
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) access: PodAccess,
    /// The container [default: that of the annotation kubectl.kubernetes.io/default-container, or the first]
    #[arg(short, long, value_name = "NAME")]
    pub(crate) container: Option<String>,
    /// Pass standard input to the command
    #[arg(short = 'i', long)]
    pub(crate) stdin: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Print only what the command prints
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}
