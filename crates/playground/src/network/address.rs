//! Words that every file of this room uses: the cluster, the transport protocol, and the address that a Service answers on.

use std::fmt;
use std::net::SocketAddr;

pub use portolan_runtime::ClusterName;

/// A transport protocol that the network carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
    /// Only kernels carry it, so pods of the loopback network cannot listen on such ports.
    Sctp,
}

impl Protocol {
    /// Reads the spelling of the Kubernetes API, where the empty string means TCP; `None` for an unknown protocol.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "TCP" => Some(Self::Tcp),
            "UDP" => Some(Self::Udp),
            "SCTP" => Some(Self::Sctp),
            _ => None,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        })
    }
}

/// Address, port and protocol that a Service answers on, or that a pod listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Frontend {
    pub(crate) address: SocketAddr,
    pub(crate) protocol: Protocol,
}
