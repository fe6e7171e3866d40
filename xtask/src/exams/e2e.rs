//! Kubernetes' test/e2e, spec by spec.
//!
//! Each spec is one run of the suite with a limit of time: a spec of a cluster that lacks something would otherwise wait
//! for the suite's own five minutes. Two run side by side, each in namespaces of its own; those marked Serial run alone.

mod report;

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Target;
use super::check::{Check, Outcome};
use super::cluster::Cluster;
use crate::tools;

/// Limit of time of one spec.
const TIME_LIMIT: &str = "150s";
/// Limit of one run of the suite: a spec that does not end at its own limit is killed.
const PROCESS_LIMIT: &str = "200s";
/// Limit of the whole exam. Specs that are left then count as failed.
const EXAM_LIMIT: Duration = Duration::from_secs(3 * 60 * 60);
/// Specs that run at the same time.
const PARALLEL: usize = 2;
/// Specs that cannot pass on loopback addresses, or that wait for longer than a spec may take.
const LEFT_OUT: &str = r"\[Slow\]|\[Disruptive\]|\[Flaky\]|\[Feature:.*\]|\[LinuxOnly\]|Windows";

/// The specs of each target.
fn specs(target: Target) -> &'static str {
    match target {
        Target::Hub => r"\[sig-api-machinery\].*\[Conformance\]",
        Target::Member => {
            r"\[sig-(api-machinery|apps|auth|cli|instrumentation|architecture)\].*\[Conformance\]"
        }
    }
}

/// The suite with what every run of it needs.
struct Suite<'a> {
    program: PathBuf,
    kubectl: PathBuf,
    cluster: &'a Cluster,
    folder: &'a Path,
    /// The time at which the exam ends.
    end: Instant,
}

/// Runs the conformance specs of `target`, or the specs that match `focus`.
pub(super) fn run(
    cluster: &Cluster,
    target: Target,
    focus: Option<&str>,
    folder: &Path,
) -> Result<Vec<Check>> {
    let programs = tools::provide_for_exams(&["kubectl", "e2e.test"])?;
    let suite = Suite {
        program: programs.join("e2e.test"),
        kubectl: programs.join("kubectl"),
        cluster,
        folder,
        end: Instant::now() + EXAM_LIMIT,
    };
    let names = suite.names(focus.unwrap_or_else(|| specs(target)))?;
    println!("running {} specs; {} has their output", names.len(), folder.display());
    let (serial, parallel): (VecDeque<String>, VecDeque<String>) =
        names.into_iter().partition(|name| name.contains("[Serial]"));
    let mut checks = suite.run_all(parallel, PARALLEL)?;
    checks.extend(suite.run_all(serial, 1)?);
    Ok(checks)
}

impl Suite<'_> {
    /// The specs that match.
    fn names(&self, focus: &str) -> Result<Vec<String>> {
        let report = self.folder.join("list.json");
        let arguments = [
            "--ginkgo.dry-run".to_owned(),
            format!("--ginkgo.focus={focus}"),
            format!("--ginkgo.skip={LEFT_OUT}"),
        ];
        let said = self.command(&report, &arguments).output().context("cannot run the suite")?;
        if !said.status.success() {
            bail!("the suite cannot list its specs: {}", String::from_utf8_lossy(&said.stdout));
        }
        let specs = report::read(&report)?;
        Ok(specs.into_iter().filter(|spec| spec.is_selected()).map(|spec| spec.name()).collect())
    }

    fn run_all(&self, names: VecDeque<String>, parallel: usize) -> Result<Vec<Check>> {
        let (queue, checks) = (Mutex::new(names), Mutex::new(Vec::new()));
        // A worker that panics leaves whole values behind.
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        thread::scope(|scope| {
            let workers: Vec<_> = (0..parallel)
                .map(|worker| {
                    let (next, checks) = (&next, &checks);
                    scope.spawn(move || -> Result<()> {
                        while let Some(name) = next() {
                            let check = self.run_one(&name, worker)?;
                            println!("{:?}: {name} {}", check.outcome, check.reason);
                            checks.lock().unwrap_or_else(PoisonError::into_inner).push(check);
                        }
                        Ok(())
                    })
                })
                .collect();
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().unwrap_or_else(|_| bail!("a worker panicked")))
        })?;
        Ok(checks.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn run_one(&self, name: &str, worker: usize) -> Result<Check> {
        if Instant::now() > self.end {
            let reason = "not run: the time of the exam was over".to_owned();
            return Ok(Check { name: name.to_owned(), outcome: Outcome::Failed, reason });
        }
        let report = self.folder.join(format!("report-{worker}.json"));
        let _ = fs::remove_file(&report); // that of the spec before
        // Ginkgo matches the name of the suite, a blank and that of the spec.
        let focus = format!("--ginkgo.focus= {}$", escaped(name));
        let output = self.command(&report, &[focus]).output().context("cannot run the suite")?;
        let log = self.folder.join("logs").join(format!("{}.log", file_name(name)));
        fs::create_dir_all(self.folder.join("logs")).context("cannot create the folder of logs")?;
        fs::write(&log, &output.stdout).with_context(|| format!("cannot write {}", log.display()))?;
        let found = report::read(&report).unwrap_or_default();
        let ran = found.iter().find(|spec| spec.name() == name);
        let (outcome, reason) = ran.map_or_else(
            || (Outcome::Failed, format!("the suite ended without a report: {}", output.status)),
            |spec| (spec.outcome(), spec.reason()),
        );
        Ok(Check { name: name.to_owned(), outcome, reason })
    }

    fn command(&self, report: &Path, arguments: &[String]) -> Command {
        let mut command = Command::new("timeout");
        command
            .args(["--kill-after=10s", PROCESS_LIMIT])
            .arg(&self.program)
            .arg(format!("--kubeconfig={}", self.cluster.kubeconfig.display()))
            .arg(format!("--kubectl-path={}", self.kubectl.display()))
            .args(["--provider=skeleton", "--dump-logs-on-failure=false", "--ginkgo.no-color"])
            .arg(format!("--ginkgo.timeout={TIME_LIMIT}"))
            .arg(format!("--ginkgo.json-report={}", report.display()))
            .args(arguments)
            .current_dir(self.folder)
            .stdin(Stdio::null());
        command
    }
}

/// A regular expression that matches this text only.
fn escaped(text: &str) -> String {
    let special = |letter: char| r"\.+*?()|[]{}^$".contains(letter);
    text.chars().flat_map(|letter| special(letter).then_some('\\').into_iter().chain([letter])).collect()
}

fn file_name(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_themselves_only() {
        assert_eq!(escaped("[sig-a] b (c) d.e"), r"\[sig-a\] b \(c\) d\.e");
        assert_eq!(file_name("[sig-a] b"), "-sig-a--b");
    }
}
