//! Every command and flag, in one place.

pub(crate) mod api_server;
pub(crate) mod capacity;
pub(crate) mod controllers;
pub(crate) mod duration;
pub(crate) mod examples;
pub(crate) mod failover;
pub(crate) mod leadership;

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCompleter;
use portolan_controlplane::{ServiceCidr, TlsSan, parse_advertise_address};
use portolan_plan::clusters::permissions::Placeable;
use portolan_plan::dns::ZoneKind;

use self::api_server::ApiServerFlags;
pub(crate) use self::controllers::ControllerFlags;
use self::leadership::LeadershipFlags;
use crate::apply::arguments::Apply;
use crate::cluster_access::ClusterAccess;
#[cfg(feature = "otel")]
use crate::collector_endpoint::{CollectorEndpoint, parse_endpoint};
use crate::completion::candidates::clusters;
use crate::completion::shell::{CompletionShell, KUBECTL_COMMAND};
use crate::describe::arguments::Describe;
use crate::drain::Drain;
use crate::exec::arguments::Exec;
use crate::federate::arguments::Federate;
use crate::federation::arguments::FederationArguments;
use crate::get::arguments::Get;
use crate::hub_access::HubAccess;
use crate::interpret::Interpret;
use crate::logs::arguments::Logs;
use crate::member::MemberAccess;
use crate::migrate::arguments::{Migrate, MigratedNamespaces};
use crate::plan::arguments::Plan;
#[cfg(feature = "playground")]
use crate::playground::arguments::{Playground, Quickstart};
use crate::promote::arguments::Promote;
use crate::rebalance::Rebalance;
use crate::taint::arguments::{Cordon, Taint};
use crate::top::arguments::Top;
use crate::tree::arguments::Tree;
use crate::why::arguments::Why;

const COMPLETION_EXAMPLES: &str = "\
Examples:
  # bash, in ~/.bashrc
  source <(portolan completion bash)

  # zsh, in ~/.zshrc
  source <(portolan completion zsh)

  # fish, in ~/.config/fish/config.fish
  portolan completion fish | source

  # kubectl portolan, in a folder of $PATH
  ln -s $(which portolan) /usr/local/bin/kubectl-portolan
  portolan completion kubectl > /usr/local/bin/kubectl_complete-portolan
  chmod +x /usr/local/bin/kubectl_complete-portolan";

/// Joins Kubernetes clusters into one federation.
///
/// Policies place workloads into clusters, and every cluster finds and reaches the services of every other.
#[derive(Debug, Parser)]
#[command(name = "portolan", version, propagate_version = true)]
pub(crate) struct Arguments {
    /// Log filter: error, warn, info, debug or trace, also per module (`warn,portolan_runtime=debug`); logs go to
    /// standard error
    #[arg(long, global = true, env = "PORTOLAN_LOG", default_value = "warn", value_name = "FILTER")]
    pub(crate) log: String,

