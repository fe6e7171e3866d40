//! A network namespace of the kernel, held by a file descriptor, and doing things inside of it.
//!
//! Only a thread can enter a namespace, so everything here runs on a thread of its own that ends afterwards; what it
//! makes there (a socket, a child) stays in the namespace. Nothing else keeps a namespace alive: it is gone when this
//! process is, however that ends.

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
    /// It cannot be started, or the namespace cannot be entered.
    #[error("cannot run {program}: {source}")]
    Start {
        /// Which program.
        program: &'static str,
        /// Why.
        source: io::Error,
    },
    /// It says what is wrong.
    #[error("{program} says: {message}")]
    Refused {
        /// Which program.
        program: &'static str,
        /// Its own words.
        message: String,
    },
}

impl NetworkNamespace {
    /// Makes a new one, in which there is nothing but a loopback interface that is down.
    pub(crate) async fn create() -> io::Result<Self> {
        apart(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            Ok(Self(File::open("/proc/thread-self/ns/net")?))
        })
        .await
    }

    /// A path under which other programs of this machine find it.
    pub(crate) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    /// Runs `work` inside.
    pub(crate) async fn inside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let namespace = self.0.try_clone()?;
        apart(move || {
            setns(&namespace, CloneFlags::CLONE_NEWNET)?;
            work()
        })
        .await
    }

    /// Runs a program inside to its end, with `input` to read.
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
            // A program that ends early says why on its standard error.
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

/// Runs `work` on a thread of its own, so that whatever it enters is left with the thread.
pub(crate) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    thread::Builder::new().name("namespace".to_owned()).spawn(move || {
        // Who waited may have been cancelled.
        let _ = done.send(work());
    })?;
    result.await.map_err(|_| io::Error::other("the thread in the namespace has panicked"))?
}
