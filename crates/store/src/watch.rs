//! Watchers: cursors into the history that sleep until an event concerns them.
//!
//! A watcher holds no queue, so one that reads slowly costs nothing; if it falls behind the bounded history it is told
//! so and must list anew. The writer never waits for a watcher.

use std::fmt;
use std::sync::Arc;

use crate::interest::Slot;
use crate::read::ReadError;
use crate::state::Shared;
use crate::versioned::{Event, Payload, Revision};

/// Events looked at before the lock is let go for writers.
const SLICE: usize = 1024;

/// The watcher read too slowly: events it had not seen were dropped. List anew, then watch from there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the watch fell behind: it was read up to revision {seen}, oldest kept is {oldest}")]
pub struct Lagged {
    /// The last revision that was delivered or did not match.
    pub seen: Revision,
    /// The oldest revision from which a watch can start.
    pub oldest: Revision,
}

/// A stream of the events of keys with one prefix, in revision order, each exactly once.
pub struct Watch<P: Payload> {
    shared: Arc<Shared<P>>,
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

/// What one look at the history found.
enum Step<P> {
    Found(Arc<Event<P>>),
    /// Nothing yet, and there is more to look at.
    Skipped,
    /// Nothing, and everything was looked at.
    Idle,
}

impl<P: Payload> Watch<P> {
    /// Starts after `after`, which may lie in the future.
    pub(crate) fn start(shared: Arc<Shared<P>>, prefix: &str, after: Revision) -> Result<Self, ReadError> {
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

    /// Waits for the next event. Cancelling the wait loses nothing.
    ///
    /// # Errors
    /// [`Lagged`] when the next event was dropped before it was read; so will every later call.
    pub async fn next(&mut self) -> Result<Arc<Event<P>>, Lagged> {
        loop {
            match self.step()? {
                Step::Found(event) => return Ok(event),
                Step::Skipped => {}
                Step::Idle => self.slot.woken().await,
            }
        }
    }

    /// The next event if there is one already; never waits.
    ///
    /// # Errors
    /// As [`Watch::next`].
    pub fn try_next(&mut self) -> Result<Option<Arc<Event<P>>>, Lagged> {
        loop {
            match self.step()? {
                Step::Found(event) => return Ok(Some(event)),
                Step::Skipped => {}
                Step::Idle => return Ok(None),
            }
        }
    }

    /// Everything up to here was delivered or does not match, so a later watch may start from here.
    ///
    /// Grows while the watch is idle and other keys are written.
    pub fn seen(&self) -> Revision {
        let state = self.shared.state.read();
        let seen = self.slot.unread().map_or(state.revision, Revision::previous);
        seen.max(self.slot.after())
    }

    fn step(&self) -> Result<Step<P>, Lagged> {
        let state = self.shared.state.read();
        let Some(unread) = self.slot.unread() else { return Ok(Step::Idle) };
        let mut looked_at = unread.previous();
        let Some(events) = state.tail.after(looked_at) else {
            return Err(Lagged { seen: looked_at, oldest: state.oldest() });
        };
        let mut found = None;
        for event in events.take(SLICE) {
            looked_at = event.revision;
            if event.key.starts_with(&*self.prefix) {
                found = Some(Arc::clone(event));
                break;
            }
        }
        let is_done = looked_at >= state.revision;
        self.slot.set_unread((!is_done).then(|| looked_at.next()));
        Ok(match found {
            Some(event) => Step::Found(event),
            None if is_done => Step::Idle,
            None => Step::Skipped,
        })
    }
}

impl<P: Payload> Drop for Watch<P> {
    fn drop(&mut self) {
        self.shared.state.write().interest.remove(&self.prefix, &self.slot);
    }
}
