//! Command line arguments.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Measures a federation and prints what it found, each figure beside its target.
///
/// Without --dir a playground is started beside this process on a temporary directory, measured, and removed again.
#[derive(Debug, Parser)]
#[command(name = "portolan-bench", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    /// Something else than a federation
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Measure the playground that runs already on this directory, instead of starting one
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Process id for memory figures, with --dir
    #[arg(long, requires = "dir")]
    pub(crate) pid: Option<u32>,
    /// Where temporary directories are made; choose the disk that shall be measured
    #[arg(long, value_name = "DIR", conflicts_with = "dir")]
    pub(crate) scratch: Option<PathBuf>,
    /// How often a federation is started
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) starts: u32,
    /// Number of policies, each for a separate Deployment
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) policies: u32,
    /// How many times an endpoint's address changes, and again its readiness
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) changes: u32,
    /// How many ConfigMaps are propagated at once
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) bulk: u32,
    /// How often they are
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) bulk_rounds: u32,
    /// Also write everything, with every sample, to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Log filter (stderr)
    #[arg(long, default_value = "off")]
    pub(crate) log: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure the DNS server beside NSD, Knot DNS, CoreDNS and an echo of UDP datagrams
    Dns(Dns),
    /// Measure how endpoints of a cluster set follow, with many members and services
    Clusterset(ClusterSet),
    /// Measure the health checks of a server while it is attacked
    Attacked(Attacked),
    /// Measure pull mode beside push mode, and what the processes take at rest
    Modes(Modes),
    /// Measure the memory of stored and of propagated ConfigMaps in the control plane
    Templates(Templates),
    /// Measure how fast bindings are placed
    Schedule(Scheduling),
    /// Measure how fast the public records of federated Services are planned
    Records(Records),
    /// Answer as one of the measured servers; `dns` starts this program so
    #[command(hide = true)]
    DnsServe(DnsServe),
    /// Be the federation that is measured
    #[command(hide = true)]
    Serve {
        /// Where it keeps its state
        directory: PathBuf,
    },
}

/// How much is placed.
#[derive(Debug, Args)]
pub(crate) struct Scheduling {
    /// Bindings
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) bindings: u32,
    /// Clusters
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) clusters: u32,
}

/// How much is planned.
#[derive(Debug, Args)]
pub(crate) struct Records {
    /// Federated Services
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) services: u32,
    /// Clusters
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) clusters: u32,
}

/// How large the set is, and how much changes in it.
#[derive(Debug, Args)]
pub(crate) struct ClusterSet {
    /// Numbers of members, one after the other
    #[arg(long, value_delimiter = ',', default_values_t = [2, 10, 30], value_name = "N")]
    pub(crate) members: Vec<usize>,
    /// Exported services
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) services: u32,
    /// Changes of endpoints per second, one rate after the other
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10, 100, 1000], value_name = "RATE")]
    pub(crate) rates: Vec<u32>,
    /// Seconds for each rate
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(crate) seconds: u32,
}

/// Who attacks what, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Attacked {
    /// The program to attack, usually target/release/portolan
    #[arg(long, value_name = "FILE")]
    pub(crate) portolan: PathBuf,
    /// The attacker, usually target/release/portolan-attack
    #[arg(long, value_name = "FILE")]
    pub(crate) attack: PathBuf,
    /// How often each class is run, each time with another seed
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// Seconds for each class
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) seconds: u64,
    /// Classes of attacks
    #[arg(default_values = ["bombs", "floods", "mutations"])]
    pub(crate) classes: Vec<String>,
}

/// What is started, and how much is measured.
#[derive(Debug, Args)]
pub(crate) struct Modes {
    /// The program to measure, usually target/release/portolan
    #[arg(long, value_name = "FILE")]
    pub(crate) portolan: PathBuf,
    /// ConfigMaps that are propagated, one after the other
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) changes: u32,
    /// Seconds at rest
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) seconds: u64,
}

/// What is started, and how much is kept in memory.
#[derive(Debug, Args)]
pub(crate) struct Templates {
    /// The program to measure, usually target/release/portolan
    #[arg(long, value_name = "FILE")]
    pub(crate) portolan: PathBuf,
    /// ConfigMaps that are stored and then propagated; then as many more are made
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) count: u32,
}

/// Which servers are measured, and how long.
#[derive(Debug, Args)]
pub(crate) struct Dns {
    /// Core that the server runs on
    #[arg(long, default_value_t = 0)]
    pub(crate) server_core: usize,
    /// Core that asks
    #[arg(long, default_value_t = 1)]
    pub(crate) client_core: usize,
    /// How often every server is measured, in turn with the others
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub(crate) seconds: u64,
    /// Services in the zone; one in ten is headless with ten endpoints
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(10..=20_000))]
    pub(crate) services: u32,
    /// CoreDNS binary [default: the one in PATH]; servers that are not installed are skipped with a message
    #[arg(long, value_name = "FILE")]
    pub(crate) coredns: Option<PathBuf>,
    /// Only these: echo, portolan, churn (portolan with changing records), nsd, knot, coredns
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// Also write everything, with every sample, to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// One of the servers that are part of this program.
#[derive(Debug, Args)]
pub(crate) struct DnsServe {
    /// Send every datagram back instead of answering it
    #[arg(long)]
    pub(crate) echo: bool,
    /// Address to listen on
    #[arg(long)]
    pub(crate) listen: SocketAddr,
    /// Services in the zone
    #[arg(long)]
    pub(crate) services: u32,
    /// Changes of records per second, meanwhile
    #[arg(long, default_value_t = 0)]
    pub(crate) changes: u32,
}