    /// Format of the log
    #[arg(
        long,
        global = true,
        env = "PORTOLAN_LOG_FORMAT",
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub(crate) log_format: LogFormat,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object per line, for log collectors.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the control plane: an API server with the federation's kinds, and the controllers.
    Server(Box<Server>),
    /// Run a control plane and member clusters in this process, with pods that really answer.
    #[cfg(feature = "playground")]
    Playground(Playground),
    /// Show the first walkthrough: two clusters, and a Service of one answered in the other.
    #[cfg(feature = "playground")]
    Quickstart(Quickstart),
    /// Run in a member: answer the DNS names of the cluster set.
    Agent(Agent),
    /// Make a member's CoreDNS forward the cluster set's zone to Portolan, or undo that.
    #[command(subcommand)]
    Dns(Dns),
    /// Join a cluster to the federation.
    Join(Join),
    /// Register a cluster whose agent dials the control plane (pull mode). Run it where the cluster can be reached.
    Register(Register),
    /// Create, list and delete the tokens by which clusters register.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Remove a cluster from the federation.
    Unjoin(Unjoin),
    /// Let the deletions go on that are held in a cluster because there are too many at once.
    Release(Release),
    /// Look after one cluster.
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Form cluster sets: a service exported from one member is a service of all.
    Clusterset(ClusterSet),
    /// Print resources of the control plane and of its members in one table.
    Get(Box<Get>),
    /// Print all fields of objects, and their events.
    Describe(Box<Describe>),
    /// Print the logs of containers in the members.
    Logs(Box<Logs>),
    /// Run a command in a container of a member.
    Exec(Box<Exec>),
    /// Print what pods and nodes of the members use.
    #[command(subcommand)]
    Top(Top),
    /// Apply manifests to the control plane, and place them in clusters.
    Apply(Box<Apply>),
    /// Make templates of objects that run in a cluster, in place.
    Promote(Box<Promote>),
    /// Move the traffic of exported services away from a cluster.
    #[command(subcommand)]
    Drain(Drain),
    /// Use the endpoints of a cluster again.
    #[command(subcommand)]
    Undrain(Drain),
    /// Schedule workloads again, once.
    Rebalance(Rebalance),
    /// Keep new workloads from clusters.
    Cordon(Cordon),
    /// Allow new workloads in clusters again.
    Uncordon(Cordon),
    /// Add, change or remove taints of clusters.
    Taint(Taint),
    /// Run a process inside of a pod; only a playground starts this.
    #[cfg(feature = "playground")]
    #[command(hide = true)]
    Inside {
        /// The process to run.
        order: String,
    },
    /// Print the services that clusters export to each other.
    Services(Services),
    /// Check and try customised interpreters before they are applied to a control plane.
    Interpret(Interpret),
    /// Explain where an object of the control plane goes, and why it does not get there; without an object, list
    /// everything that is broken.
    Why(Why),
    /// Print an object and everything that it became in the clusters, down to the Pods.
    Tree(Tree),
    /// Print what manifests would change in every cluster, before they are applied.
    Plan(Plan),
    /// Turn objects of the control plane into federated objects of KubeFed, or give a kind a federated form.
    Federate(Federate),
    /// Make templates with policies of federated objects of KubeFed. The clusters keep what they have.
    Migrate(Migrate),
    /// Make plain Services appear in every cluster, as Federation v1 did, show their state, or take a KubeFed host over.
    Federation(FederationArguments),
    /// Write the state of a control plane into one file: objects, certificates and keys. The server may run meanwhile.
    Backup(Backup),
    /// Replace the state of a control plane by a backup. Its server must not run.
    Restore(Restore),
    /// Look after the database of a control plane.
    #[command(subcommand)]
    Storage(StorageCommand),
    /// Print a completion script for a shell.
    #[command(after_help = COMPLETION_EXAMPLES)]
    Completion {
        /// The shell
        shell: CompletionShell,
    },
    /// Candidates for kubectl.
    #[command(name = KUBECTL_COMMAND, hide = true)]
    CompleteForKubectl {
        /// The words of the command line.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Server {
    /// State directory of an embedded API server: its database, certificates and kubeconfig
    #[arg(long, value_name = "DIR", required_unless_present = "kubeconfig")]
    pub(crate) dir: Option<PathBuf>,
    /// Address that the embedded API server listens on; 0.0.0.0 and [::] for all interfaces
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:6443")]
    pub(crate) listen: SocketAddr,
    /// Address by which clients on other machines reach the API server [default: the address of --listen, or that of
    /// the interface with the default route]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_advertise_address)]
    pub(crate) advertise_address: Option<IpAddr>,
    /// Further name or address that the certificate of the API server covers, such as that of a load balancer; may be
    /// repeated
    #[arg(long, value_name = "NAME|ADDRESS", value_delimiter = ',')]
    pub(crate) tls_san: Vec<TlsSan>,
    /// Range of the addresses of Services: one range, or one of IPv4 and one of IPv6, separated by a comma
    #[arg(long, value_name = "CIDR", default_value_t)]
    pub(crate) service_cidr: ServiceCidr,
    #[command(flatten)]
    pub(crate) api_server: ApiServerFlags,
    /// Run the controllers on an API server that runs already; the federation's kinds are installed there. Several
    /// replicas elect a leader
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["dir", "listen", "advertise_address", "tls_san", "service_cidr", "audit_policy_file", "encryption_provider_config", "authentication_config", "oidc_issuer_url", "disable_admission_plugins", "anonymous_auth"]
    )]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: the current context]
    #[arg(long, value_name = "NAME", requires = "kubeconfig")]
    pub(crate) context: Option<String>,
    #[command(flatten)]
    pub(crate) leadership: LeadershipFlags,
    /// Memory for the objects of one cluster, in MiB. A cluster with more is not ready and not read for a while
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(16..=1 << 20))]
    pub(crate) member_memory: u64,
    /// Objects of one cluster that are kept in memory, at most
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1000..=1 << 30))]
    pub(crate) member_objects: u64,
    /// Serve /metrics, /healthz, /livez and /readyz on this address too, without TLS and authorization [default: only
    /// on the API server, for users who may get the path].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) controllers: ControllerFlags,
    /// Export traces to the OpenTelemetry collector at this http URL, with OTLP over HTTP; /v1/traces is appended
    #[cfg(feature = "otel")]
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_parser = parse_endpoint)]
    pub(crate) otlp_endpoint: Option<CollectorEndpoint>,
}

