//! How many queries were answered, by type and outcome.
//!
//! Every worker counts on its own, so that counting costs no contention; readers add up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::record_set::{A, AAAA, CNAME, NS, PTR, SOA, SRV, TXT};
use crate::respond::{Answered, Outcome};

const KINDS: [(u16, &str); 8] = [
    (A, "A"),
    (AAAA, "AAAA"),
    (SRV, "SRV"),
    (PTR, "PTR"),
    (TXT, "TXT"),
    (SOA, "SOA"),
    (NS, "NS"),
    (CNAME, "CNAME"),
];
/// All types without a place of their own, and packets without a type.
const OTHER: &str = "other";

const OUTCOMES: [(Outcome, &str); 8] = [
    (Outcome::Data, "NOERROR"),
    (Outcome::NoData, "NODATA"),
    (Outcome::NoName, "NXDOMAIN"),
    (Outcome::FormatError, "FORMERR"),
    (Outcome::ServerFailure, "SERVFAIL"),
    (Outcome::NotImplemented, "NOTIMP"),
    (Outcome::Refused, "REFUSED"),
    (Outcome::BadVersion, "BADVERS"),
];

/// One worker's counters.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    answered: [[AtomicU64; OUTCOMES.len()]; KINDS.len() + 1],
    ignored: AtomicU64,
}

impl Counters {
    /// Counts a packet; `None` stands for one that got no answer.
    #[inline]
    pub(crate) fn count(&self, answered: Option<Answered>) {
        let counter = match answered {
            Some(Answered { kind, outcome }) => {
                let row = KINDS.iter().position(|(known, _)| *known == kind).unwrap_or(KINDS.len());
                // The outcomes stand in the table in the order of their declaration.
                &self.answered[row][outcome as usize]
            }
            None => &self.ignored,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Queries of one type with one outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryCount {
    /// Such as `A`; `other` for rare types and for packets without one.
    pub kind: &'static str,
    /// The response code, and `NODATA` for an empty NOERROR.
    pub outcome: &'static str,
    /// How many since the start.
    pub count: u64,
}

/// The counters of all workers of a server; a clone is the same ones.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    workers: Arc<Mutex<Vec<Arc<Counters>>>>,
}

impl Statistics {
    pub(crate) fn worker(&self) -> Arc<Counters> {
        let counters = Arc::new(Counters::default());
        self.workers.lock().push(counters.clone());
        counters
    }

    /// Answered queries; combinations that never happened are left out.
    pub fn queries(&self) -> Vec<QueryCount> {
        let workers = self.workers.lock();
        let kinds = KINDS.iter().map(|(_, kind)| *kind).chain([OTHER]).enumerate();
        let all = kinds.flat_map(|(row, kind)| {
            OUTCOMES.iter().enumerate().map(move |(column, (_, outcome))| (row, kind, column, *outcome))
        });
        all.map(|(row, kind, column, outcome)| {
            let each = workers.iter().map(|worker| worker.answered[row][column].load(Ordering::Relaxed));
            QueryCount { kind, outcome, count: each.sum() }
        })
        .filter(|query| query.count > 0)
        .collect()
    }

    /// Packets that got no answer, because they are no queries.
    pub fn ignored(&self) -> u64 {
        self.workers.lock().iter().map(|worker| worker.ignored.load(Ordering::Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_stand_in_their_order() {
        for (index, (outcome, name)) in OUTCOMES.iter().enumerate() {
            assert_eq!(*outcome as usize, index, "{name}");
        }
    }

    #[test]
    fn workers_are_added_up() {
        let statistics = Statistics::default();
        for outcome in [Outcome::Data, Outcome::Data, Outcome::NoName] {
            statistics.worker().count(Some(Answered { kind: A, outcome }));
        }
        let worker = statistics.worker();
        worker.count(Some(Answered { kind: 9999, outcome: Outcome::NoData }));
        worker.count(None);
        let want = [("A", "NOERROR", 2), ("A", "NXDOMAIN", 1), ("other", "NODATA", 1)];
        assert_eq!(
            statistics.queries(),
            want.map(|(kind, outcome, count)| QueryCount { kind, outcome, count })
        );
        assert_eq!(statistics.ignored(), 1);
    }
}
