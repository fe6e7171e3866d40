//! `cargo xtask conformance`: SIG Multicluster's own tests against clusters of a Portolan federation.
//!
//! The suite decides what passes. This command provides clusters, reads the suite's report, and fails unless
//! every spec passed. A report of a complete run that passed replaces the one in `docs/conformance/`. Reports are
//! never edited.

mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::playground::{self, Playground};
use crate::{tools, workspace};
use report::{Report, Selection};

/// The contexts of the playground's members; the first exports.
const MEMBERS: [&str; 2] = ["member1", "member2"];
/// The clusterset that they are in.
const CLUSTERSET: &str = "conformance";
/// Timeout of the suite: 27 specs, each of which may wait for minutes.
const TIME_LIMIT: &str = "90m";
/// The files that the suite leaves in its working folder.
const REPORTS: [&str; 2] = ["report.yaml", "report.html"];
/// Contact in the report.
const METADATA: [&str; 4] = [
    "-organization=Portolan",
    "-project=portolan",
    concat!("-version=v", env!("CARGO_PKG_VERSION")),
    "-url=https://portolan.dev",
];

/// Specs to run, and the clusters.
#[derive(Debug, Default, Args)]
pub(crate) struct Arguments {
    /// Run only the specs with a text that matches this regular expression.
    #[arg(long, value_name = "EXPRESSION")]
    focus: Option<String>,
    /// Run only the specs with labels that match this filter, such as `Required` or `!DNS && !Connectivity`.
    #[arg(long, value_name = "FILTER")]
    labels: Option<String>,
    /// Kubeconfig of running clusters [default: a playground is started].
    #[arg(long, value_name = "FILE", requires = "contexts")]
    kubeconfig: Option<PathBuf>,
    /// The portolan binary that starts the playground [default: it is built].
    #[arg(long, value_name = "FILE", conflicts_with = "kubeconfig")]
    portolan: Option<PathBuf>,
    /// Two contexts of that file or more; the first is the one that exports.
    #[arg(long, value_name = "A,B", value_delimiter = ',', requires = "kubeconfig")]
    contexts: Vec<String>,
}

impl Arguments {
    /// The whole suite against a playground of this binary.
    pub(crate) fn of_binary(portolan: PathBuf) -> Self {
        Self { portolan: Some(portolan), ..Self::default() }
    }

    fn selection(&self) -> Selection {
        match (&self.focus, &self.labels) {
            (None, None) => Selection::All,
            _ => Selection::Some,
        }
    }

    /// The arguments of the suite.
    fn for_suite(&self, kubeconfig: &Path, contexts: &[String]) -> Vec<String> {
        let mut arguments = vec![
            format!("-test.timeout={TIME_LIMIT}"),
            format!("-ginkgo.timeout={TIME_LIMIT}"),
            "-ginkgo.v".to_owned(),
            "-ginkgo.no-color".to_owned(),
            format!("-kubeconfig={}", kubeconfig.display()),
            format!("-contexts={}", contexts.join(",")),
        ];
        arguments.extend(METADATA.map(str::to_owned));
        arguments.extend(self.focus.iter().map(|focus| format!("-ginkgo.focus={focus}")));
        arguments.extend(self.labels.iter().map(|labels| format!("-ginkgo.label-filter={labels}")));
        arguments
    }
}

/// Runs the suite and judges its report.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let suite = tools::conformance_suite()?;
    let folder = workspace::target_directory()?.join("conformance");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for name in REPORTS {
        // A report of an earlier run must not be taken for one of this run.
        let _ = fs::remove_file(folder.join(name));
    }
    let command = match &arguments.kubeconfig {
        Some(kubeconfig) => {
            let kubeconfig = fs::canonicalize(kubeconfig)
                .with_context(|| format!("cannot read the kubeconfig {}", kubeconfig.display()))?;
            run_suite(&suite, &folder, &arguments.for_suite(&kubeconfig, &arguments.contexts))?
        }
        None => {
            let binary = playground::binary(arguments.portolan.as_deref())?;
            let arguments_of_playground = ["--network", "namespaces"];
            let directory = folder.join("playground");
            let playground = Playground::start(&binary, "playground", &directory, &arguments_of_playground)?;
            playground.portolan(&["clusterset", "create", CLUSTERSET])?;
            playground.portolan(&["clusterset", "add", CLUSTERSET, MEMBERS[0], MEMBERS[1]])?;
            let contexts = MEMBERS.map(str::to_owned);
            run_suite(&suite, &folder, &arguments.for_suite(&playground.members_kubeconfig(), &contexts))?
        }
    };
    judge(&folder, arguments.selection(), command)
}

/// Runs the suite to its end in `folder`, where it leaves its report.
fn run_suite(suite: &Path, folder: &Path, arguments: &[String]) -> Result<Exit> {
    println!("{} {}", suite.display(), arguments.join(" "));
    let status = Command::new(suite)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {}", suite.display()))?;
    Ok(if status.success() { Exit::Passed } else { Exit::Failed(status.to_string()) })
}

/// The suite's own arguments.
enum Exit {
    Passed,
    Failed(String),
}

fn judge(folder: &Path, selection: Selection, exit: Exit) -> Result<()> {
    let path = folder.join(REPORTS[0]);
    let text = fs::read_to_string(&path)
        .with_context(|| format!("the suite left no report at {}: see its output above", path.display()))?;
    let report = Report::parse(&text).with_context(|| format!("cannot read {}", path.display()))?;
    println!("{}", report.summary());
    let faults = report.faults(selection);
    if !faults.is_empty() {
        bail!(
            "the conformance suite did not pass; {} has the details:\n  {}",
            path.display(),
            faults.join("\n  ")
        );
    }
    if let Exit::Failed(status) = exit {
        bail!("every spec passed, but the suite ended with {status}: see its output above");
    }
    if selection == Selection::All {
        publish(folder)?;
    }
    Ok(())
}

fn publish(folder: &Path) -> Result<()> {
    let place = workspace::root()?.join("docs/conformance");
    fs::create_dir_all(&place).with_context(|| format!("cannot create {}", place.display()))?;
    for name in REPORTS {
        fs::copy(folder.join(name), place.join(name))
            .with_context(|| format!("cannot copy {name} to {}", place.display()))?;
    }
    println!("the report is in {}", place.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(focus: Option<&str>) -> Arguments {
        Arguments {
            focus: focus.map(str::to_owned),
            labels: None,
            kubeconfig: None,
            portolan: None,
            contexts: Vec::new(),
        }
    }

    #[test]
    fn the_suite_gets_clusters_and_metadata() {
        let contexts = ["a".to_owned(), "b".to_owned()];
        let given = arguments(None).for_suite(Path::new("/k"), &contexts);
        for wanted in ["-kubeconfig=/k", "-contexts=a,b", "-organization=Portolan", "-test.timeout=90m"] {
            assert!(given.iter().any(|argument| argument == wanted), "{wanted} in {given:?}");
        }
        assert!(given.iter().any(|argument| argument.starts_with("-version=v0.")), "{given:?}");
        assert!(!given.iter().any(|argument| argument.contains("focus")), "{given:?}");
        let given = arguments(Some("SRV")).for_suite(Path::new("/k"), &contexts);
        assert!(given.contains(&"-ginkgo.focus=SRV".to_owned()), "{given:?}");
    }

    #[test]
    fn only_a_whole_run_is_published() {
        assert_eq!(arguments(None).selection(), Selection::All);
        assert_eq!(arguments(Some("SRV")).selection(), Selection::Some);
    }
}
