//! The records of one service, and why some of them cannot exist.

use std::collections::BTreeMap;
use std::net::IpAddr;

use portolan_object::ObjectKey;

use super::names;

/// Which of the two trees of names is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ZoneKind {
    /// Services of all clusters of the set (KEP-1645, DNS specification 1.0.0).
    ClusterSet,
    /// Services of one cluster (Kubernetes DNS specification 1.1.0).
    Cluster,
}

impl ZoneKind {
    /// The zone's name, without a final dot, where nobody chose another one.
    pub const fn default_zone(self) -> &'static str {
        match self {
            Self::ClusterSet => "clusterset.local",
            Self::Cluster => "cluster.local",
        }
    }

    /// The version of the specification, as `dns-version` answers it.
    pub const fn schema_version(self) -> &'static str {
        match self {
            Self::ClusterSet => "1.0.0",
            Self::Cluster => "1.1.0",
        }
    }
}

/// What a record says. Targets are prefixes of the same service: see [`ServiceRecords::records`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Data {
    /// A or AAAA.
    Address(IpAddr),
    /// SRV.
    Server {
        /// Of two, the lower is tried first.
        priority: u16,
        /// Share among those of equal priority.
        weight: u16,
        /// Where it listens.
        port: u16,
        /// Prefix of the name that has the address.
        target: String,
    },
    /// CNAME: an absolute name, without a final dot.
    Alias(String),
}

/// All records of one service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceRecords {
    /// By the labels left of `<service>.<namespace>.svc.<zone>`, such as `_https._tcp` or `ledger-0.east`; empty for
    /// the service's own name. Lower case, never an empty list.
    pub records: BTreeMap<String, Vec<Data>>,
    /// Addresses whose PTR records name a prefix of this service; in the cluster's own zone only.
    pub reverse: Vec<(IpAddr, String)>,
    /// What could not be made into records.
    pub problems: Vec<Problem>,
}

impl ServiceRecords {
    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.values().map(Vec::len).sum::<usize>() + self.reverse.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.reverse.is_empty()
    }

    pub(super) fn failed(problem: Problem) -> Self {
        Self { problems: vec![problem], ..Self::default() }
    }

    pub(super) fn add(&mut self, prefix: impl Into<String>, data: Data) {
        self.records.entry(prefix.into()).or_default().push(data);
    }

    /// Drops what does not fit under `base`, sorts, removes repetitions and gives SRV records their weights.
    pub(super) fn finish(mut self, base: &str) -> Self {
        let (records, problems) = (&mut self.records, &mut self.problems);
        records.retain(|prefix, _| match names::check_full(prefix, base) {
            Ok(()) => true,
            Err(problem) => {
                problems.push(problem);
                false
            }
        });
        let fits = |prefix: &str| names::check_full(prefix, base).is_ok();
        for set in records.values_mut() {
            set.retain(|data| !matches!(data, Data::Server { target, .. } if !fits(target)));
            set.sort();
            set.dedup();
            weigh(set);
        }
        records.retain(|_, set| !set.is_empty());
        self.reverse.retain(|(_, prefix)| fits(prefix));
        self.reverse.sort();
        self.reverse.dedup();
        problems.sort();
        problems.dedup();
        self
    }
}

/// Equal shares of one hundred, as other cluster DNS gives them.
fn weigh(set: &mut [Data]) {
    let servers = set.iter().filter(|data| matches!(data, Data::Server { .. })).count();
    let share = u16::try_from(100 / servers.max(1)).unwrap_or(1).max(1);
    for data in set {
        if let Data::Server { weight, .. } = data {
            *weight = share;
        }
    }
}

/// Something of a service that DNS cannot show. The rest of the service is not affected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The name of the service or of its namespace is not one DNS label.
    #[error(
        "{name:?} cannot be part of a DNS name: use a name of at most 63 letters, digits and hyphens, without dots"
    )]
    ServiceName {
        /// As given.
        name: String,
    },
    /// The whole name would be longer than DNS allows.
    #[error(
        "the name {name:?} has {length} characters, DNS allows 253: shorten the service, namespace, host name or cluster id"
    )]
    TooLong {
        /// The name.
        name: String,
        /// Its length.
        length: usize,
    },
    /// The import is neither of the known types.
    #[error("type {kind:?} is unknown: use ClusterSetIP or Headless")]
    Type {
        /// As given.
        kind: String,
    },
    /// An address is none.
    #[error("{text:?} in {place} is not an {expected} address")]
    Address {
        /// As given.
        text: String,
        /// Where it was found.
        place: String,
        /// `IP`, `IPv4` or `IPv6`.
        expected: &'static str,
    },
    /// A port cannot be published.
    #[error("port {name:?} ({number}/{protocol}) cannot be published: {reason}")]
    Port {
        /// Its name.
        name: String,
        /// Its number.
        number: i64,
        /// Its protocol.
        protocol: String,
        /// Why.
        reason: &'static str,
    },
    /// A host name is not one DNS label.
    #[error(
        "host name {hostname:?} in {place} cannot be part of a DNS name: use at most 63 letters, digits and hyphens"
    )]
    Hostname {
        /// As given.
        hostname: String,
        /// The slice.
        place: String,
    },
    /// A cluster id is not a DNS name.
    #[error(
        "cluster id {id:?} in {place} cannot be part of a DNS name: use lower-case letters, digits, hyphens and dots"
    )]
    ClusterId {
        /// As given.
        id: String,
        /// The slice.
        place: String,
    },
    /// A slice does not say where it comes from.
    #[error(
        "{place} has no label multicluster.kubernetes.io/source-cluster: its endpoints are not published"
    )]
    NoClusterId {
        /// The slice.
        place: String,
    },
    /// The target of an ExternalName Service is no name.
    #[error("external name {name:?} is not a DNS name")]
    ExternalName {
        /// As given.
        name: String,
    },
    /// More endpoints than one answer can hold.
    #[error(
        "{have} endpoints are ready, the answer for the service's own name holds {limit} of them; each pod's own name answers"
    )]
    TooManyEndpoints {
        /// Ready ones.
        have: usize,
        /// What is published.
        limit: usize,
    },
}

/// One service's new state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The service.
    pub service: ObjectKey,
    /// All its records from now on; empty when it is gone.
    pub records: ServiceRecords,
}

/// Takes records as they change: the DNS server, or a test.
pub trait RecordSink: Send + Sync + 'static {
    /// Puts changes in force, all at once, and returns when they are.
    fn publish(&self, zone: ZoneKind, changes: Vec<Change>);

    /// Says that everything there was at the start has been published. Called once per zone.
    fn synced(&self, zone: ZoneKind);
}
