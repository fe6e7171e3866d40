//! The state that readers see, behind one lock that is held for microseconds.
//!
//! Only the writer changes it, through [`SharedState::publish`], and only with events that are durable.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::batch::Unavailable;
use crate::damage::DamagedValue;
use crate::index::Index;
use crate::interest::Interest;
use crate::metrics::Metrics;
use crate::options::Limits;
use crate::tail::Tail;
use crate::versioned::{Event, Payload, Revision};

/// Events of the history that are dropped after one group of writes. It takes less than a millisecond.
const MAX_FORGOTTEN_EVENTS: usize = 1024;

pub(crate) struct StoreState<P> {
    pub(crate) index: Index<P>,
    pub(crate) tail: Tail<P>,
    pub(crate) interest: Interest,
    /// The newest write.
    pub(crate) revision: Revision,
    /// Keys with a value that could not be read; they are not in the index.
    pub(crate) damaged: BTreeMap<Arc<str>, DamagedValue>,
    /// Keys with a value on disk that is not in the form that new values get, such as encrypted with an old key.
    pub(crate) stale: HashSet<Arc<str>>,
}

impl<P: Payload> StoreState<P> {
    /// An empty state with a history that starts after `revision`.
    pub(crate) fn new(revision: Revision, limits: Limits) -> Self {
        Self {
            index: Index::new(),
            tail: Tail::new(revision, limits),
            interest: Interest::default(),
            revision,
            damaged: BTreeMap::new(),
            stale: HashSet::new(),
        }
    }

    /// The oldest revision from which a watch can start and at which a range can be read.
    pub(crate) fn oldest(&self) -> Revision {
        self.tail.oldest()
    }

    /// Applies the next event. Does not wake watchers.
    pub(crate) fn apply(&mut self, event: Arc<Event<P>>) {
        self.set(&event);
        self.tail.push(event);
    }

    /// Applies the next event without keeping it as history.
    pub(crate) fn set(&mut self, event: &Event<P>) {
        match &event.current {
            Some(value) => self.index.put(value.clone()),
            None => self.index.remove(&event.key),
        }
        if !self.damaged.is_empty() {
            self.damaged.remove(&event.key);
        }
        if !self.stale.is_empty() {
            self.stale.remove(&event.key);
        }
        self.revision = event.revision;
    }
}

/// The state with its lock, and metrics.
pub(crate) struct SharedState<P> {
    pub(crate) state: RwLock<StoreState<P>>,
    pub(crate) metrics: Metrics,
    /// Why the latest write was refused; absent after one that succeeded.
    pub(crate) refusal: Mutex<Option<Unavailable>>,
}

impl<P: Payload> SharedState<P> {
    pub(crate) fn new(state: StoreState<P>) -> Self {
        Self { state: RwLock::new(state), metrics: Metrics::default(), refusal: Mutex::default() }
    }

    /// Makes durable events visible, in order, and wakes their watchers.
    pub(crate) fn publish(&self, events: impl IntoIterator<Item = Arc<Event<P>>>) {
        let mut woken = Vec::new();
        let mut state = self.state.write();
        for event in events {
            state.interest.note(&event.key, event.revision, &mut woken);
            state.apply(event);
        }
        drop(state);
        for slot in woken {
            slot.wake();
        }
    }

    /// Drops some of the history up to `horizon`, which is not kept any more. Only the writer calls it.
    pub(crate) fn forget(&self, horizon: Revision) {
        if self.state.read().oldest() >= horizon {
            return;
        }
        let taken = self.state.write().tail.take_until(horizon, MAX_FORGOTTEN_EVENTS);
        // Freed without the lock.
        drop(taken);
    }
}
