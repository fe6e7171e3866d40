//! `cargo xtask fuzz NAME`: one fuzz target under libFuzzer, guided by coverage.
//!
//! Needs `cargo install cargo-fuzz`. New inputs that reach new code go to `fuzz/corpus/NAME`, which is not committed;
//! an input that fails goes to `fuzz/artifacts` and belongs into `fuzz/seeds/NAME` with the change that mends it.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::workspace;

/// What to run and for how long.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Target: a folder name below fuzz/seeds.
    name: String,
    /// Time in seconds; 0 runs until it is stopped.
    #[arg(long, default_value_t = 0)]
    seconds: u64,
}

/// Runs the target and fails when it finds an input that fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = workspace::root()?;
    let seeds = root.join("fuzz/seeds").join(&arguments.name);
    if !seeds.is_dir() {
        bail!("there is no fuzz target {:?}: the folders of fuzz/seeds name them", arguments.name);
    }
    let corpus = root.join("fuzz/corpus").join(&arguments.name);
    fs::create_dir_all(&corpus).with_context(|| format!("cannot create {}", corpus.display()))?;
    // Without a sanitizer, because sanitizers need a nightly compiler; the crates have no unsafe code of their own.
    let status = Command::new("cargo")
        .current_dir(&root)
        .env("FUZZ_TARGET", &arguments.name)
        .args([
            "fuzz",
            "run",
            "--fuzz-dir",
            "fuzz",
            "--features",
            "libfuzzer",
            "--sanitizer",
            "none",
            "fuzz_target",
        ])
        .args([&corpus, &seeds])
        .args(["--", "-timeout=10", "-rss_limit_mb=2048"])
        .arg(format!("-max_total_time={}", arguments.seconds))
        .status()
        .context("cannot start `cargo fuzz`: install it with `cargo install cargo-fuzz`")?;
    if !status.success() {
        bail!("target {} fails: its input is below fuzz/artifacts", arguments.name);
    }
    Ok(())
}
