//! Notes that wait to be written as Events: a bounded queue in memory. Equal notes wait as one, with a count.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::note::Note;

/// Notes of problems and state changes that wait, at most.
const MAX_WAITING: usize = 1024;
/// Notes of successes that wait, at most.
const MAX_WAITING_SUCCESSES: usize = 8192;

/// The order of writing: successes wait until nothing else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Problems, and all that is not a success.
    First,
    /// Successes.
    Last,
}

/// A note, and how often it was recorded while it waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) note: Arc<Note>,
    pub(super) count: u64,
    pub(super) urgency: Urgency,
}

/// A note that was not accepted: the queue is full.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// The queue between recorders and the task that writes.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) backlog: Mutex<Backlog>,
    /// A note was added.
    pub(super) added: Notify,
    /// Notes that were dropped, other than successes.
    pub(super) dropped: AtomicU64,
}

/// The notes that wait.
#[derive(Debug)]
pub(super) struct Backlog {
    first: Lane,
    last: Lane,
}

#[derive(Debug)]
struct Lane {
    order: VecDeque<Arc<Note>>,
    counts: HashMap<Arc<Note>, u64>,
    capacity: usize,
}

impl Default for Backlog {
    fn default() -> Self {
        Self { first: Lane::new(MAX_WAITING), last: Lane::new(MAX_WAITING_SUCCESSES) }
    }
}

impl Backlog {
    /// Adds a note.
    ///
    /// # Errors
    /// [`Full`] if too many wait and none is equal to it.
    pub(super) fn add(&mut self, note: Note, urgency: Urgency) -> Result<(), Full> {
        match urgency {
            Urgency::First => self.first.add(note),
            Urgency::Last => self.last.add(note),
        }
    }

    /// Takes the next note; successes only if `with_successes`.
    pub(super) fn take(&mut self, with_successes: bool) -> Option<Waiting> {
        let take = |lane: &mut Lane, urgency| {
            let (note, count) = lane.take()?;
            Some(Waiting { note, count, urgency })
        };
        match take(&mut self.first, Urgency::First) {
            None if with_successes => take(&mut self.last, Urgency::Last),
            taken => taken,
        }
    }
}

impl Lane {
    fn new(capacity: usize) -> Self {
        Self { order: VecDeque::new(), counts: HashMap::new(), capacity }
    }

    fn add(&mut self, note: Note) -> Result<(), Full> {
        if let Some(count) = self.counts.get_mut(&note) {
            *count += 1;
            return Ok(());
        }
        if self.order.len() >= self.capacity {
            return Err(Full);
        }
        let note = Arc::new(note);
        self.order.push_back(note.clone());
        self.counts.insert(note, 1);
        Ok(())
    }

    fn take(&mut self) -> Option<(Arc<Note>, u64)> {
        let note = self.order.pop_front()?;
        let count = self.counts.remove(&note).unwrap_or(1);
        Some((note, count))
    }
}

#[cfg(test)]
mod tests {
    use portolan_object::{GroupVersionKind, ObjectKey};

    use super::super::note::{Regarding, Severity};
    use super::*;

    fn note(reason: &str) -> Note {
        let regarding = Regarding {
            gvk: GroupVersionKind::new("", "v1", "ConfigMap"),
            key: ObjectKey::namespaced("shop", "web"),
            uid: String::new(),
        };
        Note::new(regarding, Severity::Normal, reason, String::new())
    }

    fn reasons(backlog: &mut Backlog, with_successes: bool) -> Vec<(String, u64)> {
        std::iter::from_fn(|| backlog.take(with_successes))
            .map(|waiting| (waiting.note.reason.clone(), waiting.count))
            .collect()
    }

    #[test]
    fn successes_wait_for_all_others_and_equal_notes_are_counted() {
        let mut backlog = Backlog::default();
        for (reason, urgency) in [
            ("done", Urgency::Last),
            ("failed", Urgency::First),
            ("done", Urgency::Last),
            ("lost", Urgency::First),
        ] {
            backlog.add(note(reason), urgency).unwrap();
        }
        assert_eq!(reasons(&mut backlog, false), [("failed".to_owned(), 1), ("lost".to_owned(), 1)]);
        assert_eq!(reasons(&mut backlog, true), [("done".to_owned(), 2)]);
        assert_eq!(backlog.take(true), None);
    }

    #[test]
    fn a_full_queue_accepts_only_what_waits_already() {
        let mut backlog = Backlog::default();
        for number in 0..MAX_WAITING {
            backlog.add(note(&number.to_string()), Urgency::First).unwrap();
        }
        assert_eq!(backlog.add(note("one more"), Urgency::First), Err(Full));
        assert_eq!(backlog.add(note("7"), Urgency::First), Ok(()));
        assert_eq!(backlog.add(note("a success"), Urgency::Last), Ok(()), "the other queue has room");
    }
}
