//! Errors of starting a playground.

use std::io;

use portolan_controllers::agents::ClusterInfoError;
use portolan_controllers::clusters::join::{JoinError, RegisterError};
use portolan_controlplane::StateError;
use portolan_controlplane::embedded::EmbeddedServerError;
use portolan_net::files::FileError;
use portolan_runtime::ClientError;
use portolan_runtime::client::{ConnectError, KubeconfigError};

use crate::control::{Action, Activity};
use crate::federation::dns::DnsError;
use crate::federation::nodes::NodeError;
use crate::network::namespaces::{ToolError, Unavailable};

/// An error with the cluster that it happened in.
#[derive(Debug, thiserror::Error)]
#[error("cluster {cluster}: {source}")]
pub struct InCluster<E: std::error::Error + 'static> {
    /// Name of the cluster.
    pub cluster: String,
    /// Cause.
    pub source: E,
}

/// Adds the name of the cluster to an error.
pub(super) trait InClusterExt<T, E: std::error::Error> {
    fn in_cluster(self, cluster: &str) -> Result<T, InCluster<E>>;
}

impl<T, E: std::error::Error> InClusterExt<T, E> for Result<T, E> {
    fn in_cluster(self, cluster: &str) -> Result<T, InCluster<E>> {
        self.map_err(|source| InCluster { cluster: cluster.to_owned(), source })
    }
}

/// Why a playground does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateError),
    /// The control plane.
    #[error(transparent)]
    ControlPlane(#[from] portolan_controlplane::StartError),
    /// Namespaces mode is not available on this machine.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// An IPv6 range on the loopback network.
    #[error(
        "cluster {cluster} has ranges of IPv6, which the loopback network does not carry: use --network namespaces, or name only the IPv4 range in podCIDR and serviceCIDR"
    )]
    Ipv6OnLoopback {
        /// Name of the cluster.
        cluster: String,
    },
    /// The API server of a member.
    #[error(transparent)]
    ApiServer(#[from] EmbeddedServerError),
    /// A member.
    #[error(transparent)]
    Member(#[from] InCluster<MemberError>),
    /// The kubeconfig of the members cannot be written.
    #[error(transparent)]
    Kubeconfig(#[from] FileError),
    /// The cluster set cannot be created.
    #[error("cannot create cluster set {name}: {source}")]
    ClusterSet {
        /// Name of the cluster set.
        name: String,
        /// Cause.
        source: ClientError,
    },
    /// The socket for commands cannot be opened.
    #[error("cannot open the socket for commands in the state directory: {0}")]
    Control(#[source] io::Error),
}

/// Why a member does not start or join.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// The kubeconfig of an existing API server cannot be read or used.
    #[error("its kubeconfig cannot be used: {0}")]
    Kubeconfig(#[from] KubeconfigError),
    /// Its nodes.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Its DNS server.
    #[error(transparent)]
    Dns(#[from] DnsError),
    /// It cannot register.
    #[error("cannot register: {0}")]
    Register(#[from] Box<RegisterError>),
    /// The control plane does not say where clusters register.
    #[error(transparent)]
    ClusterInfo(#[from] Box<ClusterInfoError>),
    /// Its address cannot be used.
    #[error(transparent)]
    Connect(#[from] Box<ConnectError>),
    /// A request of its registration.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// It cannot join the federation.
    #[error("cannot join: {0}")]
    Join(#[from] Box<JoinError>),
    /// The taints of its Cluster object cannot be written.
    #[error("cannot set its taints: {0}")]
    Taints(#[source] ClientError),
}

/// Why a member is not stopped, started, paused or resumed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ActError {
    #[error("there is no member {name}; there are {known}")]
    NoMember { name: String, known: String },
    #[error("{name} is {present}: {first} it first")]
    Not { name: String, present: Activity, first: Action },
    #[error(
        "the playground did not start the API server of {0} and cannot stop it: stop its process, or pause {0}"
    )]
    Foreign(String),
    #[error("the network: {0}")]
    Network(#[from] ToolError),
    #[error("it does not start: {0}")]
    Start(#[from] StartError),
}
