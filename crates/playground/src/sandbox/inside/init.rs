//! The first process of a pod: holds its UTS, IPC and PID namespaces, and reaps orphans.
//!
//! It ends when its standard input is closed, also when the playground is killed. The kernel then kills all processes of
//! the pod.

use std::process::ExitCode;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::sethostname;

use crate::sandbox::inside::answer::answer;

/// Why the first process of a pod fails.
#[derive(Debug, thiserror::Error)]
#[error("the first process of the pod: {0}")]
struct InitError(#[source] nix::Error);

pub(super) fn run(hostname: &str) -> ExitCode {
    let set_up = || -> nix::Result<()> {
        unshare(CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC)?;
        sethostname(hostname)?;
        // Blocked in every thread, because `reap` waits for it.
        let mut children = SigSet::empty();
        children.add(Signal::SIGCHLD);
        children.thread_block()
    };
    let done = set_up().map_err(InitError);
    if done.is_ok() {
        thread::spawn(reap);
    }
    answer(done)
}

/// Waits for orphaned processes that have ended.
fn reap() {
    let mut children = SigSet::empty();
    children.add(Signal::SIGCHLD);
    loop {
        while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            if status == WaitStatus::StillAlive {
                break;
            }
        }
        if children.wait().is_err() {
            return;
        }
    }
}
