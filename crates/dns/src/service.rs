//! One service's names, encoded.
//!
//! Built from its records alone when they change, and shared between snapshots until they change again.

use std::collections::BTreeMap;
use std::net::IpAddr;

use portolan_plan::dns::{Data, ServiceRecords};

use crate::name::relative_wire;
use crate::record_set::{A, AAAA, Builder, CNAME, RecordSet, SRV, Unencodable};

/// The sets of one name, by type; empty for a name that only has names below it.
pub(crate) type Sets = Box<[RecordSet]>;

/// The names at and below one service's own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Service {
    own: Sets,
    /// By prefix in wire format, in order; names that only have names below them are here too.
    below: Box<[(Box<[u8]>, Sets)]>,
    records: usize,
    /// Addresses, and the names that their PTR records give.
    pub(crate) reverse: Box<[(IpAddr, Box<str>)]>,
}

impl Service {
    /// Encodes the records of the service whose full name is `base`.
    pub(crate) fn encode(records: &ServiceRecords, base: &str, ttl_secs: u32) -> Self {
        let mut names: BTreeMap<Vec<u8>, Sets> = BTreeMap::new();
        for (prefix, data) in &records.records {
            // What lies between a name and the service exists as well.
            let mut ancestor = prefix.as_str();
            while let Some((_, parent)) = ancestor.split_once('.') {
                names.entry(relative_wire(parent)).or_default();
                ancestor = parent;
            }
            names.insert(relative_wire(prefix), encode_sets(data, base, ttl_secs));
        }
        let own = names.remove(&Vec::new()).unwrap_or_default();
        let below = names.into_iter().map(|(prefix, sets)| (prefix.into_boxed_slice(), sets)).collect();
        let reverse = records.reverse.iter().map(|(address, prefix)| (*address, full(prefix, base).into()));
        Self { own, below, records: records.len(), reverse: reverse.collect() }
    }

    /// The sets of the name with this prefix; `None` when there is no such name.
    pub(crate) fn find(&self, prefix: &[u8]) -> Option<&[RecordSet]> {
        if prefix.is_empty() {
            return Some(&self.own);
        }
        let found = self.below.binary_search_by(|(candidate, _)| candidate.as_ref().cmp(prefix)).ok()?;
        Some(&self.below[found].1)
    }

    /// How many records there are.
    pub(crate) fn records(&self) -> usize {
        self.records
    }
}

fn full(prefix: &str, base: &str) -> String {
    if prefix.is_empty() { base.to_owned() } else { format!("{prefix}.{base}") }
}

fn encode_sets(data: &[Data], base: &str, ttl_secs: u32) -> Sets {
    let builder = |kind| Builder::new(kind, ttl_secs);
    let (mut v4, mut v6, mut servers, mut aliases) =
        (builder(A), builder(AAAA), builder(SRV), builder(CNAME));
    for one in data {
        let encoded: Result<(), Unencodable> = match one {
            Data::Address(address @ IpAddr::V4(_)) => {
                v4.address(*address);
                Ok(())
            }
            Data::Address(address @ IpAddr::V6(_)) => {
                v6.address(*address);
                Ok(())
            }
            Data::Server { priority, weight, port, target } => {
                servers.server((*priority, *weight, *port), &full(target, base))
            }
            Data::Alias(target) => aliases.alias(target),
        };
        if encoded.is_err() {
            // `plan` has checked every name; one that gets here is its defect, and costs one record.
            tracing::warn!(service = base, record = ?one, "a record cannot be encoded");
        }
    }
    [v4, v6, servers, aliases].into_iter().filter_map(Builder::finish).collect()
}

/// The set of `kind` among the sets of one name.
#[inline]
pub(crate) fn set_of(sets: &[RecordSet], kind: u16) -> Option<&RecordSet> {
    sets.iter().find(|set| set.kind() == kind)
}
