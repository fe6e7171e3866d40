//! The first process of a pod: holds its names and its process numbers, and takes leave of orphans.
//!
//! It ends with its standard input, which the playground holds open: when the playground is gone, by whatever end, so
//! is this process, and with it the kernel ends every process of the pod.

use std::process::ExitCode;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::sethostname;

use crate::sandbox::inside::answer;

pub(super) fn run(hostname: &str) -> ExitCode {
    let set_up = || -> nix::Result<()> {
        unshare(CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC)?;
        sethostname(hostname)?;
        // Blocked in every thread: one of them waits for it.
        let mut children = SigSet::empty();
        children.add(Signal::SIGCHLD);
        children.thread_block()
    };
    let done = set_up().map_err(|error| format!("the first process of the pod: {error}"));
    if done.is_ok() {
        thread::spawn(reap);
    }
    answer(done)
}

/// Takes leave of processes whose parents are gone.
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
