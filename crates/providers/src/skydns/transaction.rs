//! A change as one transaction of etcd.

use std::collections::{BTreeMap, BTreeSet};

use portolan_plan::federation::dns::record::{Change, DomainName, RecordKey, RecordSet, Write};

use super::entry::{self, key_of, value_of};
use super::etcd::Read;
use crate::error::ProviderError;

/// Most operations of a transaction, by etcd's default (`--max-txn-ops`).
const MAX_OPERATIONS: usize = 128;

/// The names that a change writes.
pub(super) fn names(change: &Change) -> BTreeSet<&DomainName> {
    change.writes.iter().map(|write| &write.set().name).collect()
}

/// What etcd has at the names of a change.
#[derive(Debug, Default)]
pub(super) struct Observed {
    sets: BTreeMap<RecordKey, RecordSet>,
    /// Keys of the records of each set.
    keys: BTreeMap<RecordKey, BTreeSet<String>>,
    /// Every path that was read, with the revision of etcd at that time.
    read: Vec<(String, i64)>,
}

impl Observed {
    pub(super) fn add(&mut self, prefix: &str, name: &DomainName, path: &str, read: &Read) {
        let mut records = Vec::new();
        for found in &read.entries {
            for record in entry::records(prefix, &found.key, &found.value) {
                if record.name != *name {
                    continue;
                }
                let key = RecordSet::new(record.name.clone(), record.kind.clone(), 0, [""]).key();
                self.keys.entry(key).or_default().insert(found.key.clone());
                records.push(record);
            }
        }
        self.sets.extend(entry::sets(records).into_iter().map(|set| (set.key(), set)));
        self.read.push((path.to_owned(), read.revision));
    }
}

/// Writes that etcd does together, if nothing below `unchanged` is newer than the revision beside it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Transaction {
    pub(super) unchanged: Vec<(String, i64)>,
    pub(super) deletions: Vec<String>,
    pub(super) puts: Vec<(String, String)>,
}

/// The transaction of a change.
///
/// # Errors
/// [`ProviderError::Changed`] when a set is not as it was listed, [`ProviderError::Rejected`] when there are too many
/// records for a transaction.
pub(super) fn plan(prefix: &str, change: &Change, now: &Observed) -> Result<Transaction, ProviderError> {
    let (mut deletions, mut puts) = (BTreeSet::new(), BTreeMap::new());
    for write in &change.writes {
        let (before, after) = match write {
            Write::Put { set, before } => (before.as_ref(), Some(set)),
            Write::Delete(set) => (Some(set), None),
        };
        let key = write.set().key();
        let is_as_listed = match (before, now.sets.get(&key)) {
            (Some(before), Some(present)) => before.targets == present.targets,
            (before, present) => before.is_none() && present.is_none(),
        };
        if !is_as_listed {
            return Err(ProviderError::Changed { name: change.name.clone() });
        }
        deletions.extend(now.keys.get(&key).into_iter().flatten().cloned());
        for (set, target) in
            after.into_iter().flat_map(|set| set.targets.iter().map(move |target| (set, target)))
        {
            puts.insert(key_of(prefix, &set.name, target), value_of(set, target));
        }
    }
    // etcd refuses a transaction that writes a key twice.
    deletions.retain(|key| !puts.contains_key(key));
    if deletions.len() + puts.len() > MAX_OPERATIONS {
        return Err(ProviderError::Rejected {
            server: "etcd".to_owned(),
            name: change.name.clone(),
            reason: format!("more than {MAX_OPERATIONS} records of one name do not fit into a transaction"),
        });
    }
    Ok(Transaction {
        unchanged: now.read.clone(),
        deletions: deletions.into_iter().collect(),
        puts: puts.into_iter().collect(),
    })
}
