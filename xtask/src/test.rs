//! `cargo xtask test`: every check of the gate, the cheapest first.

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::tools::{self, Needs};
use crate::{attack, codegen, conformance, crds, reference, workspace};

/// How much to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Without the tests that need real API servers.
    Quick,
    /// Everything.
    Full,
}

/// End-to-end tests that need kubectl only, and for pods with namespaces some Debian packages and root, or user
/// namespaces.
const EMBEDDED: [&str; 10] = [
    "walkthroughs",
    "commands",
    "server",
    "faults",
    "restarts",
    "ownership",
    "streams",
    "getting_started",
    "real_pods",
    "agent",
];

/// End-to-end tests of the providers of public DNS, against BIND, Knot, CoreDNS and moto. `federated_dns` needs root.
const PEERS: [&str; 2] = ["peers", "federated_dns"];

/// End-to-end tests that need kube-apiserver, kube-controller-manager and etcd.
const REAL_KUBERNETES: [&str; 3] = ["real_kubernetes", "authorization", "parity"];

/// Time for each class of attacks.
const ATTACK_SECONDS: u64 = 10;
/// The same attempts in each run of the gate, so that a failure comes from the change; runs by hand have random seeds.
const ATTACK_SEED: u64 = 8_977_458_666_821_491_499;

/// Features that release builds switch on. The full gate has them in every step, so that nothing is compiled twice.
const RELEASE_FEATURES: &str = "portolan/otel,portolan/route53";

/// Builds the programs under test. With a test among the targets, dependencies have the features that tests need, and the
/// crates that the tests have compiled are used again.
pub(crate) const BINARIES: [&str; 7] =
    ["build", "--bin", "portolan", "--bin", "portolan-attack", "--test", "walkthroughs"];

/// Runs every check and stops at the first that fails.
pub(crate) fn run(scope: Scope) -> Result<()> {
    step("format", cargo(&["fmt", "--all", "--check"]))?;
    step("lints", whole(scope, &["clippy", "--all-targets"], &["-D", "warnings"]))?;
    println!("==> generated files");
    crds::generated().check()?;
    reference::generated().check()?;
    if scope == Scope::Full {
        checks_of_the_full_gate()?;
    }
    let in_process = ["test", "--lib", "--bins", "--test", "it", "--test", "bounded"];
    step("unit and in-process tests", whole(scope, &in_process, &[]))?;
    step("documentation tests", whole(scope, &["test", "--doc"], &[]))?;
    let assets = tools::provide(if scope == Scope::Full { Needs::ControlPlane } else { Needs::Client })?;
    step("binaries", whole(scope, &BINARIES, &[]))?;
    if scope == Scope::Full {
        let lint =
            whole(scope, &["test", "--bin", "portolan"], &["--ignored", "promtool_accepts_the_metrics"]);
        step("metrics by promtool's rules", lint)?;
        tools::conformance_suite()?;
    }
    // Most of their time they wait. More than two at a time are late where there are two cores.
    step("end-to-end tests", with_assets(end_to_end(scope, &EMBEDDED, 2), &assets))?;
    if scope == Scope::Full {
        let beside_others: Vec<&str> = PEERS.iter().chain(&REAL_KUBERNETES).copied().collect();
        // One at a time: each starts whole clusters of Kubernetes.
        let step_name = "end-to-end tests beside other programs";
        step(step_name, with_assets(end_to_end(scope, &beside_others, 1), &assets))?;
        println!("==> attacks, bounded");
        attack::run(&attack::Arguments {
            classes: Vec::new(),
            seconds: ATTACK_SECONDS,
            seed: Some(ATTACK_SEED),
            debug: true,
            are_built: true,
        })?;
        println!("==> conformance");
        let portolan = workspace::target_directory()?.join("debug/portolan");
        conformance::run(&conformance::Arguments::of_binary(portolan))?;
    }
    Ok(())
}

/// Checks that the quick form leaves out, without tests.
fn checks_of_the_full_gate() -> Result<()> {
    // The control plane alone; as another selection of features it compiles dependencies once more.
    step(
        "server without the playground",
        cargo(&["clippy", "--package", "portolan", "--no-default-features", "--", "-D", "warnings"]),
    )?;
    codegen::run(&workspace::root()?, codegen::Mode::Check)?;
    step(
        "licences, sources and duplicate versions",
        cargo(&["deny", "check", "bans", "licenses", "sources"]),
    )?;
    // cargo-machete takes this variable, which `cargo xtask` sets, for a sign that it was not called by cargo.
    let mut machete = cargo(&["machete"]);
    machete.env_remove("CARGO_PKG_NAME");
    step("unused dependencies", machete)
}

/// The end-to-end tests in these files, `threads` at a time.
fn end_to_end(scope: Scope, files: &[&str], threads: usize) -> Command {
    let mut command = vec!["test"];
    command.extend(files.iter().flat_map(|name| ["--test", name]));
    whole(scope, &command, &[&format!("--test-threads={threads}")])
}

/// A command for the whole workspace, narrowed by targets only: with another selection of packages or features, cargo
/// compiles every dependency once more. `rest` follows `--`.
pub(crate) fn whole(scope: Scope, command: &[&str], rest: &[&str]) -> Command {
    let mut built = cargo(&command[..1]);
    built.arg("--workspace");
    if scope == Scope::Full {
        built.args(["--features", RELEASE_FEATURES]);
    }
    built.args(&command[1..]).arg("--").args(rest);
    built
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

pub(crate) fn with_assets(mut command: Command, folder: &Path) -> Command {
    command.env(tools::ASSETS, folder);
    command
}

pub(crate) fn step(name: &str, mut command: Command) -> Result<()> {
    println!("==> {name}");
    let started = Instant::now();
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{name}: {command:?} failed ({status})");
    }
    println!("==> {name}: ok in {:.0?}", started.elapsed());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_end_to_end_test_is_run() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/tests");
        let files = fs::read_dir(folder).expect("the end-to-end tests").flatten();
        let names = files.filter_map(|file| Some(file.path().file_stem()?.to_str()?.to_owned()));
        let listed = || EMBEDDED.iter().chain(&PEERS).chain(&REAL_KUBERNETES);
        let is_run = |name: &String| listed().any(|one| one == name);
        let missing: Vec<_> = names.filter(|name| !is_run(name)).collect();
        assert!(missing.is_empty(), "not in the lists above: {missing:?}");
    }
}
