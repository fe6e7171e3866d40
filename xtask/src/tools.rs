//! Programs for end-to-end tests: found on the machine, or built from the Go modules in `tools/`.
//!
//! The search order is `KUBEBUILDER_ASSETS` (the convention of controller-runtime's envtest), then `PATH`. Missing programs
//! are built once into the target directory. The result is one folder with all programs. Only the modules pin versions.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// Environment variable with the folder of the programs.
pub(crate) const ASSETS: &str = "KUBEBUILDER_ASSETS";

/// One program and how to build it.
struct Program {
    name: &'static str,
    /// Folder of the Go module that pins it.
    module: &'static str,
    package: &'static str,
    build: BuildKind,
}

/// How a Go package becomes a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BuildKind {
    /// `go build` of a main package.
    Program,
    /// `go test -c` of a package with tests.
    Tests,
}

const PROGRAMS: &[Program] = &[
    kubernetes("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    kubernetes("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    kubernetes("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    kubernetes("etcd", "go.etcd.io/etcd/server/v3"),
    OLD_ETCD,
    COREDNS,
    KUBEFEDCTL,
];

/// KubeFed's command line, with which a test joins and federates. It has a separate module because it needs older Kubernetes
/// client modules than the other programs.
const KUBEFEDCTL: Program = Program {
    name: "kubefedctl",
    module: "tools/kubefed",
    package: "sigs.k8s.io/kubefed/cmd/kubefedctl",
    build: BuildKind::Program,
};

/// Karmada's command line. It has a separate module because it needs other versions of Kubernetes' client modules than the
/// other programs.
const KARMADACTL: Program = Program {
    name: "karmadactl",
    module: "tools/karmadactl",
    package: "github.com/karmada-io/karmada/cmd/karmadactl",
    build: BuildKind::Program,
};

/// CoreDNS, which answers from the keys that the provider for etcd writes. It has a separate module because its
/// dependencies would move the versions of the other programs.
const COREDNS: Program = Program {
    name: "coredns",
    module: "tools/coredns",
    package: "github.com/coredns/coredns",
    build: BuildKind::Program,
};

/// An etcd on which kube-apiserver cannot serve streaming lists. It has a separate module because etcd 3.4 needs older
/// versions of the modules that the other programs share.
const OLD_ETCD: Program = Program {
    name: "etcd-3.4",
    module: "tools/old-etcd",
    package: "go.etcd.io/etcd",
    build: BuildKind::Program,
};

/// SIG Multicluster's conformance suite. It has a separate module because it needs older Kubernetes client modules than the
/// programs.
const CONFORMANCE: Program = Program {
    name: "mcs-conformance",
    module: "tools/conformance",
    package: "sigs.k8s.io/mcs-api/conformance",
    build: BuildKind::Tests,
};

/// Programs of Kubernetes at exactly the pinned version, which its suites need.
const EXAM_PROGRAMS: &[Program] = &[
    kubernetes("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    kubernetes("kubectl-convert", "k8s.io/kubernetes/cmd/kubectl-convert"),
    Program {
        name: "e2e.test",
        module: "tools/kubernetes-e2e",
        package: "portolan.dev/tools/kubernetes-e2e",
        build: BuildKind::Tests,
    },
];

const fn kubernetes(name: &'static str, package: &'static str) -> Program {
    Program { name, module: "tools", package, build: BuildKind::Program }
}

/// Programs that a caller needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// kubectl only.
    Client,
    /// kubectl and a Kubernetes control plane.
    ControlPlane,
}

/// Returns a folder with the programs of `needs`. Builds those that are missing.
pub(crate) fn provide(needs: Needs) -> Result<PathBuf> {
    let folder = folder()?;
    let wanted = match needs {
        Needs::Client => &PROGRAMS[..1],
        Needs::ControlPlane => PROGRAMS,
    };
    for program in wanted {
        provide_one(&folder, program)?;
    }
    Ok(folder)
}

/// Returns a folder with kubectl and karmadactl.
pub(crate) fn karmadactl() -> Result<PathBuf> {
    let folder = provide(Needs::Client)?;
    provide_one(&folder, &KARMADACTL)?;
    Ok(folder)
}

/// Returns the program that runs the conformance suite of the Multi-Cluster Services API.
pub(crate) fn conformance_suite() -> Result<PathBuf> {
    let folder = folder()?;
    provide_one(&folder, &CONFORMANCE)?;
    Ok(folder.join(CONFORMANCE.name))
}

/// Returns a folder with programs for exams, never those of the machine. Builds those that are missing.
pub(crate) fn provide_for_exams(names: &[&str]) -> Result<PathBuf> {
    let pins = fs::read_to_string(workspace::root()?.join("tools/go.mod"))?;
    // Those of another version stay unused.
    let version = pinned_kubernetes_version(&pins)?;
    let folder = workspace::target_directory()?.join(format!("exams/programs-{version}"));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for program in EXAM_PROGRAMS.iter().filter(|program| names.contains(&program.name)) {
        let target = folder.join(program.name);
        if !target.exists() {
            build(&target, program)?;
        }
    }
    Ok(folder)
}

fn folder() -> Result<PathBuf> {
    let folder = workspace::target_directory()?.join("tools");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

fn provide_one(folder: &Path, program: &Program) -> Result<()> {
    let target = folder.join(program.name);
    if target.exists() {
        return Ok(());
    }
    if let Some(found) = find(program.name) {
        println!("{}: found at {}", program.name, found.display());
        let _ = fs::remove_file(&target); // a dangling link of an earlier run
        return std::os::unix::fs::symlink(&found, &target)
            .with_context(|| format!("cannot link {} to {}", target.display(), found.display()));
    }
    build(&target, program)
}

fn find(name: &str) -> Option<PathBuf> {
    let assets = env::var_os(ASSETS).into_iter().map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    assets.chain(env::split_paths(&path)).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn build(target: &Path, program: &Program) -> Result<()> {
    println!("{}: building it (minutes, once)", program.name);
    let root = workspace::root()?;
    let version = pinned_kubernetes_version(&fs::read_to_string(root.join("tools/go.mod"))?)?;
    let status = Command::new("go")
        .current_dir(root.join(program.module))
        .env("CGO_ENABLED", "0")
        .args(go_arguments(program, &version))
        .arg("-o")
        .arg(target)
        .arg(program.package)
        .status()
        .with_context(|| {
            format!(
                "cannot run `go` to build {}: install Go, or set {ASSETS} to a folder that has it",
                program.name
            )
        })?;
    if !status.success() {
        bail!("building {} failed: see the output of `go` above", program.name);
    }
    Ok(())
}

fn go_arguments(program: &Program, kubernetes: &str) -> Vec<String> {
    let (command, flags) = match program.build {
        BuildKind::Program => (vec!["build"], linker_flags(kubernetes)),
        BuildKind::Tests => (vec!["test", "-c"], "-s -w".to_owned()),
    };
    let fixed = command.into_iter().chain(["-trimpath", "-ldflags"]).map(str::to_owned);
    fixed.chain([flags]).collect()
}

/// The version that `tools/go.mod` pins, such as `v1.36.3`.
fn pinned_kubernetes_version(go_mod: &str) -> Result<String> {
    go_mod
        .lines()
        .filter_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v"))
        // A comment may follow the version (`// indirect`).
        .filter_map(|rest| rest.split_whitespace().next())
        .map(|version| format!("v{version}"))
        .next()
        .context("tools/go.mod does not require k8s.io/kubernetes")
}

/// Linker flags that set the version. Without them the programs report v0.0.0-master and refuse each other.
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

    #[test]
    fn tests_are_compiled_and_programs_are_built() {
        assert_eq!(go_arguments(&CONFORMANCE, "v1.36.3"), ["test", "-c", "-trimpath", "-ldflags", "-s -w"]);
        let arguments = go_arguments(&PROGRAMS[0], "v1.36.3");
        assert_eq!(arguments[..3], ["build", "-trimpath", "-ldflags"]);
    }

    #[test]
    fn every_program_is_pinned_by_its_module() {
        let root = workspace::root().unwrap();
        for program in PROGRAMS.iter().chain([&CONFORMANCE, &KARMADACTL]) {
            let module = fs::read_to_string(root.join(program.module).join("go.mod")).unwrap();
            let is_pinned =
                module.lines().filter_map(|line| line.split_whitespace().find(|word| word.contains('/')));
            assert!(
                is_pinned.into_iter().any(|path| program.package.starts_with(path)),
                "{} does not pin {}",
                program.module,
                program.package
            );
        }
    }
}
