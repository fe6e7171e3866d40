//! The Kubernetes programs that end-to-end tests run: found on the machine, or built from `tools/go.mod`.
//!
//! `KUBEBUILDER_ASSETS` wins (the usual convention of controller tests), then `PATH`; what neither has is built
//! once into the target directory. The result is one folder with all of them, so that a test needs one variable.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// The variable by which tests find the folder; the convention of controller-runtime's envtest.
pub(crate) const ASSETS: &str = "KUBEBUILDER_ASSETS";

/// One program and the Go package that builds it.
struct Program {
    name: &'static str,
    package: &'static str,
}

const PROGRAMS: &[Program] = &[
    Program { name: "kubectl", package: "k8s.io/kubernetes/cmd/kubectl" },
    Program { name: "kube-apiserver", package: "k8s.io/kubernetes/cmd/kube-apiserver" },
    Program { name: "kube-controller-manager", package: "k8s.io/kubernetes/cmd/kube-controller-manager" },
    Program { name: "etcd", package: "go.etcd.io/etcd/server/v3" },
];

/// Which programs a caller needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Only kubectl.
    Client,
    /// A whole Kubernetes control plane as well.
    ControlPlane,
}

/// Returns a folder that holds every program asked for, building what the machine lacks.
pub(crate) fn provide(needs: Needs) -> Result<PathBuf> {
    let folder = workspace::target_directory()?.join("tools");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let wanted = match needs {
        Needs::Client => &PROGRAMS[..1],
        Needs::ControlPlane => PROGRAMS,
    };
    for program in wanted {
        provide_one(&folder, program)?;
    }
    Ok(folder)
}

fn provide_one(folder: &Path, program: &Program) -> Result<()> {
    let place = folder.join(program.name);
    if place.exists() {
        return Ok(());
    }
    if let Some(found) = find(program.name) {
        println!("{}: found at {}", program.name, found.display());
        let _ = fs::remove_file(&place); // a dangling link of an earlier run
        return std::os::unix::fs::symlink(&found, &place)
            .with_context(|| format!("cannot link {} to {}", place.display(), found.display()));
    }
    build(&place, program)
}

fn find(name: &str) -> Option<PathBuf> {
    let assets = env::var_os(ASSETS).into_iter().map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    assets.chain(env::split_paths(&path)).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn build(place: &Path, program: &Program) -> Result<()> {
    let modules = workspace::root()?.join("tools");
    let version = pinned_kubernetes_version(&fs::read_to_string(modules.join("go.mod"))?)?;
    println!("{}: not found in {ASSETS} or PATH, building it (minutes, once)", program.name);
    let status = Command::new("go")
        .current_dir(&modules)
        .env("CGO_ENABLED", "0")
        .args(["build", "-trimpath", "-ldflags", &linker_flags(&version), "-o"])
        .arg(place)
        .arg(program.package)
        .status()
        .with_context(|| {
            format!(
                "cannot run `go` to build {}: install Go, or set {ASSETS} to a folder that has it",
                program.name
            )
        })?;
    if !status.success() {
        bail!("building {} failed: see the output of `go build` above", program.name);
    }
    Ok(())
}

/// The version that `tools/go.mod` pins, such as `v1.36.3`.
fn pinned_kubernetes_version(go_mod: &str) -> Result<String> {
    go_mod
        .lines()
        .filter_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v"))
        // What follows the version is a comment (`// indirect`).
        .filter_map(|rest| rest.split_whitespace().next())
        .map(|version| format!("v{version}"))
        .next()
        .context("tools/go.mod does not require k8s.io/kubernetes")
}

/// Without these flags the programs say v0.0.0-master and refuse each other.
fn linker_flags(version: &str) -> String {
    let mut parts = version.trim_start_matches('v').split('.');
    let major = parts.next().unwrap_or_default();
    let minor = parts.next().unwrap_or_default();
    let component = "k8s.io/component-base/version";
    format!(
        "-s -w -X {component}.gitVersion={version} -X {component}.gitMajor={major} -X {component}.gitMinor={minor}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_comes_from_the_pin() {
        for comment in ["", " // indirect"] {
            let go_mod = format!(
                "require (\n\tgo.etcd.io/etcd/server/v3 v3.6.8\n\tk8s.io/kubernetes v1.36.3{comment}\n)\n"
            );
            assert_eq!(pinned_kubernetes_version(&go_mod).unwrap(), "v1.36.3", "comment {comment:?}");
        }
        assert!(pinned_kubernetes_version("module x").is_err());
    }

    #[test]
    fn linker_flags_carry_the_version_in_three_parts() {
        let flags = linker_flags("v1.36.3");
        for part in [".gitVersion=v1.36.3", ".gitMajor=1", ".gitMinor=36"] {
            assert!(flags.contains(part), "{part} in {flags}");
        }
    }
}
