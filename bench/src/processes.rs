//! Processes of the program that is measured, and the clusters that one of them knows.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use portolan_object::Object;
use portolan_runtime::client::Selection;
use portolan_runtime::{Client, Resource};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::memory;
use crate::objects;

/// What servers and agents print when they are ready.
const READY: &str = "ready";
/// Unit of the times in /proc/PID/stat; see proc_pid_stat(5). Linux has 100 in a second on all common processors.
const TICK: Duration = Duration::from_millis(10);
const READY_TIMEOUT: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A process; killed when dropped.
pub(crate) struct Process {
    id: u32,
    _child: Child,
    /// Open, because the process could not write to a closed pipe.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts a server or an agent, and waits until it is ready.
    pub(crate) async fn start(program: &Path, arguments: impl IntoIterator<Item = OsString>) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.kill_on_drop(true).spawn();
        let mut child = child.with_context(|| format!("cannot run {}", program.display()))?;
        let id = child.id().context("the process has ended")?;
        let output = child.stdout.take().context("the process has no output")?;
        let mut lines = BufReader::new(output).lines();
        loop {
            match lines.next_line().await.context("cannot read from the process")? {
                Some(line) if line == READY => return Ok(Self { id, _child: child, _output: lines }),
                Some(_) => {}
                None => bail!("{} ended before it was ready", program.display()),
            }
        }
    }

    /// Time on processors so far.
    pub(crate) fn computed(&self) -> Result<Duration> {
        let path = format!("/proc/{}/stat", self.id);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        computed(&text).with_context(|| format!("{path} does not tell the time on processors"))
    }

    /// Memory that is not backed by a file, in bytes.
    pub(crate) fn own_memory(&self) -> Result<u64> {
        memory::own(self.id)
    }
}

/// An API server with its process, its client and the path of its kubeconfig.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) client: Client,
    pub(crate) kubeconfig: String,
}

impl Server {
    /// Starts `portolan server` with its state in `folder`, and waits until it is ready.
    pub(crate) async fn start(program: &Path, folder: &Path, options: &[&str]) -> Result<Self> {
        let fixed = ["server", "--listen", "127.0.0.1:0"];
        let arguments = fixed.iter().chain(options).map(OsString::from);
        let state = [OsString::from("--dir"), OsString::from(folder)];
        let process = Process::start(program, arguments.chain(state)).await?;
        let kubeconfig = folder.join("portolan.config");
        let client = Client::from_kubeconfig(&kubeconfig, Some("portolan")).await?;
        Ok(Self { process, client, kubeconfig: kubeconfig.display().to_string() })
    }
}

/// Waits until so many clusters are ready.
pub(crate) async fn are_ready(hub: &Client, count: usize) -> Result<()> {
    let resource = Resource::cluster("cluster.karmada.io", "v1alpha1", "Cluster", "clusters");
    let clusters = hub.resource::<Object>(&resource);
    let deadline = Instant::now() + READY_TIMEOUT;
    loop {
        let listed = clusters.list(&Selection::all()).await?.items;
        if listed.iter().filter(|seen| objects::is_ready(&seen.object)).count() == count {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the clusters are not ready after {READY_TIMEOUT:?}");
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// `utime` and `stime`, fields 14 and 15. The name of the program, field 2, may contain spaces and parentheses.
fn computed(stat: &str) -> Option<Duration> {
    let (_, from_third) = stat.rsplit_once(')')?;
    let times: Vec<u32> = from_third.split_whitespace().skip(11).take(2).flat_map(str::parse).collect();
    let [user, system] = times[..] else { return None };
    Some(TICK * (user + system))
}

/// Runs a command to its end; its standard output.
pub(crate) async fn finish(program: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = output.with_context(|| format!("cannot run {}", program.display()))?;
    if !output.status.success() {
        let command = arguments.first().unwrap_or(&"");
        bail!("{command} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_file_is_understood() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 100 0 0";
        assert_eq!(computed(stat), Some(Duration::from_secs(3)));
        assert_eq!(computed("7 (a) S 1"), None);
        assert_eq!(computed(""), None);
    }
}
