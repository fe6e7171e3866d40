//! Orders from the playground to its processes inside a pod.
//!
//! `Sandbox` puts an order on the command line, the hidden subcommand of the binary passes it to `inside`. Namespaces are
//! paths under `/proc` of the playground, valid while it waits.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Run as the first process of a pod, until standard input ends.
    Init {
        /// Host name of the pod.
        hostname: String,
    },
    /// Create the file system of a container.
    Root(RootOrder),
    /// Execute a program of a container.
    Run(RunOrder),
}

/// File system of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RootOrder {
    /// Directory of this machine to mount it on.
    pub(crate) mount_point: PathBuf,
    /// Path of the pod's network namespace.
    pub(crate) network: String,
    /// Files under `/etc`, by name.
    pub(crate) files: BTreeMap<String, String>,
    /// Whether `/bin` has the commands of busybox instead of this machine's.
    pub(crate) has_busybox: bool,
    /// Volumes, those of outer directories first.
    pub(crate) binds: Vec<Bind>,
}

/// A file or directory of a volume in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bind {
    /// Directory of the volume on this machine.
    pub(crate) volume: PathBuf,
    /// Path in the volume; empty for all of it.
    pub(crate) source: PathBuf,
    /// Path in the container, without the leading slash.
    pub(crate) target: PathBuf,
    /// Whether the container may not write.
    pub(crate) read_only: bool,
}

/// Program of a container. It inherits the environment of the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunOrder {
    /// Path of the pod's network namespace.
    pub(crate) network: String,
    /// Path of the pod's UTS namespace.
    pub(crate) uts: String,
    /// Path of the pod's IPC namespace.
    pub(crate) ipc: String,
    /// Path of the container's mount namespace.
    pub(crate) mounts: String,
    /// The pod's address.
    pub(crate) address: IpAddr,
    /// The command line.
    pub(crate) arguments: Vec<String>,
    /// Image with the built-in program; `None` for an installed program.
    pub(crate) built_in: Option<String>,
    /// Working directory; created if missing.
    pub(crate) directory: PathBuf,
    /// Whether standard input is the controlling terminal.
    pub(crate) tty: bool,
}