#[derive(Debug, Args)]
#[command(after_help = examples::BACKUP)]
pub(crate) struct Backup {
    /// The file to write; an older one is replaced. It holds keys and Secrets, and only its owner can read it.
    pub(crate) file: PathBuf,
    /// State directory of the server
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = examples::RESTORE)]
pub(crate) struct Restore {
    /// The backup.
    pub(crate) file: PathBuf,
    /// State directory of the server; made when missing
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Replace the state that is there; it is kept beside the new one under another name
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StorageCommand {
    /// Encrypt all stored objects as new ones are, after the encryption was turned on or off or has a new key, and remove
    /// what the database holds of earlier values. The server must not run.
    Migrate(StorageMigrate),
}

#[derive(Debug, Args)]
#[command(after_help = examples::STORAGE_MIGRATE)]
pub(crate) struct StorageMigrate {
    /// State directory of the server
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The configuration that the server has (apiserver.config.k8s.io, kind EncryptionConfiguration)
    #[arg(long, value_name = "FILE")]
    pub(crate) encryption_provider_config: PathBuf,
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
    /// Time to live of answers, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = portolan_dns::DEFAULT_TTL_SECS, value_parser = clap::value_parser!(u32).range(0..=3600))]
    pub(crate) ttl: u32,
    /// Addresses by which clients reach this server, for its own name in the zones [default: the address of
    /// --dns-listen]
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub(crate) advertise: Vec<IpAddr>,
    /// Name of this agent among those of its cluster [default: the name of the machine, which is that of the pod]
    #[arg(long, value_name = "NAME")]
    pub(crate) agent_name: Option<String>,
    /// Namespace of the Lease by which the agent tells that it runs, and which clusters it reaches [default:
    /// portolan-system, or with --pull that of --namespace]
    #[arg(long, value_name = "NAMESPACE", value_parser = portolan_api::names::AGENT_NAMESPACES)]
    pub(crate) lease_namespace: Option<String>,
    /// Threads that answer UDP [default: one per core, at most four]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) workers: Option<u16>,
    /// Also apply what the control plane places in the cluster, and report on the cluster: it has registered in pull mode
    #[arg(long)]
    pub(crate) pull: bool,
    /// With --pull: namespace of the Secret that `portolan register` made
    #[arg(long, requires = "pull", default_value = portolan_api::names::SYSTEM_NAMESPACE, value_name = "NAMESPACE")]
    pub(crate) namespace: String,
    /// With --pull: share of the cluster's objects that may be withdrawn within a minute, in percent; more are held until
    /// `portolan release`. Twenty objects may always be; 100 turns the limit off
    #[arg(long, requires = "pull", value_name = "PERCENT", default_value_t = 30, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) deletion_budget: u8,
    /// Export traces to the OpenTelemetry collector at this http URL, with OTLP over HTTP; /v1/traces is appended
    #[cfg(feature = "otel")]
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_parser = parse_endpoint)]
    pub(crate) otlp_endpoint: Option<CollectorEndpoint>,
}

