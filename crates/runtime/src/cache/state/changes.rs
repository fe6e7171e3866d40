//! Changes of a cache: from the watch, from lists, and from own writes.
//!
//! They are applied first and announced second, so that an observer that reads the cache sees the change or a later one.

use std::collections::BTreeSet;
use std::sync::Arc;

use portolan_object::ObjectKey;

use super::{Listed, SharedCache, Stored};
use crate::cache::Change;
use crate::cache::announcing::number;
use crate::cache::compact::Kept;
use crate::cache::entries::{CacheState, Entry};
use crate::limits::Excess;

/// Where the state of an object comes from.
struct Written {
    /// 0 if it is no number.
    version: u64,
    /// In the budget.
    bytes: u64,
    is_own: bool,
}

impl<T> SharedCache<T> {
    /// Prepares an object of a list: trimmed, weighed, and encoded in a compact cache.
    pub(in crate::cache) fn prepare(&self, key: &ObjectKey, version: u64, object: T) -> Stored<T> {
        let object = self.trimmed(object);
        let index_keys = self.read(|state| state.index_keys(key, &object));
        let object = match &self.codec {
            Some(codec) => codec.keep(key, version, object),
            None => Kept::Decoded(object),
        };
        Stored { bytes: self.weight(&object), object, index_keys }
    }

    /// Estimated memory in bytes; 0 if it is not counted.
    fn weight(&self, object: &Kept<T>) -> u64 {
        match (&self.weigh, object) {
            (None, _) => 0,
            (Some(weigh), Kept::Decoded(object)) => (weigh.memory_of)(object),
            (Some(_), Kept::Encoded(text)) => text.len() as u64,
            // The server in this process keeps it.
            (Some(_), Kept::Shared(_)) => 0,
        }
    }

    /// Counts an object in the budget in place of `before`, whether it fits or not.
    fn count(&self, key: &ObjectKey, before: Option<u64>, bytes: u64) {
        if let Some(weigh) = &self.weigh {
            weigh.ledger.force(key, before, bytes);
        }
    }

    fn forget(&self, key: &ObjectKey, bytes: u64) {
        if let Some(weigh) = &self.weigh {
            weigh.ledger.remove(key, bytes);
        }
    }

    /// What the cache has of an object: its content, and its bytes in the budget.
    fn present(&self, key: &ObjectKey) -> Option<(Arc<T>, u64)> {
        let entry =
            self.read(|state| state.objects.get(key).map(|entry| (entry.object.clone(), entry.bytes)));
        entry.map(|(kept, bytes)| (self.decoded(&kept), bytes))
    }

    /// Adds or replaces an object, and encodes those that are not recent any more. Returns the change.
    fn set(&self, key: ObjectKey, object: Arc<T>, old: Option<Arc<T>>, written: Written) -> Change<T> {
        let Written { version, bytes, is_own } = written;
        // The budget has weighed it already, if there is one.
        let weighed = (bytes > 0).then_some(bytes);
        let decoded_bytes =
            self.codec.as_ref().map(|codec| weighed.unwrap_or_else(|| codec.memory_of(&object)));
        let mut state = self.state.write();
        let change = decoded_bytes.map_or(0, |bytes| state.recent.note(&key, bytes));
        let entry = Entry { object: Kept::Decoded(object.clone()), version, bytes, change };
        state.objects.insert(key.clone(), entry);
        state.replace_in_indexes(&key, old.as_deref(), Some(&object));
        let aged: Vec<_> = std::iter::from_fn(|| state.recent.take_old()).collect();
        drop(state);
        for (aged, change) in aged {
            self.compact(&aged, change);
        }
        Change { key, old, new: Some(object), is_own }
    }

    /// Encodes an object unless it has changed since `change`. Readers do not wait for that; no change comes in between,
    /// because the caller holds `announcing`.
    fn compact(&self, key: &ObjectKey, change: u64) {
        let Some(codec) = &self.codec else { return };
        let found = self.read(|state| {
            let entry = state.objects.get(key).filter(|entry| entry.change == change)?;
            Some((entry.object.clone(), entry.version))
        });
        let Some((Kept::Decoded(object), version)) = found else { return };
        let mut kept = codec.keep(key, version, object);
        if kept.is_decoded() {
            return;
        }
        let mut bytes = self.weight(&kept);
        if let Some(entry) = self.state.write().objects.get_mut(key) {
            std::mem::swap(&mut entry.bytes, &mut bytes);
            std::mem::swap(&mut entry.object, &mut kept);
            self.count(key, Some(bytes), entry.bytes);
        }
    }

