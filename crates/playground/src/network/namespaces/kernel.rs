//! A network namespace of the kernel, held open by a file descriptor, and work inside it.
//!
//! A namespace is entered by a thread, so work runs on a new thread that ends afterwards; sockets and children created
//! there stay in the namespace. The namespace is removed when this process ends.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};
use tokio::sync::oneshot;

/// An open network namespace.
#[derive(Debug)]
pub(crate) struct NetworkNamespace(File);

/// Why a program that sets up the network has failed.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The program cannot be started, or the namespace cannot be entered.
    #[error("cannot run {program}: {source}")]
    Start {
        /// Name of the program.
        program: &'static str,
        /// Cause.
        source: io::Error,
    },
    /// The program failed.
    #[error("{program} says: {message}")]
    Refused {
        /// Name of the program.
        program: &'static str,
        /// Its standard error.
        message: String,
    },
}

impl NetworkNamespace {
    /// Creates a namespace with a loopback interface that is down.
    pub(crate) async fn create() -> io::Result<Self> {
        on_new_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            Ok(Self(File::open("/proc/thread-self/ns/net")?))
        })
        .await
    }

    /// Path of the namespace for other programs of this machine.
    pub(crate) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    /// Runs `work` inside the namespace.
    pub(crate) async fn inside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let namespace = self.0.try_clone()?;
        on_new_thread(move || {
            setns(&namespace, CloneFlags::CLONE_NEWNET)?;
            work()
        })
        .await
    }

    /// Runs a program inside the namespace to its end, with `input` on its standard input.
    pub(crate) async fn run(
        &self,
        program: &'static str,
        arguments: Vec<String>,
        input: String,
    ) -> Result<(), ToolError> {
        let start = |source| ToolError::Start { program, source };
        let ran = self.inside(move || {
            let mut command = Command::new(program);
            command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
            let mut child = command.spawn()?;
            let mut stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
            // A program that ends early reports it on its standard error.
            let _ = stdin.write_all(input.as_bytes());
            drop(stdin);
            child.wait_with_output()
        });
        let output = ran.await.map_err(start)?;
        if output.status.success() {
            return Ok(());
        }
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(ToolError::Refused { program, message })
    }
}

/// Runs `work` on a new thread, so that the namespaces it enters are left with the thread.
pub(crate) async fn on_new_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    thread::Builder::new().name("namespace".to_owned()).spawn(move || {
        // The receiver may have been cancelled.
        let _ = done.send(work());
    })?;
    result.await.map_err(|_| io::Error::other("the thread in the namespace has panicked"))?
}
