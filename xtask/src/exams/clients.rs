//! Client libraries of other languages, each with a short program of ours in `tools/clients`.
//!
//! A program prints `ok NAME` or `failed NAME: REASON` for each check. Libraries come from their package registries, at the
//! versions that the program's folder pins, into the target directory.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::check::{Check, Outcome};
use super::cluster::Cluster;
use super::{Target, go_module, printed};
use crate::workspace;

/// Time for all checks of one program.
const TIME_LIMIT: &str = "10m";

/// The commands that get the libraries of a Java program and compile it.
const MAVEN: &[&[&str]] = &[&["mvn", "--quiet", "--batch-mode", "compile", "dependency:copy-dependencies"]];

/// A language with a client library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// The official client, and kopf (PyPI).
    Python,
    /// The official client (npm).
    Node,
    /// fabric8's client (Maven Central).
    Java,
    /// The official client for Java (Maven Central).
    JavaOfficial,
}

impl Language {
    fn folder(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
            Self::Java => "java",
            Self::JavaOfficial => "java-official",
        }
    }

    /// The commands that install the libraries into the current folder, and then the program.
    fn commands(self) -> (&'static [&'static [&'static str]], &'static [&'static str]) {
        match self {
            Self::Python => (
                &[
                    &["python3", "-m", "venv", "installed"],
                    &["installed/bin/pip", "install", "--quiet", "--requirement", "requirements.txt"],
                ],
                &["installed/bin/python", "exam.py"],
            ),
            Self::Node => (&[&["npm", "install", "--silent", "--no-audit"]], &["node", "exam.mjs"]),
            Self::Java => {
                (MAVEN, &["java", "-cp", "target/classes:target/dependency/*", "dev.portolan.exam.Exam"])
            }
            Self::JavaOfficial => (
                MAVEN,
                &["java", "-cp", "target/classes:target/dependency/*", "dev.portolan.exam.OfficialExam"],
            ),
        }
    }
}

/// Installs the library and runs its program.
pub(super) fn run(
    language: Language,
    cluster: &Cluster,
    target: Target,
    folder: &Path,
) -> Result<Vec<Check>> {
    let place = folder.join("program");
    go_module::copy(&workspace::root()?.join("tools/clients").join(language.folder()), &place)?;
    let (installing, program) = language.commands();
    for words in installing {
        printed(Command::new(words[0]).args(&words[1..]).current_dir(&place))?;
    }
    let log = folder.join("log");
    let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    println!("running the program; {} has its output", log.display());
    Command::new("timeout")
        .args(["--kill-after=10s", TIME_LIMIT])
        .args(program)
        .args((target == Target::Member).then_some("--pods"))
        .env("KUBECONFIG", &cluster.kubeconfig)
        .current_dir(&place)
        .stdin(Stdio::null())
        .stdout(file.try_clone().context("cannot use the log twice")?)
        .stderr(file)
        .status()
        .context("cannot run timeout")?;
    let said = fs::read_to_string(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let checks = checks(&said);
    if checks.is_empty() {
        bail!("the program reported no check: see {}", log.display());
    }
    Ok(checks)
}

/// The checks in what a program printed. Other lines are its own messages.
fn checks(said: &str) -> Vec<Check> {
    let check = |line: &str| {
        let (outcome, name, reason) = match line.split_once(' ')? {
            ("ok", name) => (Outcome::Passed, name, ""),
            ("failed", rest) => {
                let (name, reason) = rest.split_once(": ")?;
                (Outcome::Failed, name, reason)
            }
            _ => return None,
        };
        Some(Check { name: name.to_owned(), outcome, reason: reason.to_owned() })
    };
    said.lines().filter_map(check).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_checks() {
        let said = "warning: x\nok one\nfailed two: Error: it is: so\n";
        let check = |name: &str, outcome, reason: &str| Check {
            name: name.to_owned(),
            outcome,
            reason: reason.to_owned(),
        };
        let want = [check("one", Outcome::Passed, ""), check("two", Outcome::Failed, "Error: it is: so")];
        assert_eq!(checks(said), want);
    }
}
