//! The history: the newest events, in order and without gaps, bounded in number and bytes.
//!
//! Watchers are cursors into it, and reads at an older revision undo it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::options::Limits;
use crate::versioned::{Event, Payload, Revision};

/// Memory of an event in bytes, without its key and its previous value.
const EVENT_OVERHEAD_BYTES: usize = 192;

pub(crate) struct Tail<P> {
    events: VecDeque<Arc<Event<P>>>,
    /// The revision right before the first event kept.
    base: Revision,
    bytes: usize,
    limits: Limits,
}

impl<P> Tail<P> {
    /// An empty history that starts after `base`.
    pub(crate) fn new(base: Revision, limits: Limits) -> Self {
        Self { events: VecDeque::new(), base, bytes: 0, limits }
    }

    /// The oldest revision of which all later events are kept.
    pub(crate) fn oldest(&self) -> Revision {
        self.base
    }

    /// Memory that the events alone keep.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The events after `revision`; empty if it is in the future.
    ///
    /// `None` if one of them was dropped.
    pub(crate) fn after(&self, revision: Revision) -> Option<impl Iterator<Item = &Arc<Event<P>>>> {
        // Revisions have no gaps, so the distance is the offset.
        let skip = revision.0.checked_sub(self.base.0)?;
        let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(self.events.len());
        Some(self.events.range(skip..))
    }
}

impl<P: Payload> Tail<P> {
    /// Takes out at most `count` events up to `revision`, the oldest ones.
    pub(crate) fn take_until(&mut self, revision: Revision, count: usize) -> Vec<Arc<Event<P>>> {
        let old = self.events.iter().take(count).take_while(|event| event.revision <= revision).count();
        let taken: Vec<_> = self.events.drain(..old).collect();
        for event in &taken {
            self.bytes -= weight(event);
            self.base = event.revision;
        }
        taken
    }

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

/// Memory that only the history holds: the previous value. The index holds the current one.
fn weight<P: Payload>(event: &Event<P>) -> usize {
    EVENT_OVERHEAD_BYTES
        + event.key.len()
        + event.previous.as_ref().map_or(0, |previous| previous.value.weight())
}

#[cfg(test)]
mod tests;
