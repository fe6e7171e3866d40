//! Flags of `portolan playground` and `portolan quickstart`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::arguments::controllers::ControllerFlags;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Playground {
    #[command(subcommand)]
    pub(crate) command: Option<PlaygroundCommand>,
    /// Directory for all state; it survives a restart
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) dir: Option<PathBuf>,
    /// File that describes the clusters [default: two members, member1 and member2]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Port of the control plane's API server on 127.0.0.1 [default: the port of the last run, or a free one]
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// Put all members into a cluster set of this name, so that a service exported from one is a service of all.
    #[arg(long, value_name = "NAME")]
    pub(crate) clusterset: Option<String>,
    /// Network of the pods [default: the network of the file, or loopback]
    #[arg(long, value_enum, value_name = "MODE")]
    pub(crate) network: Option<NetworkMode>,
    #[command(flatten)]
    pub(crate) controllers: ControllerFlags,
}

/// Commands for a playground that runs.
#[derive(Debug, Subcommand)]
pub(crate) enum PlaygroundCommand {
    /// Cut two clusters apart: traffic between them is lost until the link is restored, or the playground restarts.
    Cut(Ends),
    /// Restore the link between two clusters.
    Restore(Ends),
    /// List the links between the clusters.
    Links(Folder),
    /// Stop a member: everything that runs for it ends, as when its processes are killed. Its state and port stay.
    Stop(Member),
    /// Start a member that was stopped.
    Start(Member),
    /// Pause a member, as SIGSTOP does: connections to it stay open and nothing answers.
    Pause(Member),
    /// Let a member go on that was paused.
    Resume(Member),
    /// List the members.
    Members(Folder),
}

#[derive(Debug, Args)]
pub(crate) struct Folder {
    /// Directory of the playground
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Member {
    /// Name of the member
    #[arg(value_name = "MEMBER")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) folder: Folder,
}

/// The ends of a link.
#[derive(Debug, Args)]
pub(crate) struct Ends {
    /// One cluster.
    #[arg(value_name = "CLUSTER")]
    pub(crate) one: String,
    /// The other.
    #[arg(value_name = "CLUSTER")]
    pub(crate) other: String,
    #[command(flatten)]
    pub(crate) folder: Folder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NetworkMode {
    /// Pods are built-in programs on loopback sockets; needs no rights.
    Loopback,
    /// Pods are real processes with namespaces and addresses of their own; needs `ip`, `nft`, and root or user namespaces.
    Namespaces,
}

impl From<NetworkMode> for portolan_playground::config::NetworkMode {
    fn from(mode: NetworkMode) -> Self {
        match mode {
            NetworkMode::Loopback => Self::Loopback,
            NetworkMode::Namespaces => Self::Namespaces,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Quickstart {
    /// Keep everything running afterwards, and print what to try next
    #[arg(long)]
    pub(crate) keep: bool,
    /// Directory for all state [default: a temporary directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}