/// The member's CoreDNS.
#[derive(Debug, Subcommand)]
pub(crate) enum Dns {
    /// Forward the zone to Portolan: adds a marked block to the Corefile and prints the difference.
    Install {
        #[command(flatten)]
        change: DnsChange,
        /// Addresses of Portolan's DNS server [default: the addresses of the agent's Service]
        #[arg(long = "address", value_name = "ADDRESS", value_delimiter = ',')]
        addresses: Vec<IpAddr>,
        /// The agent's Service.
        #[arg(long, value_name = "NAMESPACE/NAME", default_value = "portolan-system/portolan-dns")]
        service: String,
        /// The zone.
        #[arg(long, value_name = "NAME", default_value = ZoneKind::ClusterSet.default_zone())]
        zone: String,
    },
    /// Remove the block.
    Uninstall {
        #[command(flatten)]
        change: DnsChange,
    },
    /// Answer the names SERVICE.NAMESPACE.FEDERATION in pods: leads them to the public names in the zone of the cluster.
    Federation {
        /// Name of the Federation.
        name: String,
        #[command(flatten)]
        change: DnsChange,
        /// The public domain of the Federation
        #[arg(long, value_name = "DOMAIN", required_unless_present = "remove")]
        domain: Option<String>,
        /// Region of the cluster [default: that of its nodes]
        #[arg(long, value_name = "NAME")]
        region: Option<String>,
        /// Zone of the cluster [default: the first of its nodes]
        #[arg(long, value_name = "NAME")]
        zone: Option<String>,
        /// Domain of the cluster
        #[arg(long, value_name = "DOMAIN", default_value = "cluster.local")]
        cluster_domain: String,
        /// Remove the block
        #[arg(long, conflicts_with_all = ["domain", "region", "zone"])]
        remove: bool,
    },
    /// Print the public records of a federated Service, wanted and published.
    Records(DnsRecords),
}

/// A federated Service.
#[derive(Debug, Args)]
pub(crate) struct DnsRecords {
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    /// Name of the Service.
    pub(crate) service: String,
    /// Its namespace [default: that of the context]
    #[arg(short, long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
}

