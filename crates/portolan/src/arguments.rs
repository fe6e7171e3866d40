//! Every command and flag, in one place.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use portolan_plan::dns::ZoneKind;

use crate::member::MemberAccess;

/// Joins Kubernetes clusters into one federation.
///
/// Policies place workloads into clusters, and every cluster finds and reaches the services of every other.
#[derive(Debug, Parser)]
#[command(name = "portolan", version, propagate_version = true)]
pub(crate) struct Arguments {
    /// What is logged, to standard error: error, warn, info, debug or trace, also per module (`warn,portolan_runtime=debug`).
    #[arg(long, global = true, env = "PORTOLAN_LOG", default_value = "warn", value_name = "LEVEL")]
    pub(crate) log: String,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the control plane: an API server with the federation's kinds, and the controllers.
    Server(Server),
    /// Run a control plane and member clusters in this process, with pods that really answer.
    Playground(Playground),
    /// Show the first walkthrough: two clusters, and a Service of one answered in the other.
    Quickstart(Quickstart),
    /// Run in a member: answer the DNS names of the cluster set.
    Agent(Agent),
    /// Have a member's CoreDNS send the cluster set's names to Portolan, or take that back.
    #[command(subcommand)]
    Dns(Dns),
    /// Let a cluster join the federation.
    Join(Join),
    /// Take a cluster out of the federation.
    Unjoin(Unjoin),
    /// Form cluster sets: a service exported from one member is a service of all.
    Clusterset(ClusterSet),
    /// Print resources of the control plane and of its members in one table.
    Get(Get),
    /// Be a process inside of a pod; only a playground starts this.
    #[command(hide = true)]
    Inside {
        /// What to do there.
        order: String,
    },
    /// Print the services that clusters export to each other.
    Services(Services),
    /// Explain why something does not work.
    #[command(subcommand)]
    Why(Why),
    /// Print a completion script for a shell.
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Server {
    /// Folder for the database, certificates and the kubeconfig of an embedded API server.
    #[arg(long, value_name = "DIR", required_unless_present = "kubeconfig")]
    pub(crate) dir: Option<PathBuf>,
    /// Address of the embedded API server.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:6443")]
    pub(crate) listen: SocketAddr,
    /// Run the controllers on an API server that runs already and has the federation's kinds.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dir", "listen"])]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context in that file; the current one without it.
    #[arg(long, value_name = "NAME", requires = "kubeconfig")]
    pub(crate) context: Option<String>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Playground {
    #[command(subcommand)]
    pub(crate) command: Option<PlaygroundCommand>,
    /// Folder for all state; it survives a restart.
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) dir: Option<PathBuf>,
    /// File that describes the clusters; two members called member1 and member2 without it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Port of the control plane's API server on 127.0.0.1; that of the last run, else a free one, without it.
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// Put all members into a cluster set of this name, so that a service exported from one is a service of all.
    #[arg(long, value_name = "NAME")]
    pub(crate) clusterset: Option<String>,
    /// What carries the traffic between pods; what the file says, else `loopback`, without it.
    #[arg(long, value_enum, value_name = "MODE")]
    pub(crate) network: Option<NetworkMode>,
}

/// Commands for a playground that runs.
#[derive(Debug, Subcommand)]
pub(crate) enum PlaygroundCommand {
    /// Cut two clusters apart: traffic between them is lost until the link is restored, or the playground restarts.
    Cut(Ends),
    /// Restore the link between two clusters.
    Restore(Ends),
    /// List the links between the clusters.
    Links {
        /// Folder of the playground.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
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
    /// Folder of the playground.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
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
    /// Leave everything running afterwards, and say what to try next.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Folder for all state; a temporary one without it.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Agent {
    #[command(flatten)]
    pub(crate) member: MemberAccess,
    /// Address on which DNS is answered, over UDP and TCP.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:1053")]
    pub(crate) dns_listen: SocketAddr,
    /// Address of the pages /metrics, /readyz and /healthz.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8053")]
    pub(crate) http_listen: SocketAddr,
    /// Zone of the services of all clusters.
    #[arg(long, value_name = "NAME", default_value = ZoneKind::ClusterSet.default_zone())]
    pub(crate) clusterset_zone: String,
    /// Answer for the cluster's own services as well, in this zone, usually cluster.local.
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster_zone: Option<String>,
    /// How long answers may be kept, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = portolan_dns::DEFAULT_TTL_SECS, value_parser = clap::value_parser!(u32).range(0..=3600))]
    pub(crate) ttl: u32,
    /// Where clients reach this server, for its own name in the zones; the listening address without it.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub(crate) advertise: Vec<IpAddr>,
    /// Threads that answer UDP; one per core, at most four, without it.
    #[arg(long, value_name = "NUMBER", value_parser = workers)]
    pub(crate) workers: Option<usize>,
}

fn workers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=256) => Ok(number),
        _ => Err("a number from 1 to 256".to_owned()),
    }
}

/// The member's CoreDNS.
#[derive(Debug, Subcommand)]
pub(crate) enum Dns {
    /// Send the zone to Portolan: a marked block in the Corefile, shown as a difference.
    Install {
        #[command(flatten)]
        change: DnsChange,
        /// Where Portolan answers; the addresses of the agent's Service without it.
        #[arg(long = "address", value_name = "ADDRESS", value_delimiter = ',')]
        addresses: Vec<IpAddr>,
        /// The agent's Service.
        #[arg(long, value_name = "NAMESPACE/NAME", default_value = "portolan-system/portolan-dns")]
        service: String,
        /// The zone.
        #[arg(long, value_name = "NAME", default_value = ZoneKind::ClusterSet.default_zone())]
        zone: String,
    },
    /// Remove the block again.
    Uninstall {
        #[command(flatten)]
        change: DnsChange,
    },
}

