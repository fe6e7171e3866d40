//! An ordered set of keys. Most sets of an index have one or two, and some have all.

use std::collections::BTreeSet;
use std::collections::btree_set;
use std::slice;
use std::sync::Arc;

use portolan_object::ObjectKey;

/// Keys in a sorted list. A node of a `BTreeSet` has room for eleven, which takes half a KiB.
const MAX_LIST: usize = 32;

/// The keys are shared with the cache and its other indexes.
#[derive(Debug)]
pub(super) enum KeySet {
    List(Vec<Arc<ObjectKey>>),
    Tree(BTreeSet<Arc<ObjectKey>>),
}

impl Default for KeySet {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl KeySet {
    pub(super) fn insert(&mut self, key: Arc<ObjectKey>) {
        match self {
            Self::List(keys) => {
                let Err(position) = keys.binary_search(&key) else { return };
                if keys.len() == MAX_LIST {
                    let keys = std::mem::take(keys).into_iter().chain([key]);
                    *self = Self::Tree(keys.collect());
                } else {
                    keys.reserve_exact(1);
                    keys.insert(position, key);
                }
            }
            Self::Tree(keys) => {
                keys.insert(key);
            }
        }
    }

    pub(super) fn remove(&mut self, key: &ObjectKey) {
        match self {
            Self::List(keys) => {
                if let Ok(position) = keys.binary_search_by(|other| (**other).cmp(key)) {
                    keys.remove(position);
                }
            }
            Self::Tree(keys) => {
                keys.remove(key);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::List(keys) => keys.len(),
            Self::Tree(keys) => keys.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys in order.
    pub(super) fn iter(&self) -> Iter<'_> {
        match self {
            Self::List(keys) => Iter::List(keys.iter()),
            Self::Tree(keys) => Iter::Tree(keys.iter()),
        }
    }
}

pub(super) enum Iter<'a> {
    List(slice::Iter<'a, Arc<ObjectKey>>),
    Tree(btree_set::Iter<'a, Arc<ObjectKey>>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a ObjectKey;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::List(keys) => keys.next().map(|key| &**key),
            Self::Tree(keys) => keys.next().map(|key| &**key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_in_order_at_any_size() {
        let key = |number: usize| Arc::new(ObjectKey::cluster(format!("{number:03}")));
        let mut set = KeySet::default();
        let numbers: Vec<usize> = (0..100).map(|index| index * 37 % 100).collect();
        for (count, &number) in numbers.iter().enumerate() {
            set.insert(key(number));
            set.insert(key(number));
            assert_eq!(set.len(), count + 1);
            assert!(set.iter().is_sorted(), "{count}");
        }
        for (removed, &number) in numbers.iter().enumerate() {
            set.remove(&key(number));
            set.remove(&key(number));
            assert_eq!(set.iter().count(), 99 - removed);
        }
        assert!(set.is_empty());
    }
}
