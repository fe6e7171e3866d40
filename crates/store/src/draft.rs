//! The writer's decision: which batches succeed, and the events they make.
//!
//! Memory and disk commit through the same draft. It reads the published state and remembers what the batches before
//! would change, so that a group of batches is decided as if each had been committed alone. Nothing becomes visible here.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::batch::{Batch, CommitError, Guard, Write};
use crate::damage::DamagedValue;
use crate::state::SharedState;
use crate::versioned::{Event, Payload, Revision, Versioned};

/// The changes of one group of batches, not yet durable and not yet visible.
pub(crate) struct Draft<'a, P> {
    shared: &'a SharedState<P>,
    revision: Revision,
    /// Values after the drafted events; `None` is a deleted key.
    changed: HashMap<Arc<str>, Option<Versioned<P>>>,
    events: Vec<Arc<Event<P>>>,
}

impl<'a, P: Payload> Draft<'a, P> {
    /// Starts from the published state. Only the writer may do so, because drafts assign revisions.
    pub(crate) fn new(shared: &'a SharedState<P>) -> Self {
        let revision = shared.state.read().revision;
        Self { shared, revision, changed: HashMap::new(), events: Vec::new() }
    }

    /// Adds a batch. Returns the range of its events in [`Draft::into_events`].
    ///
    /// # Errors
    /// [`CommitError::Conflict`] or [`CommitError::Damaged`]; the draft is then unchanged.
    pub(crate) fn add(&mut self, batch: Batch<P>) -> Result<Range<usize>, CommitError<P>> {
        for guard in &batch.guards {
            self.check(guard)?;
        }
        let start = self.events.len();
        for write in batch.writes {
            if let Err(conflict) = self.write(write) {
                self.undo(start);
                return Err(conflict);
            }
        }
        Ok(start..self.events.len())
    }

    /// The events of all batches added, in revision order.
    pub(crate) fn into_events(self) -> Vec<Arc<Event<P>>> {
        self.events
    }

    fn current(&self, key: &str) -> Option<Versioned<P>> {
        match self.changed.get(key) {
            Some(changed) => changed.clone(),
            None => self.shared.state.read().index.get(key).cloned(),
        }
    }

    /// The damaged value of a key that no drafted event has deleted.
    fn damaged(&self, key: &str) -> Option<DamagedValue> {
        let state = self.shared.state.read();
        state.damaged.get(key).filter(|_| !self.changed.contains_key(key)).cloned()
    }

    fn check(&self, guard: &Guard) -> Result<(), CommitError<P>> {
        let (key, want) = match guard {
            Guard::Absent(key) => (key, None),
            Guard::Unchanged(key, revision) => (key, Some(*revision)),
        };
        if let Some(damaged) = self.damaged(key) {
            return Err(CommitError::Damaged(damaged));
        }
        let current = self.current(key);
        if current.as_ref().map(|value| value.modified) == want {
            return Ok(());
        }
        Err(CommitError::Conflict { key: Arc::clone(key), current })
    }

    fn write(&mut self, write: Write<P>) -> Result<(), CommitError<P>> {
        let previous = self.current(write.key());
        let damaged = self.damaged(write.key());
        let revision = self.revision.next();
        let (key, current) = match write {
            Write::Put(..) if let Some(damaged) = &damaged => {
                return Err(CommitError::Damaged(damaged.clone()));
            }
            Write::Put(key, mut value) => {
                value.stamp(revision);
                // Reuse the allocation of the key.
                let key = previous.as_ref().map_or(key, |previous| Arc::clone(&previous.key));
                let created = previous.as_ref().map_or(revision, |previous| previous.created);
                let value = Arc::new(value);
                (Arc::clone(&key), Some(Versioned { key, value, created, modified: revision }))
            }
            Write::Delete(key) if previous.is_none() && damaged.is_none() => {
                return Err(CommitError::Conflict { key, current: None });
            }
            Write::Delete(key) => (key, None),
        };
        self.revision = revision;
        self.changed.insert(Arc::clone(&key), current.clone());
        self.events.push(Arc::new(Event { revision, key, current, previous }));
        Ok(())
    }

    /// Removes the events from `start` on.
    fn undo(&mut self, start: usize) {
        for event in self.events.drain(start..).rev() {
            self.revision = event.revision.previous();
            match (&event.current, &event.previous) {
                // It deleted a damaged value.
                (None, None) => drop(self.changed.remove(&event.key)),
                (_, previous) => drop(self.changed.insert(Arc::clone(&event.key), previous.clone())),
            }
        }
    }
}
