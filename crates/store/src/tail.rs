//! The newest events, in order and without gaps, bounded in number and in bytes.
//!
//! Watchers are cursors into this ring and old snapshots are read by undoing it, so it is the only history in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::options::Limits;
use crate::versioned::{Event, Payload, Revision};

/// What an event costs besides its key and its previous value.
const OVERHEAD: usize = 192;

pub(crate) struct Tail<P> {
    events: VecDeque<Arc<Event<P>>>,
    /// The revision right before the first event kept.
    base: Revision,
    bytes: usize,
    limits: Limits,
}

impl<P> Tail<P> {
    /// Nothing is known up to and including `base`.
    pub(crate) fn new(base: Revision, limits: Limits) -> Self {
        Self { events: VecDeque::new(), base, bytes: 0, limits }
    }

    /// The oldest revision whose successors are all kept.
    pub(crate) fn oldest(&self) -> Revision {
        self.base
    }

    /// Memory that the events alone keep.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The events after `revision`; none when it lies in the future.
    ///
    /// `None` when one of them was dropped already.
    pub(crate) fn after(&self, revision: Revision) -> Option<impl Iterator<Item = &Arc<Event<P>>>> {
        // Revisions have no gaps, so the distance is the offset.
        let skip = revision.0.checked_sub(self.base.0)?;
        let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(self.events.len());
        Some(self.events.range(skip..))
    }
}

impl<P: Payload> Tail<P> {
    /// Appends the next event, and drops the oldest ones beyond the limits.
    pub(crate) fn push(&mut self, event: Arc<Event<P>>) {
        debug_assert_eq!(event.revision.0, self.base.0 + self.events.len() as u64 + 1);
        self.bytes += weight(&event);
        self.events.push_back(event);
        while self.events.len() > self.limits.events || self.bytes > self.limits.bytes {
            let Some(dropped) = self.events.pop_front() else { break };
            self.bytes -= weight(&dropped);
            self.base = dropped.revision;
        }
    }
}

/// Memory that the event alone keeps: the index holds the current value, only history holds the previous one.
fn weight<P: Payload>(event: &Event<P>) -> usize {
    OVERHEAD + event.key.len() + event.previous.as_ref().map_or(0, |previous| previous.value.weight())
}

#[cfg(test)]
mod tests;
