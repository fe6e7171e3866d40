//! State of a cache: objects, indexes, observers, and contact with the server.
//!
//! The reflector writes it, and [`Cache::written`](super::Cache::written), both through `changes`.

mod changes;

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use portolan_object::ObjectKey;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::cache::announcing::{Announcing, Observer, number};
use crate::cache::compact::{Codec, Kept};
use crate::cache::contact::{Contact, Refusal};
use crate::cache::entries::CacheState;
use crate::cache::{Change, IndexBy, Trim, Trouble};
use crate::limits::Ledger;
use crate::metrics::{CacheReader, CacheStatus};

/// State shared by readers, observers and the reflector.
pub(super) struct SharedCache<T> {
    state: RwLock<CacheState<T>>,
    /// Held while a change is applied and announced, so that a new observer sees each change exactly once.
    announcing: Mutex<Announcing<T>>,
    contact: Mutex<Contact>,
    /// Cuts the reflector's back-off short.
    retry: Notify,
    trim: Option<Trim<T>>,
    weigh: Option<Weigh<T>>,
    /// Of a compact cache.
    codec: Option<Codec<T>>,
}

/// Counts the memory of the objects in a budget.
pub(super) struct Weigh<T> {
    pub(super) ledger: Ledger,
    pub(super) memory_of: fn(&T) -> u64,
}

/// An object of a list as it is stored, and its estimated memory in bytes; 0 if it is not counted.
pub(super) struct Stored<T> {
    pub(super) object: Kept<T>,
    pub(super) bytes: u64,
    /// Its index keys, for each index that the cache had when the object came.
    pub(super) index_keys: Vec<Vec<String>>,
}

/// The objects of a list, with their versions; 0 for one that is no number. `None` for an object that the cache has.
pub(super) type Listed<T> = Vec<(ObjectKey, u64, Option<Stored<T>>)>;

impl<T> SharedCache<T> {
    pub(super) fn new(
        indexes: Vec<(&'static str, IndexBy<T>)>,
        trim: Option<Trim<T>>,
        weigh: Option<Weigh<T>>,
        codec: Option<Codec<T>>,
    ) -> Self {
        let state = CacheState::new(indexes);
        Self {
            state: RwLock::new(state),
            announcing: Mutex::new(Announcing::new()),
            contact: Mutex::new(Contact::new(Instant::now())),
            retry: Notify::new(),
            trim,
            weigh,
            codec,
        }
    }

    pub(super) fn read<R>(&self, read: impl FnOnce(&CacheState<T>) -> R) -> R {
        read(&self.state.read())
    }

    /// Gets one object, decoded.
    pub(super) fn get(&self, key: &ObjectKey) -> Option<Arc<T>> {
        let kept = self.read(|state| state.objects.get(key).map(|entry| entry.object.clone()));
        kept.map(|kept| self.decoded(&kept))
    }

    /// Gets the objects that `find` takes out of the state, decoded after the state is released.
    pub(super) fn get_all(&self, find: impl FnOnce(&CacheState<T>) -> Vec<Kept<T>>) -> Vec<Arc<T>> {
        self.read(find).iter().map(|kept| self.decoded(kept)).collect()
    }

    fn decoded(&self, kept: &Kept<T>) -> Arc<T> {
        match (kept, &self.codec) {
            (Kept::Decoded(object), _) => object.clone(),
            (Kept::Encoded(text), Some(codec)) => Arc::new(codec.read(text)),
            (Kept::Packed(packed), Some(codec)) => Arc::new(codec.read(&packed.unpack())),
            (Kept::Shared(object), Some(codec)) => self.trimmed(codec.read_shared(&**object)),
            (Kept::Encoded(_) | Kept::Packed(_) | Kept::Shared(_), None) => {
                unreachable!("only a codec encodes")
            }
        }
    }

    /// Drops the fields that are not stored.
    fn trimmed(&self, mut object: T) -> Arc<T> {
        if let Some(trim) = &self.trim {
            trim(&mut object);
        }
        Arc::new(object)
    }

    pub(super) fn add_index(&self, name: &'static str, values: IndexBy<T>) {
        self.state.write().add_index(name, values, |kept| self.decoded(kept));
    }

    /// Whether the cache has the object at this version.
    pub(super) fn has_version(&self, key: &ObjectKey, version: &str) -> bool {
        let known = self.read(|state| state.objects.get(key).map_or(0, |entry| entry.version));
        known > 0 && number(version) == Some(known)
    }

    /// Forgets the versions of all objects, after which [`SharedCache::has_version`] is false.
    pub(super) fn forget_versions(&self) {
        self.state.write().objects.values_mut().for_each(|entry| entry.version = 0);
    }

    /// The version up to which the watch has delivered all changes.
    pub(super) fn version(&self) -> Option<u64> {
        Some(self.announcing.lock().newest).filter(|&version| version > 0)
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.contact.lock().trouble.clone()
    }

    /// Notes that the watch works. True when readers saw trouble before.
    pub(super) fn contact(&self) -> bool {
        self.contact.lock().heard(Instant::now())
    }

    /// Notes that the whole collection was read.
    pub(super) fn listed(&self) {
        self.contact.lock().listed(Instant::now());
    }

    /// Notes that a request failed. Readers see the trouble if `is_visible`.
    pub(super) fn failed(&self, reason: String, refusal: Option<Refusal>, is_visible: bool) {
        self.contact.lock().failed(Instant::now(), reason, refusal, is_visible);
    }

    /// Wakes [`SharedCache::retried`], if the reflector waits there.
    pub(super) fn retry(&self) {
        self.retry.notify_waiters();
    }

    /// Waits for [`SharedCache::retry`].
    pub(super) async fn retried(&self) {
        self.retry.notified().await;
    }

    /// Calls `observer` for each present object, and then for each change.
    pub(super) fn observe(&self, observer: Observer<T>) {
        let mut announcing = self.announcing.lock();
        let present: Vec<_> = self.read(|state| {
            let entries = state.objects.iter();
            entries.map(|(key, entry)| (ObjectKey::clone(key), entry.object.clone())).collect()
        });
        for (key, object) in present {
            observer(&Change { key, old: None, new: Some(self.decoded(&object)), is_own: false });
        }
        announcing.observers.push(observer);
    }

    /// Calls `observer` for each later change.
    pub(super) fn observe_changes(&self, observer: Observer<T>) {
        self.announcing.lock().observers.push(observer);
    }
}

impl<T: Send + Sync> CacheReader for SharedCache<T> {
    fn status(&self) -> CacheStatus {
        let contact = self.contact.lock();
        CacheStatus {
            objects: self.read(|state| state.objects.len()),
            age: contact.last.elapsed(),
            is_failing: contact.trouble.is_some(),
            failures: contact.failures,
            lists: contact.lists,
        }
    }
}

#[cfg(test)]
mod tests;