    /// Adds or replaces an object from the watch.
    ///
    /// # Errors
    /// If the budget does not allow it; the cache then stays as it is.
    pub(in crate::cache) fn put(&self, key: ObjectKey, version: &str, object: T) -> Result<(), Excess> {
        let object = self.trimmed(object);
        let bytes = self.weight(&Kept::Decoded(object.clone()));
        let mut announcing = self.announcing.lock();
        if announcing.is_new(&key, version) {
            let (old, before) = self.present(&key).unzip();
            if let Some(weigh) = &self.weigh {
                weigh.ledger.put(&key, before, bytes)?;
            }
            let written = Written { version: number(version).unwrap_or_default(), bytes, is_own: false };
            announcing.announce(&self.set(key, object, old, written));
        }
        Ok(())
    }

    /// Removes an object that the watch reports as deleted; `last` is its last state.
    pub(in crate::cache) fn remove(&self, key: ObjectKey, version: &str, last: T) {
        let last = self.trimmed(last);
        let mut announcing = self.announcing.lock();
        if announcing.is_new(&key, version)
            && let Some((old, bytes)) = self.present(&key)
        {
            {
                let mut state = self.state.write();
                state.objects.remove(&key);
                state.replace_in_indexes(&key, Some(&old), None);
            }
            self.forget(&key, bytes);
            announcing.announce(&Change { key, old: Some(last), new: None, is_own: false });
        }
    }

    /// Adds or replaces an object from the answer to our own write. Ignored if the watch has reached its version: the object
    /// is then in the cache, or has been deleted since.
    pub(in crate::cache) fn put_own(&self, key: ObjectKey, version: &str, object: T) {
        let Some(version) = number(version) else { return };
        let object = self.trimmed(object);
        let bytes = self.weight(&Kept::Decoded(object.clone()));
        let mut announcing = self.announcing.lock();
        let known = announcing.ahead.get(&key).copied().unwrap_or_default().max(announcing.newest);
        if announcing.newest == 0 || version <= known {
            return;
        }
        announcing.ahead.insert(key.clone(), version);
        let (old, before) = self.present(&key).unzip();
        self.count(&key, before, bytes);
        announcing.announce(&self.set(key, object, old, Written { version, bytes, is_own: true }));
    }

    /// Whether the cache has this version or a later one from our own write, ahead of the watch.
    pub(in crate::cache) fn is_known(&self, key: &ObjectKey, version: &str) -> bool {
        let own = self.announcing.lock().ahead.get(key).copied();
        own.is_some_and(|own| number(version).is_some_and(|version| version <= own))
    }

    /// Notes that the watch delivered a version for which [`SharedCache::is_known`] holds.
    pub(in crate::cache) fn confirm(&self, key: &ObjectKey, version: &str) {
        self.announcing.lock().is_new(key, version);
    }

    /// Replaces all objects and announces the differences. An object without a content has the same version as before;
    /// `applied` is called between the change and its announcement.
    pub(in crate::cache) fn replace(&self, listed: Listed<T>, version: &str, applied: impl FnOnce()) {
        let mut announcing = self.announcing.lock();
        // The watch after the list delivers own writes that the list does not contain.
        announcing.ahead.clear();
        announcing.newest = number(version).unwrap_or_default();
        let mut changes = Vec::new();
        {
            let mut state = self.state.write();
            let mut gone: BTreeSet<ObjectKey> = state.objects.keys().cloned().collect();
            for (key, version, stored) in listed {
                gone.remove(&key);
                let Some(Stored { object, bytes, index_keys }) = stored else { continue };
                let entry = Entry { object: object.clone(), version, bytes, change: 0 };
                let (old, before) =
                    state.objects.insert(key.clone(), entry).map(|old| (old.object, old.bytes)).unzip();
                self.count(&key, before, bytes);
                // An index may have been added since the list began.
                let index_keys = match index_keys.len() == state.index_count() {
                    true => index_keys,
                    false => state.index_keys(&key, &self.decoded(&object)),
                };
                self.reindex(&mut state, &key, old.as_ref(), index_keys);
                changes.push((key, old, Some(object)));
            }
            for key in gone {
                let Some(Entry { object: old, bytes, .. }) = state.objects.remove(&key) else { continue };
                self.forget(&key, bytes);
                self.reindex(&mut state, &key, Some(&old), Vec::new());
                changes.push((key, Some(old), None));
            }
        }
        applied();
        for (key, old, new) in changes {
            if announcing.observers.is_empty() {
                break;
            }
            let decoded = |kept: Option<Kept<T>>| kept.map(|kept| self.decoded(&kept));
            announcing.announce(&Change { key, old: decoded(old), new: decoded(new), is_own: false });
        }
    }

    /// Replaces the index keys of `old` by `new`, one list for each index; none for an object that is gone.
    fn reindex(
        &self,
        state: &mut CacheState<T>,
        key: &ObjectKey,
        old: Option<&Kept<T>>,
        new: Vec<Vec<String>>,
    ) {
        if state.index_count() > 0 {
            let old = old.map(|old| self.decoded(old));
            state.set_index_keys(key, old.as_deref(), new);
        }
    }
}
