//! Kubernetes' test/cmd: shell functions that call kubectl and compare what it prints.
//!
//! Sources, test data and kubectl are those of the pinned Kubernetes. `test_cmd/run.sh` takes the place of
//! `hack/make-rules/test-cmd.sh`, which would start its own API server.

mod log;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::check::Check;
use super::cluster::Cluster;
use super::go_module;
use crate::{tools, workspace};

const RUN: &str = include_str!("test_cmd/run.sh");
/// The folders of Kubernetes that the functions use.
const FOLDERS: [&str; 7] = [
    "test/cmd",
    "test/fixtures",
    "test/e2e/testing-manifests",
    "hack/lib",
    "hack/testdata",
    "hack/make-rules",
    "third_party/forked/shell2junit",
];
/// The token that the suite's own API server accepts.
const TOKEN: &str = "admin-token";
/// Time for the whole suite.
const TIME_LIMIT: &str = "50m";

/// Runs the functions that match `focus`, all without one.
pub(super) fn run(cluster: &Cluster, focus: Option<&str>, folder: &Path) -> Result<Vec<Check>> {
    let programs = tools::provide_for_exams(&["kubectl", "kubectl-convert"])?;
    cluster.delete_storage_classes()?;
    let tree = folder.join("kubernetes");
    lay_out(&tree, &programs, &cluster.administrator_token()?)?;
    let script = folder.join("run.sh");
    fs::write(&script, RUN).with_context(|| format!("cannot write {}", script.display()))?;
    let log = folder.join("log");
    let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let errors = file.try_clone().context("cannot use the log twice")?;
    println!("running test/cmd; {} has its output", log.display());
    // Its exit code only says whether a function failed.
    Command::new("timeout")
        .args(["--kill-after=10s", TIME_LIMIT, "bash"])
        .arg(&script)
        .arg(&tree)
        .env("SECURE_API_PORT", cluster.port.to_string())
        .env("ALLOW_SKEW", "1")
        .env("EXAM_FOCUS", focus.unwrap_or_default())
        .env("KUBE_JUNIT_REPORT_DIR", folder.join("junit"))
        .env("TERM", "xterm")
        .env_remove("KUBECONFIG")
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(errors)
        .status()
        .context("cannot run timeout and bash")?;
    let said = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let script = tree.join("test/cmd/legacy-script.sh");
    let script = fs::read_to_string(&script).with_context(|| format!("cannot read {}", script.display()))?;
    let expected = if focus.is_none() { log::functions(&script) } else { Vec::new() };
    Ok(log::checks(&String::from_utf8_lossy(&said), &expected))
}

/// Makes the tree in which the functions run.
fn lay_out(tree: &Path, programs: &Path, token: &str) -> Result<()> {
    if tree.exists() {
        fs::remove_dir_all(tree).with_context(|| format!("cannot remove {}", tree.display()))?;
    }
    let kubernetes = go_module::folder(&workspace::root()?.join("tools"), "k8s.io/kubernetes")?;
    for part in FOLDERS {
        go_module::copy(&kubernetes.join(part), &tree.join(part))?;
    }
    let bin = tree.join("_output/bin");
    fs::create_dir_all(&bin).with_context(|| format!("cannot create {}", bin.display()))?;
    for program in ["kubectl", "kubectl-convert"] {
        std::os::unix::fs::symlink(programs.join(program), bin.join(program))
            .with_context(|| format!("cannot link {program}"))?;
    }
    for entry in fs::read_dir(tree.join("test/cmd")).context("cannot read test/cmd")?.flatten() {
        let path = entry.path();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        fs::write(&path, text.replace(TOKEN, token))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    fs::write(tree.join("token"), token).context("cannot write the token")
}
