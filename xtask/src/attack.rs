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
    /// Use the programs that are built already
    #[arg(long = "built")]
    pub(crate) are_built: bool,
}

/// Builds the program and the attacker if that is wanted, and runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let profile = if arguments.debug { "debug" } else { "release" };
    if !arguments.are_built {
        build(arguments.debug)?;
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

fn build(is_debug: bool) -> Result<()> {
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--workspace", "--bin", "portolan", "--bin", "portolan-attack"]);
    if !is_debug {
        build.arg("--release");
    }
    if !build.current_dir(workspace::root()?).status().context("cannot start cargo")?.success() {
        bail!("the build failed");
    }
    Ok(())
}
