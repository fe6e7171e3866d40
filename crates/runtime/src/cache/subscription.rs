//! Changes through a bounded buffer, for readers in other tasks.
//!
//! If the buffer is full, changes are dropped and the reader is told to compare with the whole cache, so that no change is
//! lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use crate::cache::Change;

/// An item of a subscription.
#[derive(Debug)]
pub enum Notice<T> {
    /// One object changed.
    Changed(Change<T>),
    /// Changes were dropped: compare with the present content of the cache.
    Relist,
}

/// The reading half.
#[derive(Debug)]
pub struct Subscription<T> {
    changes: mpsc::Receiver<Change<T>>,
    lagged: Arc<AtomicBool>,
}

/// The writing half, called by the cache.
pub(super) struct Sender<T> {
    changes: mpsc::Sender<Change<T>>,
    lagged: Arc<AtomicBool>,
}

pub(super) fn channel<T>(capacity: usize) -> (Sender<T>, Subscription<T>) {
    let (sender, changes) = mpsc::channel(capacity.max(1));
    let lagged = Arc::new(AtomicBool::new(false));
    (Sender { changes: sender, lagged: lagged.clone() }, Subscription { changes, lagged })
}

impl<T> Sender<T> {
    /// Returns false if the reader was dropped.
    pub(super) fn send(&self, change: &Change<T>) -> bool {
        match self.changes.try_send(change.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                // The reader sees the flag when it takes the next change out of the full buffer.
                self.lagged.store(true, Ordering::Release);
                true
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }
}

impl<T> Subscription<T> {
    /// Waits for the next notice; `None` after the cache was stopped.
    pub async fn next(&mut self) -> Option<Notice<T>> {
        if self.lagged.swap(false, Ordering::AcqRel) {
            return Some(Notice::Relist);
        }
        self.changes.recv().await.map(Notice::Changed)
    }
}

#[cfg(test)]
mod tests {
    use portolan_object::ObjectKey;

    use super::*;

    fn change(name: &str) -> Change<()> {
        Change { key: ObjectKey::cluster(name), old: None, new: None, is_own: false }
    }

    #[tokio::test]
    async fn a_reader_that_lags_is_told_to_relist() {
        let (sender, mut subscription) = channel(2);
        for name in ["a", "b", "c"] {
            assert!(sender.send(&change(name)));
        }
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(match subscription.next().await {
                Some(Notice::Changed(change)) => change.key.name,
                Some(Notice::Relist) => "relist".to_owned(),
                None => "end".to_owned(),
            });
        }
        assert_eq!(seen, ["relist", "a", "b"]);
        drop(subscription);
        assert!(!sender.send(&change("d")), "a reader that is gone is forgotten");
    }
}
