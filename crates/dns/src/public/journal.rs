//! The last changes of a public zone: what a secondary name server needs that has an earlier version (RFC 1995).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::service::Sets;

/// Most changes that are kept.
const CHANGES: usize = 256;
/// Most records in all kept changes together.
const RECORDS: usize = 50_000;

/// One change of a zone.
#[derive(Debug)]
pub(crate) struct Delta {
    /// Serial number before.
    pub(crate) from: u32,
    /// Serial number after.
    pub(crate) to: u32,
    /// Full names in wire format with the sets that went and those that came.
    pub(crate) names: Vec<(Box<[u8]>, Sets, Sets)>,
}

impl Delta {
    fn records(&self) -> usize {
        let of = |sets: &Sets| sets.iter().map(|set| set.count()).sum::<usize>();
        self.names.iter().map(|(_, old, new)| of(old) + of(new)).sum()
    }
}

/// The last changes, the oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Journal {
    deltas: VecDeque<Arc<Delta>>,
    /// Number of records in them.
    records: usize,
}

impl Journal {
    /// Adds a change, and forgets the oldest ones beyond the limits.
    pub(crate) fn push(&mut self, delta: Delta) {
        self.records += delta.records();
        self.deltas.push_back(Arc::new(delta));
        while self.deltas.len() > CHANGES || self.records > RECORDS {
            let Some(oldest) = self.deltas.pop_front() else { return };
            self.records -= oldest.records();
        }
    }

    /// The changes since a serial number; `None` if they are not known.
    pub(crate) fn since(&self, serial: u32) -> Option<Vec<Arc<Delta>>> {
        let first = self.deltas.iter().position(|delta| delta.from == serial)?;
        Some(self.deltas.iter().skip(first).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secondary_gets_what_it_missed_or_the_whole_zone() {
        let mut journal = Journal::default();
        let count = u32::try_from(CHANGES).expect("few") + 10;
        for from in 1..=count {
            journal.push(Delta { from, to: from + 1, names: Vec::new() });
        }
        assert_eq!(journal.since(count - 1).map(|deltas| deltas.len()), Some(2));
        assert!(journal.since(10).is_none(), "forgotten");
        assert!(journal.since(11).is_some());
        assert!(journal.since(count + 1).is_none(), "nothing came after");
    }
}
