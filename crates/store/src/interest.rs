//! Finds the watchers of a key.
//!
//! Watchers are grouped by prefix in one sorted map, so an event finds the prefixes of its key in a few look-ups,
//! independent of the number of other watchers.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::versioned::Revision;

/// Value of [`Slot::unread`] if there is no unread event.
const NOTHING: u64 = 0;

/// StoreState shared by the writer and one watcher. All access is under the lock of the store's state.
#[derive(Debug)]
pub(crate) struct Slot {
    /// The watch starts after this revision.
    after: Revision,
    /// First revision that the watcher has not read, or [`NOTHING`]. Each event before it was delivered or does not match.
    unread: AtomicU64,
    wake: Notify,
}

impl Slot {
    /// A slot for a watch after `after`, in a store that is at `newest`.
    pub(crate) fn new(after: Revision, newest: Revision) -> Self {
        let unread = if after < newest { after.next().0 } else { NOTHING };
        Self { after, unread: AtomicU64::new(unread), wake: Notify::new() }
    }

    pub(crate) fn after(&self) -> Revision {
        self.after
    }

    /// The revision to continue at; `None` if no matching event is unread.
    pub(crate) fn unread(&self) -> Option<Revision> {
        Some(Revision(self.unread.load(Ordering::Relaxed))).filter(|unread| unread.0 != NOTHING)
    }

    /// Moves the cursor; `None` if all events are read.
    pub(crate) fn set_unread(&self, unread: Option<Revision>) {
        self.unread.store(unread.map_or(NOTHING, |unread| unread.0), Ordering::Relaxed);
    }

    /// Notes an event. True if it is the first unread one, so that the watcher must be woken.
    fn note(&self, revision: Revision) -> bool {
        let is_first = revision > self.after && self.unread().is_none();
        if is_first {
            self.set_unread(Some(revision));
        }
        is_first
    }

    /// Wakes the watcher, now or when it waits next.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits for [`Slot::wake`]. An earlier wake is not lost.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }
}

/// All watchers by prefix.
#[derive(Debug, Default)]
pub(crate) struct Interest {
    by_prefix: BTreeMap<Box<[u8]>, Vec<Arc<Slot>>>,
}

impl Interest {
    pub(crate) fn add(&mut self, prefix: &str, slot: Arc<Slot>) {
        self.by_prefix.entry(prefix.as_bytes().into()).or_default().push(slot);
    }

    /// The number of watchers.
    pub(crate) fn len(&self) -> usize {
        self.by_prefix.values().map(Vec::len).sum()
    }

    pub(crate) fn remove(&mut self, prefix: &str, slot: &Arc<Slot>) {
        let Some(slots) = self.by_prefix.get_mut(prefix.as_bytes()) else { return };
        slots.retain(|other| !Arc::ptr_eq(other, slot));
        if slots.is_empty() {
            self.by_prefix.remove(prefix.as_bytes());
        }
    }

    /// Notes an event of `key` for its watchers, and adds those that must be woken to `woken`. Narrow watchers come first,
    /// broad ones registered at start (internal controllers) last; of equal ones the latest comes first.
    ///
    /// # Cost
    /// One map look-up per matching prefix, plus one per position at which registered prefixes diverge from the key.
    pub(crate) fn note(&self, key: &str, revision: Revision, woken: &mut Vec<Arc<Slot>>) {
        let key = key.as_bytes();
        let mut below = Bound::Included(key);
        // Each prefix of the key sorts at or before it, shorter ones first. The greatest entry below the bound either is a
        // prefix, or bounds the length of the remaining prefixes by its common part with the key.
        while let Some((prefix, slots)) =
            self.by_prefix.range::<[u8], _>((Bound::Unbounded, below)).next_back()
        {
            let common = prefix.iter().zip(key).take_while(|(a, b)| a == b).count();
            if common == prefix.len() {
                woken.extend(slots.iter().rev().filter(|slot| slot.note(revision)).cloned());
                below = Bound::Excluded(&key[..common]);
            } else {
                below = Bound::Included(&key[..common]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
