//! What the records of one federated Service are computed from.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::record::DomainName;

/// What the hub knows of a cluster's state. The shell decides it by the withdrawal rules of clusters, with a hold-off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The hub sees the cluster, or merely cannot: its last known shard counts.
    Counted,
    /// The cluster is down.
    Dead,
}

/// A registered cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Name in the federation.
    pub name: String,
    /// Region; a cluster without one has no names of its own.
    pub region: Option<String>,
    /// Zones of its nodes.
    pub zones: BTreeSet<String>,
    /// Its state.
    pub reach: Reach,
}

/// A point of entry of a load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ingress {
    /// Its address.
    Address(IpAddr),
    /// Its name, with the addresses to which it resolved last.
    Host {
        /// The name.
        name: DomainName,
        /// May be empty, if it did not resolve yet.
        addresses: Vec<IpAddr>,
    },
}

/// The Service in one cluster, as last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Name of the cluster.
    pub cluster: String,
    /// `status.loadBalancer.ingress`.
    pub ingress: Vec<Ingress>,
    /// Whether any endpoint is ready.
    pub has_ready_endpoints: bool,
}

/// Names and limits of the records of one Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    /// The domain below which the names are.
    pub domain: DomainName,
    /// Name of the federation, a label.
    pub federation: String,
    /// Namespace of the Service.
    pub namespace: String,
    /// First label, usually the name of the Service.
    pub label: String,
    /// Another name directly below the domain, as an alias of the global one.
    pub prefix: Option<String>,
    /// Time to live in seconds.
    pub ttl: u32,
}

/// When the shards of a Service count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Health {
    /// Shards without ready endpoints count like the others.
    pub ignores_endpoints: bool,
    /// Shards without ready endpoints count while no shard has any: a wrong answer instead of none.
    pub fails_open: bool,
}
