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

/// End-to-end tests that need kube-apiserver, kube-controller-manager and etcd.
const REAL_KUBERNETES: [&str; 3] = ["real_kubernetes", "authorization", "parity"];

/// Time for each class of attacks.
const ATTACK_SECONDS: u64 = 10;
/// The same attempts in each run of the gate, so that a failure comes from the change; runs by hand have random seeds.
const ATTACK_SEED: u64 = 8_977_458_666_821_491_499;

/// Runs every check and stops at the first that fails.
pub(crate) fn run(scope: Scope) -> Result<()> {
    let needs = if scope == Scope::Full { Needs::ControlPlane } else { Needs::Client };
    step("format", cargo(&["fmt", "--all", "--check"]))?;
    step("lints", cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    println!("==> generated files");
    crds::generated().check()?;
    reference::generated().check()?;
    if scope == Scope::Full {
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
        step("unused dependencies", machete)?;
    }
    // Always the whole workspace, narrowed by targets: with another selection of packages, cargo chooses other features
    // and compiles every dependency once more.
    step("unit and in-process tests", cargo(&["test", "--workspace", "--lib", "--bins", "--test", "it"]))?;
    step("fuzz targets, bounded", cargo(&["test", "--workspace", "--test", "bounded"]))?;
    step("documentation tests", cargo(&["test", "--workspace", "--doc"]))?;
    let assets = tools::provide(needs)?;
    step("binary", cargo(&["build", "--workspace", "--bin", "portolan"]))?;
    if scope == Scope::Full {
        let lint =
            ["test", "--workspace", "--bin", "portolan", "--", "--ignored", "promtool_accepts_the_metrics"];
        step("metrics by promtool's rules", cargo(&lint))?;
        // As another selection of features it compiles our crates once more.
        let traces =
            ["test", "--workspace", "--features", "portolan/otel", "--bin", "portolan", "a_trace_goes_from"];
        step("traces over OTLP", cargo(&traces))?;
        tools::conformance_suite()?;
    }
    if scope == Scope::Full {
        let peers = cargo(&[
            "test",
            "--workspace",
            "--features",
            "portolan-providers/route53",
            "--test",
            "peers",
            "--",
            "--test-threads=1",
        ]);
        step("DNS providers against real servers", with_assets(peers, &assets))?;
    }
    let mut end_to_end = vec!["test", "--workspace"];
    end_to_end.extend(EMBEDDED.iter().flat_map(|name| ["--test", name]));
    if scope == Scope::Full {
        end_to_end.extend(REAL_KUBERNETES.iter().flat_map(|name| ["--test", name]));
    }
    // One at a time: each starts whole clusters, and two cores are enough for one of them.
    end_to_end.extend(["--", "--test-threads=1"]);
    step("end-to-end tests", with_assets(cargo(&end_to_end), &assets))?;
    if scope == Scope::Full {
        println!("==> attacks, bounded");
        attack::run(&attack::Arguments {
            classes: Vec::new(),
            seconds: ATTACK_SECONDS,
            seed: Some(ATTACK_SEED),
            debug: true,
        })?;
        println!("==> conformance");
        conformance::run(&conformance::Arguments::default())?;
    }
    Ok(())
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

fn with_assets(mut command: Command, folder: &Path) -> Command {
    command.env(tools::ASSETS, folder);
    command
}

fn step(name: &str, mut command: Command) -> Result<()> {
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
        let is_run = |name: &String| EMBEDDED.iter().chain(&REAL_KUBERNETES).any(|listed| listed == name);
        let missing: Vec<_> = names.filter(|name| !is_run(name)).collect();
        assert!(missing.is_empty(), "not in the lists above: {missing:?}");
    }
}
