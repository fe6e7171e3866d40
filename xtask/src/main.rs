//! Developer commands: `cargo xtask help` lists them.

mod arrows;
mod attack;
mod circles;
mod codegen;
mod conformance;
mod crds;
#[cfg(test)]
mod documents;
mod exams;
mod fields;
mod fuzz;
mod generated;
mod karmadactl;
mod playground;
mod reference;
mod test;
mod tools;
mod workspace;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

/// Developer commands of Portolan.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Provide kubectl, kube-apiserver, kube-controller-manager, etcd and the conformance suite for the tests.
    Tools,
    /// Run SIG Multicluster's conformance suite, against a playground unless clusters are given.
    Conformance(conformance::Arguments),
    /// Run an exam that others wrote, such as Kubernetes' own tests of kubectl, against a control plane or a member.
    Exams(exams::Arguments),
    /// Run the tests that use karmadactl, which is built from its Go module.
    Karmadactl,
    /// Attack the built program: bombs, floods, mutated requests, hostile members, damaged files, kills.
    Attack(attack::Arguments),
    /// Run one fuzz target under libFuzzer.
    Fuzz(fuzz::Arguments),
    /// Run every check: format, lints, unit, in-process and end-to-end tests.
    Test {
        /// Leave out what needs real API servers.
        #[arg(long)]
        quick: bool,
    },
    /// Make the tables of built-in kinds from the pinned Kubernetes modules.
    Codegen {
        /// Write nothing; fail when the committed tables are stale.
        #[arg(long)]
        check: bool,
    },
    /// Write the CustomResourceDefinitions of the federation to deploy/crds.
    Crds {
        /// Write nothing; fail when the committed manifests are stale.
        #[arg(long)]
        check: bool,
    },
    /// Write the fields of every kind of the federation to docs/reference.
    Reference {
        /// Write nothing; fail when the committed pages are stale.
        #[arg(long)]
        check: bool,
    },
    /// Check that crates depend on each other only in the allowed directions, and that modules form no circles.
    Arrows,
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Task::Tools => {
            let folder = tools::provide(tools::Needs::ControlPlane)?;
            tools::conformance_suite()?;
            println!("export {}={}", tools::ASSETS, folder.display());
            Ok(())
        }
        Task::Conformance(arguments) => conformance::run(&arguments),
        Task::Exams(arguments) => exams::run(&arguments),
        Task::Karmadactl => karmadactl::run(),
        Task::Attack(arguments) => attack::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Test { quick } => test::run(if quick { test::Scope::Quick } else { test::Scope::Full }),
        Task::Codegen { check } => {
            codegen::run(&workspace::root()?, if check { codegen::Mode::Check } else { codegen::Mode::Write })
        }
        Task::Crds { check: true } => crds::generated().check(),
        Task::Crds { check: false } => crds::generated().write(),
        Task::Reference { check: true } => reference::generated().check(),
        Task::Reference { check: false } => reference::generated().write(),
        Task::Arrows => check_arrows(),
    }
}

fn check_arrows() -> Result<()> {
    let mut broken = arrows::broken(&workspace::dependencies()?);
    broken.extend(circles::find(&workspace::root()?)?);
    if !broken.is_empty() {
        bail!("the design forbids these dependencies:\n  {}", broken.join("\n  "));
    }
    Ok(())
}
