//! `cargo xtask test`: every check of the gate, the cheapest first.

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::tools::{self, Needs};
use crate::{codegen, conformance, crds, workspace};

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
const EMBEDDED: [&str; 9] = [
    "walkthroughs",
    "commands",
    "server",
    "faults",
    "restarts",
    "streams",
    "getting_started",
    "real_pods",
    "agent",
];

/// End-to-end tests that need kube-apiserver, kube-controller-manager and etcd.
const REAL_KUBERNETES: &str = "real_kubernetes";

/// Runs every check and stops at the first that fails.
pub(crate) fn run(scope: Scope) -> Result<()> {
    let needs = if scope == Scope::Full { Needs::ControlPlane } else { Needs::Client };
    step("format", cargo(&["fmt", "--all", "--check"]))?;
    step("lints", cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    println!("==> generated files");
    crds::check()?;
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
        tools::conformance_suite()?;
    }
    let mut end_to_end = vec!["test", "--workspace"];
    end_to_end.extend(EMBEDDED.iter().flat_map(|name| ["--test", name]));
    if scope == Scope::Full {
        end_to_end.extend(["--test", REAL_KUBERNETES]);
    }
    // One at a time: each starts whole clusters, and two cores are enough for one of them.
    end_to_end.extend(["--", "--test-threads=1"]);
    step("end-to-end tests", with_assets(cargo(&end_to_end), &assets))?;
    if scope == Scope::Full {
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
