//! Control planes and playgrounds for suites, made with the built binary and its command line, as a user would.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// Timeout of a start, in a debug build on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// Timeout for removing its namespaces and processes.
const STOP: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

/// A running `portolan server` or `portolan playground`; asked to stop when dropped.
pub(crate) struct Playground {
    child: Child,
    binary: PathBuf,
    directory: PathBuf,
}

impl Playground {
    /// Starts `portolan ROLE` in `directory`, whatever an earlier run left there.
    pub(crate) fn start(binary: &Path, role: &str, directory: &Path, arguments: &[&str]) -> Result<Self> {
        if directory.exists() {
            fs::remove_dir_all(directory)
                .with_context(|| format!("cannot remove {}", directory.display()))?;
        }
        let mut child = Command::new(binary)
            .args([OsStr::new(role), OsStr::new("--dir"), directory.as_os_str()])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", binary.display()))?;
        let stdout = child.stdout.take().context("the output of portolan is not a pipe")?;
        // From here on the child ends with this value, also when a step below fails.
        let playground = Self { child, binary: binary.to_owned(), directory: directory.to_owned() };
        await_ready(stdout)?;
        Ok(playground)
    }

    /// The kubeconfig of the control plane.
    pub(crate) fn hub_kubeconfig(&self) -> PathBuf {
        self.directory.join("portolan.config")
    }

    /// The kubeconfig with a context for each member.
    pub(crate) fn members_kubeconfig(&self) -> PathBuf {
        self.directory.join("members.config")
    }

    /// Runs a command of portolan against the control plane.
    pub(crate) fn portolan(&self, arguments: &[&str]) -> Result<()> {
        let status = Command::new(&self.binary)
            .args(arguments)
            .env("KUBECONFIG", self.hub_kubeconfig())
            .status()
            .with_context(|| format!("cannot run {}", self.binary.display()))?;
        if !status.success() {
            bail!("`portolan {}` failed ({status}): see its output above", arguments.join(" "));
        }
        Ok(())
    }
}

impl Drop for Playground {
    fn drop(&mut self) {
        // SIGTERM lets it remove its network namespaces; what does not end then is killed.
        let _ = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        let deadline = Instant::now() + STOP;
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(POLL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary to run: the one that is given, or one that is built now.
pub(crate) fn binary(given: Option<&Path>) -> Result<PathBuf> {
    if let Some(given) = given {
        return fs::canonicalize(given).with_context(|| format!("there is no binary {}", given.display()));
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        // The same selection as `cargo xtask test`, so that nothing is compiled twice.
        .args(["build", "--workspace", "--bin", "portolan"])
        .status()
        .context("cannot run cargo to build the portolan binary")?;
    if !status.success() {
        bail!("building the portolan binary failed: see the output of cargo above");
    }
    Ok(workspace::target_directory()?.join("debug/portolan"))
}

/// Waits for the line `ready`; what it prints is read to its end, so that it never blocks on a full pipe.
fn await_ready(stdout: impl std::io::Read + Send + 'static) -> Result<()> {
    let (lines, received) = mpsc::sync_channel::<String>(16);
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            println!("portolan: {line}");
            // The receiver is dropped once it is ready.
            let _ = lines.try_send(line);
        }
    });
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match received.recv_timeout(left) {
            Ok(line) if line.trim() == "ready" => return Ok(()),
            Ok(_) => {}
            Err(mpsc::RecvTimeoutError::Timeout) => {
                bail!("portolan was not ready within {START_TIMEOUT:?}")
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                bail!("portolan ended before it was ready: see its output above")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_is_a_line_of_its_own() {
        assert!(await_ready("control plane: x\nready\n".as_bytes()).is_ok());
        let error = await_ready("control plane: not ready\n".as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with("portolan ended"), "{error}");
    }
}
