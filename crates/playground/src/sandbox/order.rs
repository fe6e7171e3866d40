//! What this process asks of the processes that it starts inside of a pod.
//!
//! `Sandbox` writes an order, the hidden subcommand of the binary reads it and hands it to `inside`. Namespaces are
//! named by paths that hold while the asking process waits.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Be the first process of a pod, until standard input ends.
    Init {
        /// The pod's name for itself.
        hostname: String,
    },
    /// Make the file system of a container.
    Root(RootOrder),
    /// Become a program of a container.
    Run(RunOrder),
}

/// The file system of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RootOrder {
    /// A folder of this machine to put it on, seen by nobody else.
    pub(crate) mount_point: PathBuf,
    /// The pod's network namespace.
    pub(crate) network: String,
    /// Files under `/etc`, by name.
    pub(crate) files: BTreeMap<String, String>,
    /// Whether `/bin` holds the commands of busybox in place of this machine's.
    pub(crate) has_busybox: bool,
}

/// A program of a container. Its environment is that of the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunOrder {
    /// The pod's network namespace.
    pub(crate) network: String,
    /// The pod's name for itself.
    pub(crate) uts: String,
    /// The pod's shared memory.
    pub(crate) ipc: String,
    /// The container's file system.
    pub(crate) mounts: String,
    /// The pod's address.
    pub(crate) address: IpAddr,
    /// The command line.
    pub(crate) arguments: Vec<String>,
    /// The image whose built-in program this is; otherwise an installed program.
    pub(crate) built_in: Option<String>,
    /// The working directory; made when missing.
    pub(crate) directory: PathBuf,
    /// Whether standard input is a terminal to take over.
    pub(crate) tty: bool,
}
