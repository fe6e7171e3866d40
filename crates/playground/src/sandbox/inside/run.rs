//! Executes a program of a container: enters its namespaces, then runs an installed or a built-in program.

use std::env;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use nix::sched::{CloneFlags, setns};
use nix::unistd::setsid;
use rustix::process::ioctl_tiocsctty;
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};

use crate::sandbox::inside::answer::FAILED;
use crate::sandbox::order::RunOrder;
use crate::sandbox::program;

/// Exit codes of shells for a program that cannot be started.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Capabilities of containers: the default set of container runtimes.
const CAPABILITIES: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::AUDIT_WRITE);

pub(super) fn run(order: &RunOrder) -> ExitCode {
    if let Err(error) = enter(order) {
        eprintln!("portolan: cannot enter the container: {error}");
        return ExitCode::from(FAILED);
    }
    match &order.built_in {
        Some(image) => program::run(image, order),
        None => execute(&order.arguments),
    }
}

fn enter(order: &RunOrder) -> io::Result<()> {
    // All are opened before the first is entered, which changes the meaning of paths.
    let namespaces = [
        (File::open(&order.network)?, CloneFlags::CLONE_NEWNET),
        (File::open(&order.uts)?, CloneFlags::CLONE_NEWUTS),
        (File::open(&order.ipc)?, CloneFlags::CLONE_NEWIPC),
        (File::open(&order.mounts)?, CloneFlags::CLONE_NEWNS),
    ];
    for (namespace, kind) in &namespaces {
        setns(namespace, *kind)?;
    }
    fs::create_dir_all(&order.directory)?;
    env::set_current_dir(&order.directory)?;
    // A new session and process group, so that a signal to the group reaches the processes that the program starts.
    setsid()?;
    if order.tty {
        ioctl_tiocsctty(io::stdin())?;
    }
    for capability in CapabilitySet::all().difference(CAPABILITIES).iter() {
        // Fails for capabilities that the kernel does not know.
        let _ = remove_capability_from_bounding_set(capability);
    }
    Ok(())
}

/// Executes an installed program; returns only when that fails.
fn execute(arguments: &[String]) -> ExitCode {
    let Some((program, rest)) = arguments.split_first() else {
        eprintln!("portolan: there is no command to run");
        return ExitCode::from(NOT_FOUND);
    };
    let error = Command::new(program).args(rest).exec();
    match error.kind() {
        io::ErrorKind::NotFound => {
            eprintln!("exec: {program:?}: executable file not found in $PATH");
            ExitCode::from(NOT_FOUND)
        }
        _ => {
            eprintln!("exec: {program:?}: {error}");
            ExitCode::from(NOT_EXECUTABLE)
        }
    }
}