/// A change of the member's CoreDNS.
#[derive(Debug, Args)]
pub(crate) struct DnsChange {
    #[command(flatten)]
    pub(crate) member: MemberAccess,
    /// The ConfigMap that holds the Corefile.
    #[arg(long, value_name = "NAMESPACE/NAME", default_value = "kube-system/coredns")]
    pub(crate) config_map: String,
    /// Print the change and do not make it
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
#[command(after_help = examples::JOIN)]
pub(crate) struct Join {
    /// Name of the cluster in the federation.
    #[arg(add = ArgValueCompleter::new(clusters))]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    /// Kubeconfig of the cluster, with the rights of an administrator.
    #[arg(long, value_name = "FILE")]
    pub(crate) cluster_kubeconfig: PathBuf,
    /// Context of that kubeconfig [default: the current context]
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
    /// Take the cluster over from another control plane that is gone; everything in the cluster stays as it is, and it
    /// gets back into its cluster set. Refused while the other control plane renews its lease.
    #[arg(long)]
    pub(crate) take_over: bool,
    /// Accept another address or certificate authority for a cluster that has joined, when nothing proves that it is the
    /// same cluster.
    #[arg(long)]
    pub(crate) replace_address: bool,
    /// Check whether the cluster can join and print what would be created, and create nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Create a token, and print it, or the command that registers a cluster with it.
    #[command(after_help = examples::TOKEN_CREATE)]
    Create {
        #[command(flatten)]
        hub: HubAccess,
        /// The only cluster that the token registers [default: any new cluster]
        #[arg(long, value_name = "NAME", add = ArgValueCompleter::new(clusters))]
        cluster: Option<String>,
        /// What the token is for.
        #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
        description: String,
        /// Life of the token, such as 30m or 24h; 0 for no end.
        #[arg(long, default_value = "24h", value_parser = parse_lifetime, value_name = "DURATION")]
        ttl: std::time::Duration,
        /// Print the command for `portolan register`; always with --cluster.
        #[arg(long)]
        print_register_command: bool,
    },
    /// Print all tokens.
    List {
        #[command(flatten)]
        hub: HubAccess,
    },
    /// Delete tokens. Clusters that have registered stay.
    Delete {
        #[command(flatten)]
        hub: HubAccess,
        /// Tokens, or their first six characters.
        #[arg(required = true, value_name = "TOKEN")]
        tokens: Vec<String>,
    },
}

/// A duration, or `0` for none.
fn parse_lifetime(text: &str) -> Result<std::time::Duration, String> {
    match text {
        "0" => Ok(std::time::Duration::ZERO),
        text => duration::parse_duration(text),
    }
}

#[derive(Debug, Args)]
#[command(after_help = examples::REGISTER)]
pub(crate) struct Register {
    /// Address of the control plane: HOST:PORT.
    pub(crate) address: String,
    /// Token of `portolan token create`.
    #[arg(long)]
    pub(crate) token: portolan_api::agents::token::Token,
    /// Hash of the public key of the control plane's authority; repeatable.
    #[arg(
        long,
        value_name = "sha256:HEX",
        required_unless_present = "discovery_token_unsafe_skip_ca_verification"
    )]
    pub(crate) discovery_token_ca_cert_hash: Vec<String>,
    /// Trust any control plane that knows the token.
    #[arg(long)]
    pub(crate) discovery_token_unsafe_skip_ca_verification: bool,
    /// Name in the federation.
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster_name: String,
    #[command(flatten)]
    pub(crate) member: MemberAccess,
    /// Namespace of the agent in the cluster.
    #[arg(long, default_value = portolan_api::names::SYSTEM_NAMESPACE, value_name = "NAMESPACE")]
    pub(crate) namespace: String,
    /// Cloud or other provider of the cluster.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME")]
    pub(crate) cluster_provider: String,
    /// Region of the cluster.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME")]
    pub(crate) cluster_region: String,
    /// Zones of the cluster.
    #[arg(long, value_delimiter = ',', value_name = "ZONE")]
    pub(crate) cluster_zones: Vec<String>,
    /// Kinds that the agent may place in the cluster, such as deployments.apps,configmaps; `*` for every kind, which needs
    /// all rights there. `portolan token create` prints what policies name [default: none]
    #[arg(long, value_delimiter = ',', value_name = "RESOURCE.GROUP")]
    pub(crate) place: Vec<Placeable>,
    /// Life of the agent's certificate; the agent renews it.
    #[arg(long, default_value = "168h", value_parser = duration::parse_duration, value_name = "DURATION")]
    pub(crate) certificate_lifetime: std::time::Duration,
    /// Take the cluster over from another control plane that is gone.
    #[arg(long)]
    pub(crate) take_over: bool,
}

