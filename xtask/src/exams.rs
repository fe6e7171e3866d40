//! `cargo xtask exams`: suites that others wrote, against a control plane or a member of a playground.
//!
//! A suite comes from a package registry at a pinned version, and is built or copied into the target directory. The suite
//! decides what passes. Its page in `docs/conformance` lists the checks that may fail, each with the reason; the command
//! fails when another one fails, and when a whole run passes one that is listed.

mod accepted;
mod check;
mod clients;
mod cluster;
mod e2e;
mod go_module;
mod test_cmd;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::workspace;
use accepted::Accepted;
use check::{Check, Selection};
use clients::Language;
use cluster::{Cluster, Needs};

/// An exam and what it examines.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The suite.
    exam: Exam,
    /// What is examined.
    #[arg(long, value_enum, default_value_t = Target::Hub)]
    on: Target,
    /// Run only the checks with a name that matches this regular expression.
    #[arg(long, value_name = "EXPRESSION")]
    focus: Option<String>,
    /// The portolan binary [default: it is built].
    #[arg(long, value_name = "FILE")]
    portolan: Option<PathBuf>,
}

/// A suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Exam {
    /// Kubernetes' test/cmd: kubectl, command by command.
    TestCmd,
    /// Kubernetes' test/e2e: conformance specs, which `docs/conformance/e2e.md` lists for each target.
    E2e,
    /// The Python client and kopf, which `docs/conformance/clients.md` lists with the other clients.
    Python,
    /// The JavaScript client.
    Node,
    /// fabric8's Java client.
    Java,
    /// The official Java client.
    JavaOfficial,
}

/// What an exam examines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// The API server of a control plane.
    Hub,
    /// A member of a playground.
    Member,
}

impl Exam {
    /// Its name in file names.
    fn name(self) -> &'static str {
        match self {
            Self::TestCmd => "test-cmd",
            Self::E2e => "e2e",
            Self::Python => "python",
            Self::Node => "node",
            Self::Java => "java",
            Self::JavaOfficial => "java-official",
        }
    }

    /// The page with its results.
    fn page(self) -> &'static str {
        match self {
            Self::TestCmd | Self::E2e => self.name(),
            Self::Python | Self::Node | Self::Java | Self::JavaOfficial => "clients",
        }
    }

    /// What it expects of the cluster. Kubernetes' test/cmd expects no nodes but the one that it creates and that runs no
    /// pods, and starts its own API server without these two; some specs of its test/e2e need two nodes.
    fn needs(self) -> Needs {
        match self {
            Self::TestCmd => Needs {
                nodes: &[],
                hub_flags: &["--disable-admission-plugins=ServiceAccount", "--anonymous-auth=false"],
            },
            Self::E2e | Self::Python | Self::Node | Self::Java | Self::JavaOfficial => {
                Needs { nodes: &["member-1", "member-2"], hub_flags: &[] }
            }
        }
    }
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::Member => "member",
        }
    }
}

/// Runs an exam and judges it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { exam, on, focus, portolan } = arguments;
    let folder = workspace::target_directory()?.join(format!("exams/{}-{}", exam.name(), on.name()));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let page = workspace::root()?.join(format!("docs/conformance/{}.md", exam.page()));
    let accepted = Accepted::read(&page, *on)?;
    let focus = focus.as_deref();
    if focus.is_some() && exam.page() == "clients" {
        bail!("the programs of the clients run as a whole: leave --focus out");
    }
    let cluster = Cluster::start(*on, exam.needs(), portolan.as_deref(), &folder.join("cluster"))?;
    let checks = match exam {
        Exam::TestCmd => test_cmd::run(&cluster, focus, &folder)?,
        Exam::E2e => e2e::run(&cluster, *on, focus, &folder)?,
        Exam::Python => clients::run(Language::Python, &cluster, *on, &folder)?,
        Exam::Node => clients::run(Language::Node, &cluster, *on, &folder)?,
        Exam::Java => clients::run(Language::Java, &cluster, *on, &folder)?,
        Exam::JavaOfficial => clients::run(Language::JavaOfficial, &cluster, *on, &folder)?,
    };
    drop(cluster);
    let selection = if focus.is_some() { Selection::Some } else { Selection::All };
    judge(&checks, &accepted, selection, &folder)
}

/// What a command prints.
fn printed(command: &mut Command) -> Result<String> {
    let named = format!("{command:?}");
    let output = command.output().with_context(|| format!("cannot run {named}: is it installed?"))?;
    if !output.status.success() {
        bail!("{named} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn judge(
    checks: &[Check],
    accepted: &Accepted,
    selection: Selection,
    folder: &std::path::Path,
) -> Result<()> {
    let table = check::table(checks);
    let path = folder.join("results.md");
    fs::write(&path, &table).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}; {} has the table", check::summary(checks), path.display());
    let faults = accepted.faults(checks, selection);
    if !faults.is_empty() {
        bail!("{} checks differ from the page:\n  {}", faults.len(), faults.join("\n  "));
    }
    Ok(())
}
