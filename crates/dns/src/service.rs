//! Encoded names of one service.
//!
//! Built when the records of the service change, and shared between snapshots until they change again.

use std::collections::BTreeMap;
use std::net::IpAddr;

use portolan_plan::dns::{RecordData, ServiceRecords};

use crate::name::relative_wire;
use crate::record_set::{A, AAAA, CNAME, EncodeError, RecordSet, RecordSetBuilder, SRV};

/// Record sets of one name, one per type; empty for a name that only has names below it.
pub(crate) type Sets = Box<[RecordSet]>;

/// The service's name and all names below it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Service {
    own: Sets,
    /// By prefix in wire format, sorted; includes names that only have names below them.
    below: Box<[(Box<[u8]>, Sets)]>,
    records: usize,
    /// Addresses with the target of their PTR record.
    pub(crate) reverse: Box<[(IpAddr, Box<str>)]>,
}

impl Service {
    /// Encodes the records of the service with the full name `base`.
    pub(crate) fn encode(records: &ServiceRecords, base: &str, ttl_secs: u32) -> Self {
        let mut names: BTreeMap<Vec<u8>, Sets> = BTreeMap::new();
        for (prefix, data) in &records.records {
            // Names between this one and the service exist too (RFC 4592, empty non-terminals).
            let mut ancestor = prefix.as_str();
            while let Some((_, parent)) = ancestor.split_once('.') {
                names.entry(relative_wire(parent)).or_default();
                ancestor = parent;
            }
            names.insert(relative_wire(prefix), encode_sets(data, base, ttl_secs));
        }
        let own = names.remove(&Vec::new()).unwrap_or_default();
        let below = names.into_iter().map(|(prefix, sets)| (prefix.into_boxed_slice(), sets)).collect();
        let reverse =
            records.reverse.iter().map(|(address, prefix)| (*address, full_name(prefix, base).into()));
        Self { own, below, records: records.len(), reverse: reverse.collect() }
    }

    /// Record sets of the name with this prefix; `None` when the name does not exist.
    pub(crate) fn find(&self, prefix: &[u8]) -> Option<&[RecordSet]> {
        if prefix.is_empty() {
            return Some(&self.own);
        }
        let found = self.below.binary_search_by(|(candidate, _)| candidate.as_ref().cmp(prefix)).ok()?;
        Some(&self.below[found].1)
    }

    /// Number of records.
    pub(crate) fn records(&self) -> usize {
        self.records
    }
}

fn full_name(prefix: &str, base: &str) -> String {
    if prefix.is_empty() { base.to_owned() } else { format!("{prefix}.{base}") }
}

fn encode_sets(data: &[RecordData], base: &str, ttl_secs: u32) -> Sets {
    let builder = |kind| RecordSetBuilder::new(kind, ttl_secs);
    let (mut v4, mut v6, mut servers, mut aliases) =
        (builder(A), builder(AAAA), builder(SRV), builder(CNAME));
    for one in data {
        let encoded: Result<(), EncodeError> = match one {
            RecordData::Address(address @ IpAddr::V4(_)) => {
                v4.address(*address);
                Ok(())
            }
            RecordData::Address(address @ IpAddr::V6(_)) => {
                v6.address(*address);
                Ok(())
            }
            RecordData::Server { priority, weight, port, target } => {
                servers.server((*priority, *weight, *port), &full_name(target, base))
            }
            RecordData::Alias(target) => aliases.alias(target),
        };
        if encoded.is_err() {
            // `plan::dns` checks every name, so this is a bug there; only this record is lost.
            tracing::warn!(service = base, record = ?one, "cannot encode a record, leaving it out");
        }
    }
    [v4, v6, servers, aliases].into_iter().filter_map(RecordSetBuilder::finish).collect()
}

/// The record set of type `kind` among the sets of one name.
#[inline]
pub(crate) fn set_of(sets: &[RecordSet], kind: u16) -> Option<&RecordSet> {
    sets.iter().find(|set| set.kind() == kind)
}
