//! Announces changes to observers, and knows which of them came from own writes ahead of the watch.

use std::collections::HashMap;

use portolan_object::ObjectKey;

use crate::cache::Change;

/// Called for each change. Returns false to be removed.
pub(super) type Observer<T> = Box<dyn Fn(&Change<T>) -> bool + Send + Sync>;

pub(super) struct Announcing<T> {
    pub(super) observers: Vec<Observer<T>>,
    /// The watch has delivered all changes up to this version; 0 before the first list.
    pub(super) newest: u64,
    /// Versions of objects from [`Cache::written`](super::Cache::written) that the watch has not delivered yet.
    pub(super) ahead: HashMap<ObjectKey, u64>,
}

impl<T> Announcing<T> {
    pub(super) fn new() -> Self {
        Self { observers: Vec::new(), newest: 0, ahead: HashMap::new() }
    }

    pub(super) fn announce(&mut self, change: &Change<T>) {
        self.observers.retain(|observer| observer(change));
    }

    /// Notes that the watch has reached `version`. False if the state of `key` at this version is already in the cache,
    /// from our own write.
    pub(super) fn is_new(&mut self, key: &ObjectKey, version: &str) -> bool {
        let Some(version) = number(version) else { return true };
        self.newest = self.newest.max(version);
        match self.ahead.get(key) {
            Some(&own) if own > version => false,
            Some(&own) => {
                self.ahead.remove(key);
                own != version
            }
            None => true,
        }
    }
}

/// The version as a number. Versions of one resource are numbers that grow (KEP-5504). If a server's are not, results of
/// own writes are not inserted.
pub(super) fn number(version: &str) -> Option<u64> {
    version.parse().ok()
}
