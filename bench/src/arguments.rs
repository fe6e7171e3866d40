//! What the user may say on the command line.

use std::path::PathBuf;

use clap::Parser;

/// Measures a federation and prints what it found, each figure beside its target.
///
/// Without --dir a playground is started in this process on a temporary directory, measured, and removed again.
#[derive(Debug, Parser)]
#[command(name = "portolan-bench", version)]
pub(crate) struct Arguments {
    /// Measure the playground that runs already on this directory, instead of starting one
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Process whose memory is read, with --dir
    #[arg(long, requires = "dir")]
    pub(crate) pid: Option<u32>,
    /// Where temporary directories are made; choose the disk that shall be measured
    #[arg(long, value_name = "DIR", conflicts_with = "dir")]
    pub(crate) scratch: Option<PathBuf>,
    /// How often a federation is started
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) starts: u32,
    /// How many policies are applied, each to a Deployment of its own
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
    /// What is logged to standard error
    #[arg(long, default_value = "off")]
    pub(crate) log: String,
}
