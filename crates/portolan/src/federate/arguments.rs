//! Arguments of `portolan federate`.

use clap::{Args, Subcommand, ValueEnum};

use crate::hub_access::HubAccess;

const EXAMPLES: &str = "\
Examples:
  # A Deployment, and the ConfigMaps, Secrets and ServiceAccounts that it refers to
  portolan federate deployment web -n shop --dependencies

  # A namespace and everything in it, printed only
  portolan federate namespace shop --contents -o yaml

  # Give the kind Boat a federated form
  portolan federate enable boats.example.com";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = EXAMPLES)]
pub(crate) struct Federate {
    #[command(subcommand)]
    pub(crate) command: Option<FederateCommand>,
    /// Type of the object: kind, plural, singular or short name, with or without its group.
    #[arg(value_name = "TYPE", required = true)]
    pub(crate) kind: Option<String>,
    /// Name of the object.
    #[arg(value_name = "NAME", required = true)]
    pub(crate) name: Option<String>,
    /// Namespace of the object [default: that of the context]
    #[arg(short, long)]
    pub(crate) namespace: Option<String>,
    /// Federate the objects that it refers to as well
    #[arg(long)]
    pub(crate) dependencies: bool,
    /// Federate everything that is in the namespace NAME as well
    #[arg(short, long)]
    pub(crate) contents: bool,
    /// Print the federated objects, and create nothing
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Yaml>,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
}

/// The one output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Yaml {
    /// YAML documents that `kubectl apply` takes.
    Yaml,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FederateCommand {
    /// Give a kind a federated form: its definition and its FederatedTypeConfig.
    Enable {
        /// The kind: plural, singular or short name, with or without its group.
        #[arg(value_name = "TYPE")]
        kind: String,
        /// Print the objects, and create nothing
        #[arg(short, long, value_enum)]
        output: Option<Yaml>,
        #[command(flatten)]
        hub: HubAccess,
    },
    /// Stop the propagation of a federated kind; members keep what they have.
    Disable {
        /// The kind that members get: plural, singular or short name, with or without its group.
        #[arg(value_name = "TYPE")]
        kind: String,
        /// Delete the definition of the federated kind as well, if there is no object of it
        #[arg(long)]
        delete_crd: bool,
        #[command(flatten)]
        hub: HubAccess,
    },
}
