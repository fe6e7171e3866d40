//! The objects of a cache by key, and its indexes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use portolan_object::ObjectKey;

use crate::cache::IndexBy;
use crate::cache::compact::{Kept, Recent};
use crate::cache::key_set::KeySet;

/// What readers of a cache see.
pub(super) struct CacheState<T> {
    /// The indexes share the keys.
    pub(super) objects: BTreeMap<Arc<ObjectKey>, Entry<T>>,
    indexes: Vec<Index<T>>,
    /// Of a compact cache.
    pub(super) recent: Recent,
}

/// An object with its version.
pub(super) struct Entry<T> {
    pub(super) object: Kept<T>,
    /// 0 if it is unknown or no number.
    pub(super) version: u64,
    /// Its estimated memory in the budget; 0 if it is not counted.
    pub(super) bytes: u64,
    /// Number of the change that made it decoded, in [`Recent`]; 0 in other caches.
    pub(super) change: u64,
}

struct Index<T> {
    name: &'static str,
    values: IndexBy<T>,
    keys: HashMap<String, KeySet>,
}

impl<T> CacheState<T> {
    pub(super) fn new(indexes: Vec<(&'static str, IndexBy<T>)>) -> Self {
        let indexes = indexes.into_iter().map(|(name, values)| Index { name, values, keys: HashMap::new() });
        Self { objects: BTreeMap::new(), indexes: indexes.collect(), recent: Recent::default() }
    }

    /// The key as the cache has it, or a new one.
    pub(super) fn shared_key(&self, key: &ObjectKey) -> Arc<ObjectKey> {
        let known = self.objects.get_key_value(key).map(|(key, _)| key.clone());
        known.unwrap_or_else(|| Arc::new(key.clone()))
    }

    pub(super) fn index_count(&self) -> usize {
        self.indexes.len()
    }

    /// The index keys of an object, for each index.
    pub(super) fn index_keys(&self, key: &ObjectKey, object: &T) -> Vec<Vec<String>> {
        self.indexes.iter().map(|index| (index.values)(key, object)).collect()
    }

    /// The keys with the index key `value`, in order.
    pub(super) fn indexed(&self, index: &str, value: &str) -> impl Iterator<Item = &ObjectKey> {
        self.key_set(index, value).into_iter().flat_map(KeySet::iter)
    }

    /// The number of objects with the index key `value`.
    pub(super) fn count(&self, index: &str, value: &str) -> usize {
        self.key_set(index, value).map_or(0, KeySet::len)
    }

    fn key_set(&self, index: &str, value: &str) -> Option<&KeySet> {
        let found = self.indexes.iter().find(|candidate| candidate.name == index);
        found.and_then(|index| index.keys.get(value))
    }

    /// Adds an index, unless one of this name exists.
    pub(super) fn add_index(
        &mut self,
        name: &'static str,
        values: IndexBy<T>,
        read: impl Fn(&Kept<T>) -> Arc<T>,
    ) {
        if self.indexes.iter().any(|index| index.name == name) {
            return;
        }
        let mut index = Index { name, values, keys: HashMap::new() };
        for (key, entry) in &self.objects {
            let found = (index.values)(key, &read(&entry.object));
            index.replace(key, Vec::new(), found);
        }
        self.indexes.push(index);
    }

    /// Replaces `old` by `new` in the indexes.
    pub(super) fn replace_in_indexes(&mut self, key: &Arc<ObjectKey>, old: Option<&T>, new: Option<&T>) {
        let new = new.map(|new| self.index_keys(key, new)).unwrap_or_default();
        self.set_index_keys(key, old, new);
    }

    /// Replaces the index keys of `old` by `new`, one list for each index; none for an object that is gone.
    pub(super) fn set_index_keys(&mut self, key: &Arc<ObjectKey>, old: Option<&T>, new: Vec<Vec<String>>) {
        let mut new = new.into_iter();
        for index in &mut self.indexes {
            let before = old.map(|old| (index.values)(key, old)).unwrap_or_default();
            index.replace(key, before, new.next().unwrap_or_default());
        }
    }
}

impl<T> Index<T> {
    fn replace(&mut self, key: &Arc<ObjectKey>, before: Vec<String>, after: Vec<String>) {
        if before == after {
            return;
        }
        for value in before {
            if let Some(keys) = self.keys.get_mut(&value) {
                keys.remove(key);
                if keys.is_empty() {
                    self.keys.remove(&value);
                }
            }
        }
        for value in after {
            self.keys.entry(value).or_default().insert(key.clone());
        }
    }
}
