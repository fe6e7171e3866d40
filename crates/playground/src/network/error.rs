//! Errors of the network.

use std::io;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use crate::network::address::ClusterName;
use crate::network::address_pool::ClaimError;
use crate::network::namespaces::kernel::ToolError;

/// Why a connection was not made. The messages are those of Linux, because programs print them.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The port is closed, or the Service has no ready endpoint.
    #[error("connection refused")]
    Refused,
    /// No cluster has the address, or the link to its cluster is [`Link::Unreachable`](super::Link::Unreachable).
    #[error("no route to host")]
    Unreachable,
    /// No answer before the timeout, for example over a silent link.
    #[error("connection timed out")]
    TimedOut,
    /// The limit of open connections is reached.
    #[error("too many open connections")]
    TooMany,
    /// A socket operation of the host failed.
    #[error("{0}")]
    Host(#[source] io::Error),
}

/// Why a program cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The port of the address is in use.
    #[error("address already in use")]
    InUse,
    /// A socket operation of the host failed.
    #[error("no loopback socket")]
    Host(#[source] io::Error),
    /// A process inside a pod cannot publish sockets of other processes.
    #[error("a process inside a pod cannot publish a socket of another process")]
    InPod,
}

/// Why a cluster cannot be added to the network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// A cluster with this name exists.
    #[error("cluster {0} is on the network already")]
    Taken(ClusterName),
    /// The ranges of two clusters overlap.
    #[error("{range} of cluster {cluster} overlaps {other_range} of cluster {other}")]
    Overlap {
        /// The new cluster.
        cluster: ClusterName,
        /// Range of the new cluster.
        range: IpNet,
        /// The existing cluster.
        other: ClusterName,
        /// Range of the existing cluster.
        other_range: IpNet,
    },
}

/// Why a link was not cut or restored.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// Unknown cluster.
    #[error("there is no cluster {cluster}; there are {known}")]
    NoCluster {
        /// The requested cluster.
        cluster: ClusterName,
        /// Names of all clusters.
        known: String,
    },
    /// Both names are the same.
    #[error("{0} has no link to itself")]
    Same(ClusterName),
    /// `nft` failed.
    #[error(transparent)]
    Kernel(#[from] ToolError),
}

/// Why an address was not attached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttachError {
    /// Unknown cluster.
    #[error("cluster {0} is not on the network")]
    NoCluster(ClusterName),
    /// All pod addresses are in use.
    #[error("cluster {cluster} has no free address left in {range}")]
    Exhausted {
        /// The cluster.
        cluster: ClusterName,
        /// Range of its pods.
        range: Ipv4Net,
    },
    /// The requested address is not available.
    #[error("cluster {cluster}: {reason}")]
    Claim {
        /// The cluster.
        cluster: ClusterName,
        /// Why not.
        #[source]
        reason: ClaimError,
    },
    /// The address is in use by another node.
    #[error("cluster {cluster}: node address {address} is taken")]
    NodeTaken {
        /// The cluster.
        cluster: ClusterName,
        /// The address.
        address: IpAddr,
    },
}
