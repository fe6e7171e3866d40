//! `cargo xtask attack`: attacks the built program.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tools::{self, Needs};
use crate::workspace;

/// What to attack, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Classes of attacks: identity, stolen, bombs, floods, mutations, members, damage, kills [default: all]
    pub(crate) classes: Vec<String>,
    /// Time for each class, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) seconds: u64,
    /// Seed of the attempts [default: a random one]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// Attack a build for development, as the gate does [default: a release build]
    #[arg(long)]
    pub(crate) debug: bool,
    /// Features of the build, such as portolan/otel,portolan/route53
    #[arg(long, value_name = "FEATURES")]
    pub(crate) features: Option<String>,
}

/// Builds the program and the attacker, and runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = workspace::root()?;
    let mut build = Command::new(&cargo);
    build.args(["build", "--workspace", "--bin", "portolan", "--bin", "portolan-attack"]).current_dir(&root);
    if let Some(features) = &arguments.features {
        build.args(["--features", features]);
    }
    let profile = if arguments.debug { "debug" } else { "release" };
    if !arguments.debug {
        build.arg("--release");
    }
    if !build.status().context("cannot start cargo")?.success() {
        bail!("the build failed");
    }
    let folder = workspace::target_directory()?.join(profile);
    let mut attack = Command::new(folder.join("portolan-attack"));
    attack.arg("--portolan").arg(folder.join("portolan"));
    attack.args(["--seconds", &arguments.seconds.to_string()]);
    if let Some(seed) = arguments.seed {
        attack.args(["--seed", &seed.to_string()]);
    }
    attack.args(&arguments.classes);
    // kube-apiserver judges the class `identity`.
    attack.env(tools::ASSETS, tools::provide(Needs::ControlPlane)?);
    if !attack.status().context("cannot start the attack")?.success() {
        bail!("an attack succeeded, or data were lost: see above; --seed repeats it");
    }
    Ok(())
}
