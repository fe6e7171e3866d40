//! Counters of answered queries, by type and outcome.
//!
//! Each worker has separate counters, so that counting causes no contention; readers add them up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::answered::{Answered, Outcome};
use crate::record_set::{A, AAAA, CNAME, NS, PTR, SOA, SRV, TXT};

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
/// Label of all other types, and of packets that could not be parsed.
const OTHER: &str = "other";

/// Number of outcomes.
const OUTCOMES: usize = 8;

/// Answered queries of one type, by outcome.
#[derive(Debug, Default)]
struct OutcomeCounters {
    data: AtomicU64,
    no_data: AtomicU64,
    no_name: AtomicU64,
    format_error: AtomicU64,
    server_failure: AtomicU64,
    not_implemented: AtomicU64,
    refused: AtomicU64,
    bad_version: AtomicU64,
}

impl OutcomeCounters {
    #[inline]
    fn counter(&self, outcome: Outcome) -> &AtomicU64 {
        match outcome {
            Outcome::Data => &self.data,
            Outcome::NoData => &self.no_data,
            Outcome::NoName => &self.no_name,
            Outcome::FormatError => &self.format_error,
            Outcome::ServerFailure => &self.server_failure,
            Outcome::NotImplemented => &self.not_implemented,
            Outcome::Refused => &self.refused,
            Outcome::BadVersion => &self.bad_version,
        }
    }

    /// All counters with their label: the response code, and `NODATA` for a NOERROR answer without records.
    fn labelled(&self) -> [(&'static str, &AtomicU64); OUTCOMES] {
        [
            ("NOERROR", &self.data),
            ("NODATA", &self.no_data),
            ("NXDOMAIN", &self.no_name),
            ("FORMERR", &self.format_error),
            ("SERVFAIL", &self.server_failure),
            ("NOTIMP", &self.not_implemented),
            ("REFUSED", &self.refused),
            ("BADVERS", &self.bad_version),
        ]
    }
}

/// Counters of one worker.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// One row per entry of [`KINDS`], and one for [`OTHER`].
    answered: [OutcomeCounters; KINDS.len() + 1],
    ignored: AtomicU64,
}

impl Counters {
    /// Counts a packet; `None` stands for one that was not answered.
    #[inline]
    pub(crate) fn count(&self, answered: Option<Answered>) {
        let counter = match answered {
            Some(Answered { kind, outcome }) => {
                let row = KINDS.iter().position(|(known, _)| *known == kind).unwrap_or(KINDS.len());
                self.answered[row].counter(outcome)
            }
            None => &self.ignored,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Connections of one TCP listener.
#[derive(Debug, Default)]
pub(crate) struct TcpCounters {
    open: AtomicU64,
    evicted: AtomicU64,
}

impl TcpCounters {
    /// Sets the number of open connections.
    pub(crate) fn set_open(&self, count: usize) {
        self.open.store(count as u64, Ordering::Relaxed);
    }

    /// Counts a connection that was closed to make room for another one.
    pub(crate) fn evicted(&self) {
        self.evicted.fetch_add(1, Ordering::Relaxed);
    }
}

/// Number of queries of one type with one outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryCount {
    /// Record type such as `A`; `other` for rare types and for packets that could not be parsed.
    pub kind: &'static str,
    /// Response code, and `NODATA` for a NOERROR answer without records.
    pub outcome: &'static str,
    /// Queries since the start of the server.
    pub count: u64,
}

/// Counters of all workers of a server; clones share state.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    workers: Arc<Mutex<Vec<Arc<Counters>>>>,
    listeners: Arc<Mutex<Vec<Arc<TcpCounters>>>>,
}

impl Statistics {
    pub(crate) fn worker(&self) -> Arc<Counters> {
        let counters = Arc::new(Counters::default());
        self.workers.lock().push(counters.clone());
        counters
    }

    pub(crate) fn tcp_listener(&self) -> Arc<TcpCounters> {
        let counters = Arc::new(TcpCounters::default());
        self.listeners.lock().push(counters.clone());
        counters
    }

    /// Open TCP connections.
    pub fn tcp_connections(&self) -> u64 {
        self.listeners.lock().iter().map(|listener| listener.open.load(Ordering::Relaxed)).sum()
    }

    /// TCP connections that were closed to make room for others.
    pub fn evicted_tcp_connections(&self) -> u64 {
        self.listeners.lock().iter().map(|listener| listener.evicted.load(Ordering::Relaxed)).sum()
    }

    /// Answered queries by type and outcome, without combinations that have not happened.
    pub fn queries(&self) -> Vec<QueryCount> {
        let workers = self.workers.lock();
        let kinds = KINDS.iter().map(|(_, kind)| *kind).chain([OTHER]).enumerate();
        let queries = kinds.flat_map(|(row, kind)| {
            let mut totals = OutcomeCounters::default().labelled().map(|(outcome, _)| (outcome, 0));
            for worker in workers.iter() {
                for (total, (_, counter)) in totals.iter_mut().zip(worker.answered[row].labelled()) {
                    total.1 += counter.load(Ordering::Relaxed);
                }
            }
            totals.map(|(outcome, count)| QueryCount { kind, outcome, count })
        });
        queries.filter(|query| query.count > 0).collect()
    }

    /// Packets that were not answered because they are not queries.
    pub fn ignored(&self) -> u64 {
        self.workers.lock().iter().map(|worker| worker.ignored.load(Ordering::Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_its_label() {
        let outcomes = [
            (Outcome::Data, "NOERROR"),
            (Outcome::NoData, "NODATA"),
            (Outcome::NoName, "NXDOMAIN"),
            (Outcome::FormatError, "FORMERR"),
            (Outcome::ServerFailure, "SERVFAIL"),
            (Outcome::NotImplemented, "NOTIMP"),
            (Outcome::Refused, "REFUSED"),
            (Outcome::BadVersion, "BADVERS"),
        ];
        for (outcome, label) in outcomes {
            let statistics = Statistics::default();
            statistics.worker().count(Some(Answered { kind: A, outcome }));
            assert_eq!(statistics.queries(), [QueryCount { kind: "A", outcome: label, count: 1 }]);
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
