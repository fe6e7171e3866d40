//! Records of one service.

use std::collections::BTreeMap;
use std::net::IpAddr;

use portolan_object::ObjectKey;

use super::names;
use super::problem::Problem;

/// Kind of a DNS zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ZoneKind {
    /// Services of a cluster set (KEP-1645, DNS specification 1.0.0).
    ClusterSet,
    /// Services of one cluster (Kubernetes DNS specification 1.1.0).
    Cluster,
}

impl ZoneKind {
    /// Default name of the zone, without a final dot.
    pub const fn default_zone(self) -> &'static str {
        match self {
            Self::ClusterSet => "clusterset.local",
            Self::Cluster => "cluster.local",
        }
    }

    /// Version of the specification, for the TXT record `dns-version`.
    pub const fn schema_version(self) -> &'static str {
        match self {
            Self::ClusterSet => "1.0.0",
            Self::Cluster => "1.1.0",
        }
    }
}

/// Data of a record. Targets are prefixes of the same service, see [`ServiceRecords::records`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordData {
    /// A or AAAA.
    Address(IpAddr),
    /// SRV.
    Server {
        /// Priority; lower values are tried first.
        priority: u16,
        /// Weight among records of equal priority.
        weight: u16,
        /// Port number.
        port: u16,
        /// Prefix of the name with the addresses.
        target: String,
    },
    /// CNAME: an absolute name, without a final dot.
    Alias(String),
}

/// All records of one service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceRecords {
    /// By prefix: the labels left of `<service>.<namespace>.svc.<zone>`, such as `_https._tcp` or `ledger-0.east`; empty
    /// for the name of the service. Lower case; lists are not empty.
    pub records: BTreeMap<String, Vec<RecordData>>,
    /// Addresses with the prefix that their PTR record names; only in the zone of a single cluster.
    pub reverse: Vec<(IpAddr, String)>,
    /// Parts of the service that are left out.
    pub problems: Vec<Problem>,
}

impl ServiceRecords {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.values().map(Vec::len).sum::<usize>() + self.reverse.len()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.reverse.is_empty()
    }

    /// No records because of one problem.
    pub(super) fn failed(problem: Problem) -> Self {
        Self { problems: vec![problem], ..Self::default() }
    }

    pub(super) fn add(&mut self, prefix: impl Into<String>, data: RecordData) {
        self.records.entry(prefix.into()).or_default().push(data);
    }

    /// Removes names that are too long under `base`, sorts, removes duplicates, and sets the weights of SRV records.
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
            set.retain(|data| !matches!(data, RecordData::Server { target, .. } if !fits(target)));
            set.sort();
            set.dedup();
            set_weights(set);
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

/// Gives each SRV record an equal share of 100, as CoreDNS does (coredns plugin/backend_lookup.go).
fn set_weights(set: &mut [RecordData]) {
    let servers = set.iter().filter(|data| matches!(data, RecordData::Server { .. })).count();
    let share = u16::try_from(100 / servers.max(1)).unwrap_or(1).max(1);
    for data in set {
        if let RecordData::Server { weight, .. } = data {
            *weight = share;
        }
    }
}

/// New records of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceChange {
    /// Namespace and name of the service.
    pub service: ObjectKey,
    /// All records of the service; empty after its deletion.
    pub records: ServiceRecords,
}

/// Receiver of changed records: the DNS server, or a test.
pub trait RecordSink: Send + Sync + 'static {
    /// Publishes changes atomically; they are visible to queries when the call returns.
    fn publish(&self, zone: ZoneKind, changes: Vec<ServiceChange>);

    /// Called once per zone, after all services that existed at the start have been published.
    fn synced(&self, zone: ZoneKind);
}
