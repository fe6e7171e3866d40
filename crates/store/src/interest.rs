//! Which watchers an event concerns.
//!
//! Watchers are grouped by prefix in one sorted map, so an event finds the prefixes of its key in a few look-ups,
//! however many watchers wait for something else.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::versioned::Revision;

/// No event waits to be read.
const NOTHING: u64 = 0;

/// What the writer and one watcher share. All access happens under the lock of the state.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Events up to here do not concern the watcher.
    after: Revision,
    /// First revision the watcher has still to look at, or [`NOTHING`]. Every event before it was delivered or does
    /// not concern the watcher.
    unread: AtomicU64,
    wake: Notify,
}

impl Slot {
    /// A slot whose watcher wants everything after `after`, in a store that is at `newest`.
    pub(crate) fn new(after: Revision, newest: Revision) -> Self {
        let unread = if after < newest { after.next().0 } else { NOTHING };
        Self { after, unread: AtomicU64::new(unread), wake: Notify::new() }
    }

    pub(crate) fn after(&self) -> Revision {
        self.after
    }

    /// Where to go on reading; `None` when nothing that concerns the watcher is unread.
    pub(crate) fn unread(&self) -> Option<Revision> {
        Some(Revision(self.unread.load(Ordering::Relaxed))).filter(|unread| unread.0 != NOTHING)
    }

    /// Moves the cursor; `None` when everything is read.
    pub(crate) fn set_unread(&self, unread: Option<Revision>) {
        self.unread.store(unread.map_or(NOTHING, |unread| unread.0), Ordering::Relaxed);
    }

    /// Notes an event for the watcher. True when the watcher had nothing to read before and must be woken.
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

    /// Waits for [`Slot::wake`]. A wake that came before is not lost.
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

    /// Notes an event of `key` for the watchers it concerns, and adds those that must be woken to `woken`: the narrowest
    /// interest first, and of equal ones the latest. Those that watch everything from the start keep house; somebody
    /// waits for what those do that came later, and on a busy machine the first one is ahead of the others.
    ///
    /// # Cost
    /// One map look-up per prefix that matches, plus one per place where the registered prefixes leave the key.
    pub(crate) fn note(&self, key: &str, revision: Revision, woken: &mut Vec<Arc<Slot>>) {
        let key = key.as_bytes();
        let mut below = Bound::Included(key);
        // Every prefix of the key sorts at or before it, shorter ones first. The greatest entry below the bound
        // either is a prefix, or shows how much of the key any remaining prefix can cover at most.
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
