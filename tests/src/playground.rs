//! A running `portolan playground`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::kubectl::Kubectl;
use crate::programs::send_signal;
use crate::{eventually, programs};

/// How long a start may take in a debug build on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A playground in the foreground of a child process; ended when dropped.
#[derive(Debug)]
pub struct Playground {
    child: Child,
    directory: PathBuf,
    scratch: TempDir,
    starts: u32,
    arguments: Vec<String>,
}

impl Playground {
    /// Starts with the default clusters, member1 and member2.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts with further arguments.
    pub fn start_with(arguments: &[&str]) -> Self {
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let directory = scratch.path().join("state");
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let child = spawn(&directory, &arguments);
        Self { child, directory, scratch, starts: 1, arguments }
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

    /// Ends it without a chance to clean up.
    pub fn kill(&mut self) {
        self.child.kill().expect("the playground runs");
        self.child.wait().expect("a killed child can be waited for");
    }

    /// Starts again on the same folder.
    pub fn restart(&mut self) {
        self.child = spawn(&self.directory, &self.arguments);
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
fn spawn(directory: &Path, arguments: &[String]) -> Child {
    let mut command = Command::new(programs::portolan());
    command.arg("playground").arg("--dir").arg(directory).args(arguments);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
    let stdout = child.stdout.take().expect("standard output is a pipe");
    let (lines, received) = mpsc::channel();
    // Reads to the end of the child, so that it never blocks on a full pipe.
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            println!("playground: {line}");
            let _ = lines.send(line);
        }
    });
    loop {
        match received.recv_timeout(START) {
            Ok(line) if line.trim() == "ready" => return child,
            Ok(_) => {}
            Err(error) => {
                let _ = child.kill();
                panic!("the playground did not print `ready`: {error}, {:?}", child.wait());
            }
        }
    }
}