#[derive(Debug, Args)]
#[command(after_help = examples::UNJOIN)]
pub(crate) struct Unjoin {
    /// Name of the cluster in the federation.
    #[arg(add = ArgValueCompleter::new(clusters))]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    #[command(flatten)]
    pub(crate) cluster: ClusterAccess,
    /// Seconds to wait until the cluster has left.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    pub(crate) wait: u64,
    /// Go on although the cluster does not answer; what the control plane put there stays, and is listed.
    #[arg(long, conflicts_with = "only_cluster")]
    pub(crate) force: bool,
    /// Print which objects would be deleted in the cluster and which would stay, and change nothing.
    #[arg(long, conflicts_with = "only_cluster")]
    pub(crate) dry_run: bool,
    /// Only clean the cluster, of a control plane that is gone or has forgotten it. Refused while the control plane renews
    /// its lease there.
    #[arg(long, requires = "cluster_kubeconfig")]
    pub(crate) only_cluster: bool,
    /// With --only-cluster: also delete what policies placed in the cluster.
    #[arg(long, requires = "only_cluster")]
    pub(crate) propagated: bool,
    /// With --only-cluster: also delete the CustomResourceDefinitions that the control plane installed, and with them all
    /// objects of their kinds.
    #[arg(long, requires = "only_cluster")]
    pub(crate) definitions: bool,
}

#[derive(Debug, Args)]
#[command(after_help = examples::RELEASE)]
pub(crate) struct Release {
    /// Name of the cluster; its condition DeletionsHeld says what waits.
    #[arg(add = ArgValueCompleter::new(clusters))]
    pub(crate) cluster: String,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Print the rights that the control plane, or the agent in pull mode, needs in a cluster, from what is placed there, or
    /// grant them.
    Permissions(Permissions),
}

#[derive(Debug, Args)]
#[command(after_help = examples::PERMISSIONS)]
pub(crate) struct Permissions {
    /// Name of the cluster.
    #[arg(add = ArgValueCompleter::new(clusters))]
    pub(crate) cluster: String,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    #[command(flatten)]
    pub(crate) access: ClusterAccess,
    /// Replace the present rights by these. The credential that the control plane has can only give its own rights up.
    #[arg(long)]
    pub(crate) apply: bool,
    /// All rights, as after `join` and `register --place '*'`.
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
#[command(after_help = examples::CLUSTER_SET)]
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
    /// Add clusters to a set, and wait until they have joined it.
    Add {
        #[command(flatten)]
        hub: HubAccess,
        /// Name of the set.
        name: String,
        /// Clusters that have joined the federation.
        #[arg(required = true, value_name = "CLUSTER", add = ArgValueCompleter::new(clusters))]
        clusters: Vec<String>,
        /// Name of the cluster in the set, if one cluster is added [default: the name of the cluster]
        #[arg(long)]
        id: Option<String>,
        /// Seconds to wait.
        #[arg(long, default_value_t = 60, value_name = "SECONDS")]
        wait: u64,
    },
    /// Remove clusters from a set, and wait until the set's objects are gone from them.
    Remove {
        #[command(flatten)]
        hub: HubAccess,
        /// Name of the set.
        name: String,
        /// Members of the set.
        #[arg(required = true, value_name = "CLUSTER", add = ArgValueCompleter::new(clusters))]
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
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Services {
    #[command(subcommand)]
    pub(crate) command: Option<ServicesCommand>,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    /// Namespace [default: that of the context]
    #[arg(short, long)]
    pub(crate) namespace: Option<String>,
    /// All namespaces.
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// Output format
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<ServicesOutput>,
    /// Keep running, and print changes
    #[arg(short, long)]
    pub(crate) watch: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServicesCommand {
    /// Print the NetworkPolicies by which clients in other clusters reach a service.
    Netpol(NetworkPolicies),
    /// Let cluster sets keep the imports that another implementation or a user has made, with their names and addresses.
    Migrate(MigrateServices),
}

#[derive(Debug, Args)]
pub(crate) struct MigrateServices {
    /// Names of ServiceImports [default: all of the namespace]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) namespaces: MigratedNamespaces,
    /// Change the objects; without it, the steps are only printed
    #[arg(long)]
    pub(crate) apply: bool,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
}

#[derive(Debug, Args)]
pub(crate) struct NetworkPolicies {
    /// The exported service
    #[arg(value_name = "SERVICE")]
    pub(crate) name: String,
    /// Namespace [default: that of the context]
    #[arg(short, long)]
    pub(crate) namespace: Option<String>,
    #[command(flatten)]
    pub(crate) hub: HubAccess,
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

#[cfg(test)]
mod tests;
