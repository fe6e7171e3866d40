//! Watchers: cursors into the history.
//!
//! A watcher has no queue, so a slow one costs no memory. If it falls behind the bounded history, it gets [`Lagged`] and
//! must list again. The writer never waits for a watcher.

use std::fmt;
use std::sync::Arc;

use crate::interest::Slot;
use crate::read::ReadError;
use crate::state::SharedState;
use crate::versioned::{Event, Payload, Revision};

/// Events read under one lock, so that writers get their turn.
const MAX_EVENTS_PER_LOCK: usize = 1024;

/// The watcher read too slowly, and events that it had not seen were dropped. List again, then watch from there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the watch fell behind: it was read up to revision {seen}, oldest kept is {oldest}")]
pub struct Lagged {
    /// Last revision that was delivered or did not match.
    pub seen: Revision,
    /// The oldest revision from which a watch can start.
    pub oldest: Revision,
}

/// A stream of the events of keys with one prefix, in revision order, each exactly once.
pub struct Watch<P: Payload> {
    shared: Arc<SharedState<P>>,
    prefix: Box<str>,
    slot: Arc<Slot>,
}

impl<P: Payload> fmt::Debug for Watch<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("prefix", &self.prefix)
            .field("seen", &self.seen())
            .finish_non_exhaustive()
    }
}

/// Result of reading some of the history.
enum WatchStep<P> {
    Found(Arc<Event<P>>),
    /// No match yet; more events follow.
    Skipped,
    /// No match, and no more events.
    Idle,
}

impl<P: Payload> Watch<P> {
    /// Starts after `after`, which may lie in the future.
    pub(crate) fn start(
        shared: Arc<SharedState<P>>,
        prefix: &str,
        after: Revision,
    ) -> Result<Self, ReadError> {
        let mut state = shared.state.write();
        let oldest = state.oldest();
        if after < oldest {
            return Err(ReadError::Compacted { asked: after, oldest });
        }
        let slot = Arc::new(Slot::new(after, state.revision));
        state.interest.add(prefix, Arc::clone(&slot));
        drop(state);
        Ok(Self { shared, prefix: prefix.into(), slot })
    }

    /// Waits for the next event. Cancel safe.
    ///
    /// # Errors
    /// [`Lagged`] if the next event was dropped before it was read. Each later call fails as well.
    pub async fn next(&mut self) -> Result<Arc<Event<P>>, Lagged> {
        loop {
            match self.step()? {
                WatchStep::Found(event) => return Ok(event),
                WatchStep::Skipped => {}
                WatchStep::Idle => self.slot.woken().await,
            }
        }
    }

    /// The next event, if there is one. Never waits.
    ///
    /// # Errors
    /// As [`Watch::next`].
    pub fn try_next(&mut self) -> Result<Option<Arc<Event<P>>>, Lagged> {
        loop {
            match self.step()? {
                WatchStep::Found(event) => return Ok(Some(event)),
                WatchStep::Skipped => {}
                WatchStep::Idle => return Ok(None),
            }
        }
    }

    /// All events up to this revision were delivered or do not match, so a later watch may start from it.
    ///
    /// Grows with writes of other keys while the watch is idle.
    pub fn seen(&self) -> Revision {
        let state = self.shared.state.read();
        let seen = self.slot.unread().map_or(state.revision, Revision::previous);
        seen.max(self.slot.after())
    }

    fn step(&self) -> Result<WatchStep<P>, Lagged> {
        let state = self.shared.state.read();
        let Some(unread) = self.slot.unread() else { return Ok(WatchStep::Idle) };
        let mut read_to = unread.previous();
        let Some(events) = state.tail.after(read_to) else {
            return Err(Lagged { seen: read_to, oldest: state.oldest() });
        };
        let mut found = None;
        for event in events.take(MAX_EVENTS_PER_LOCK) {
            read_to = event.revision;
            if event.key.starts_with(&*self.prefix) {
                found = Some(Arc::clone(event));
                break;
            }
        }
        let is_done = read_to >= state.revision;
        self.slot.set_unread((!is_done).then(|| read_to.next()));
        Ok(match found {
            Some(event) => WatchStep::Found(event),
            None if is_done => WatchStep::Idle,
            None => WatchStep::Skipped,
        })
    }
}

impl<P: Payload> Drop for Watch<P> {
    fn drop(&mut self) {
        self.shared.state.write().interest.remove(&self.prefix, &self.slot);
    }
}
