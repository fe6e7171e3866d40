//! What the network can refuse, and why.

use std::io;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use crate::network::namespaces::ToolError;
use crate::network::{ClaimError, ClusterName};

/// Why a connection was not made. Texts are those of the operating system, which programs print.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Nobody listens there, or the Service has no ready endpoint.
    #[error("connection refused")]
    Refused,
    /// No cluster has the address, or the link to it is down and says so.
    #[error("no route to host")]
    Unreachable,
    /// The link is silent.
    #[error("connection timed out")]
    TimedOut,
    /// The network carries as many connections as it may.
    #[error("too many open connections")]
    TooMany,
    /// The host's sockets failed.
    #[error("{0}")]
    Host(#[source] io::Error),
}

/// Why a cluster cannot join the network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The name is taken.
    #[error("cluster {0} is on the network already")]
    Taken(ClusterName),
    /// Its addresses would mean two things.
    #[error("{range} of cluster {cluster} overlaps {other_range} of cluster {other}")]
    Overlap {
        /// The cluster that joins.
        cluster: ClusterName,
        /// Its range.
        range: IpNet,
        /// The cluster that is there.
        other: ClusterName,
        /// The range of that one.
        other_range: IpNet,
    },
}

/// Why a link was not cut or restored.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// No such cluster.
    #[error("there is no cluster {cluster}; there are {known}")]
    NoCluster {
        /// The cluster asked for.
        cluster: ClusterName,
        /// All that there are.
        known: String,
    },
    /// A link has two ends.
    #[error("{0} has no link to itself")]
    Same(ClusterName),
    /// The kernel refuses.
    #[error(transparent)]
    Kernel(#[from] ToolError),
}

/// Why an address was not attached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttachError {
    /// No such cluster joined.
    #[error("cluster {0} is not on the network")]
    NoCluster(ClusterName),
    /// All pod addresses are in use.
    #[error("cluster {cluster} has no free address left in {range}")]
    Exhausted {
        /// The cluster.
        cluster: ClusterName,
        /// Its pod range.
        range: Ipv4Net,
    },
    /// The address asked for cannot be had.
    #[error("cluster {cluster}: {reason}")]
    Claim {
        /// The cluster.
        cluster: ClusterName,
        /// What is wrong with the address.
        #[source]
        reason: ClaimError,
    },
    /// Another node has the address.
    #[error("cluster {cluster}: node address {address} is taken")]
    NodeTaken {
        /// The cluster.
        cluster: ClusterName,
        /// The address.
        address: IpAddr,
    },
}
