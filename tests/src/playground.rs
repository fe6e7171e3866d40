//! A running `portolan playground`.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use tempfile::TempDir;

use crate::binary::start;
use crate::kubectl::Kubectl;
use crate::programs::send_signal;
use crate::{eventually, programs};

/// The user and the group `nobody`.
const NOBODY: u32 = 65534;

/// A playground in the foreground of a child process; ended when dropped.
#[derive(Debug)]
pub struct Playground {
    child: Child,
    directory: PathBuf,
    scratch: TempDir,
    starts: u32,
    launch: Launch,
}

/// The command line, and the user that runs it.
#[derive(Debug)]
struct Launch {
    arguments: Vec<String>,
    /// Another user than the one who runs the tests.
    user: Option<u32>,
}

impl Playground {
    /// Starts with the default clusters, member1 and member2.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts with further arguments.
    pub fn start_with(arguments: &[&str]) -> Self {
        Self::start_by(None, arguments)
    }

    /// Starts as an ordinary user: `nobody` where root runs the tests.
    pub fn start_unprivileged(arguments: &[&str]) -> Self {
        let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        Self::start_by(is_root.then_some(NOBODY), arguments)
    }

    fn start_by(user: Option<u32>, arguments: &[&str]) -> Self {
        let scratch = tempfile::tempdir().expect("a temporary folder");
        if let Some(user) = user {
            chown(scratch.path(), Some(user), Some(user)).expect("root gives folders away");
        }
        let directory = scratch.path().join("state");
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let launch = Launch { arguments, user };
        let child = spawn(&directory, &launch);
        Self { child, directory, scratch, starts: 1, launch }
    }

    /// Where the playground keeps its state and kubeconfigs.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// kubectl against the control plane.
    pub fn hub(&self) -> Kubectl {
        self.kubectl("portolan.config")
    }

    /// kubectl against a member.
    pub fn member(&self, name: &str) -> Kubectl {
        self.kubectl("members.config").context(name)
    }

    fn kubectl(&self, kubeconfig: &str) -> Kubectl {
        let cache = self.scratch.path().join(format!("cache-{}-{kubeconfig}", self.starts));
        Kubectl::new(&self.directory.join(kubeconfig), &cache)
    }

    /// Sends SIGTERM and waits for the end.
    pub fn stop(&mut self) -> ExitStatus {
        send_signal(&self.child, "TERM");
        eventually("the playground to end after SIGTERM", || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            other => Err(format!("{other:?}")),
        })
    }

    /// Sends SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("the playground runs");
        self.child.wait().expect("a killed child can be waited for");
    }

    /// Starts again on the same folder.
    pub fn restart(&mut self) {
        self.child = spawn(&self.directory, &self.launch);
        self.starts += 1;
    }
}

impl Drop for Playground {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the binary and waits for the line `ready`.
fn spawn(directory: &Path, launch: &Launch) -> Child {
    let mut command = Command::new(programs::portolan());
    command.arg("playground").arg("--dir").arg(directory).args(&launch.arguments);
    if let Some(user) = launch.user {
        command.uid(user).gid(user);
    }
    start(&mut command)
}