/// A change of the member's CoreDNS.
#[derive(Debug, Args)]
pub(crate) struct DnsChange {
    #[command(flatten)]
    pub(crate) member: MemberAccess,
    /// The ConfigMap that holds the Corefile.
    #[arg(long, value_name = "NAMESPACE/NAME", default_value = "kube-system/coredns")]
    pub(crate) config_map: String,
    /// Only show what would be changed.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Access to the control plane.
#[derive(Debug, Clone, Args)]
pub(crate) struct HubAccess {
    /// Kubeconfig of the control plane.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub(crate) kubeconfig: PathBuf,
    /// Context in that file; the current one without it.
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Join {
    /// Name of the cluster in the federation.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    /// Kubeconfig of the cluster, with the rights of an administrator.
    #[arg(long, value_name = "FILE")]
    pub(crate) cluster_kubeconfig: PathBuf,
    /// Context in that file; the current one without it.
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster_context: Option<String>,
    /// Name of its provider.
    #[arg(long, default_value = "")]
    pub(crate) cluster_provider: String,
    /// Name of its region.
    #[arg(long, default_value = "")]
    pub(crate) cluster_region: String,
    /// Names of its zones.
    #[arg(long, value_delimiter = ',')]
    pub(crate) cluster_zones: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Unjoin {
    /// Name of the cluster in the federation.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    /// Kubeconfig of the cluster, to remove the control plane's account there as well.
    #[arg(long, value_name = "FILE")]
    pub(crate) cluster_kubeconfig: Option<PathBuf>,
    /// Context in that file; the current one without it.
    #[arg(long, value_name = "NAME", requires = "cluster_kubeconfig")]
    pub(crate) cluster_context: Option<String>,
    /// Seconds to wait until the cluster has left.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    pub(crate) wait: u64,
}

#[derive(Debug, Args)]
pub(crate) struct ClusterSet {
    #[command(subcommand)]
    pub(crate) command: ClusterSetCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterSetCommand {
    /// Create a set without members.
    Create {
        #[command(flatten)]
        hub: HubAccess,
        /// Name of the set.
        name: String,
    },
    /// Add clusters to a set, and wait until they know of it.
    Add {
        #[command(flatten)]
        hub: HubAccess,
        /// Name of the set.
        name: String,
        /// Clusters that have joined the federation.
        #[arg(required = true, value_name = "CLUSTER")]
        clusters: Vec<String>,
        /// What the cluster is called in the set; its name without it. For one cluster at a time.
        #[arg(long)]
        id: Option<String>,
        /// Seconds to wait.
        #[arg(long, default_value_t = 60, value_name = "SECONDS")]
        wait: u64,
    },
    /// Remove clusters from a set, and wait until what it put there is gone.
    Remove {
        #[command(flatten)]
        hub: HubAccess,
        /// Name of the set.
        name: String,
        /// Members of the set.
        #[arg(required = true, value_name = "CLUSTER")]
        clusters: Vec<String>,
        /// Seconds to wait.
        #[arg(long, default_value_t = 60, value_name = "SECONDS")]
        wait: u64,
    },
    /// Delete a set that has no members.
    Delete {
        #[command(flatten)]
        hub: HubAccess,
        /// Name of the set.
        name: String,
    },
    /// Print sets and their members.
    List {
        #[command(flatten)]
        hub: HubAccess,
        /// Only this set.
        name: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// Kind, plural or short name, such as `deploy`, `cpp` or `serviceexports`.
    pub(crate) resource: String,
    /// Name of one object.
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    /// Namespace.
    #[arg(short, long, default_value = "default")]
    pub(crate) namespace: String,
    /// All namespaces.
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// Where to look.
    #[arg(long, value_enum, default_value_t = Scope::Karmada)]
    pub(crate) operation_scope: Scope,
    /// Only these members.
    #[arg(short = 'C', long, value_delimiter = ',', value_name = "NAME")]
    pub(crate) clusters: Vec<String>,
    /// `wide` for all columns.
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Output>,
}

/// Where to look; the names are karmadactl's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scope {
    /// The control plane.
    Karmada,
    /// The members.
    Members,
    /// Both.
    All,
}

impl Scope {
    /// Whether the control plane is meant.
    pub(crate) fn has_hub(self) -> bool {
        self != Scope::Members
    }

    /// Whether the members are meant.
    pub(crate) fn has_members(self) -> bool {
        self != Scope::Karmada
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// All columns.
    Wide,
}

#[derive(Debug, Args)]
pub(crate) struct Services {
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    /// Namespace.
    #[arg(short, long, default_value = "default")]
    pub(crate) namespace: String,
    /// All namespaces.
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// How to print them.
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<ServicesOutput>,
    /// Go on, and print what changes.
    #[arg(short, long)]
    pub(crate) watch: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ServicesOutput {
    /// All columns.
    Wide,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Why {
    /// Walk from a service's export to a connection, and show the first hop that is broken.
    Service(WhyService),
}

#[derive(Debug, Args)]
pub(crate) struct WhyService {
    /// Name of the service.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    /// Namespace.
    #[arg(short, long, default_value = "default")]
    pub(crate) namespace: String,
    /// The cluster that asks; every cluster that the service is for without it.
    #[arg(long, value_name = "CLUSTER")]
    pub(crate) from: Option<String>,
    /// Also ask DNS and connect, from a pod that is started in the asking cluster and deleted afterwards.
    #[arg(long)]
    pub(crate) probe: bool,
    /// Image of that pod; it must have busybox's sh, nslookup and nc.
    #[arg(long, value_name = "IMAGE", default_value = "busybox", requires = "probe")]
    pub(crate) probe_image: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
