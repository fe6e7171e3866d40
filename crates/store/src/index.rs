//! The current values in key order, with constant-time snapshots.
//!
//! Keys are in sorted leaves below one sorted list of leaves; both are copied on write. A snapshot is a pointer; the writer
//! copies only the leaf that it changes, and only if a snapshot holds it. A list of any length never blocks a write, and
//! counting the rest of a list costs one step per leaf.

use std::sync::Arc;

use crate::versioned::Versioned;

/// Values in a leaf before it splits. Copying a leaf takes about a microsecond.
const MAX_LEAF_LEN: usize = 128;

type Leaf<P> = Vec<Versioned<P>>;

/// An ordered map from key to [`Versioned`]; cloning it takes a snapshot.
pub(crate) struct Index<P> {
    /// Never holds an empty leaf.
    leaves: Arc<Vec<Arc<Leaf<P>>>>,
}

impl<P> Clone for Index<P> {
    fn clone(&self) -> Self {
        Self { leaves: Arc::clone(&self.leaves) }
    }
}

/// A position between two values: before `leaves[leaf][slot]`, or the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    leaf: usize,
    slot: usize,
}

impl<P> Index<P> {
    pub(crate) fn new() -> Self {
        Self { leaves: Arc::new(Vec::new()) }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Versioned<P>> {
        let leaf = self.leaves.get(self.leaf_of(key))?;
        leaf.binary_search_by(|value| (*value.key).cmp(key)).ok().map(|slot| &leaf[slot])
    }

    /// Inserts or replaces the value of its key.
    pub(crate) fn put(&mut self, value: Versioned<P>) {
        let at = self.leaf_of(&value.key);
        let leaves = Arc::make_mut(&mut self.leaves);
        let Some(leaf) = leaves.get_mut(at) else {
            leaves.push(Arc::new(vec![value]));
            return;
        };
        let leaf = Arc::make_mut(leaf);
        match leaf.binary_search_by(|other| other.key.cmp(&value.key)) {
            Ok(slot) => leaf[slot] = value,
            Err(slot) => leaf.insert(slot, value),
        }
        if leaf.len() > MAX_LEAF_LEN {
            // Keys often arrive in order: a split at the end keeps such leaves full.
            let cut = if at + 1 == leaves.len() { MAX_LEAF_LEN } else { MAX_LEAF_LEN / 2 };
            let upper = Arc::make_mut(&mut leaves[at]).split_off(cut);
            leaves.insert(at + 1, Arc::new(upper));
        }
    }

    pub(crate) fn remove(&mut self, key: &str) {
        let at = self.leaf_of(key);
        let leaves = Arc::make_mut(&mut self.leaves);
        let Some(leaf) = leaves.get_mut(at) else { return };
        let leaf = Arc::make_mut(leaf);
        if let Ok(slot) = leaf.binary_search_by(|value| (*value.key).cmp(key)) {
            leaf.remove(slot);
        }
        if leaf.is_empty() {
            leaves.remove(at);
        } else if at + 1 < leaves.len() && leaves[at].len() + leaves[at + 1].len() <= MAX_LEAF_LEN / 2 {
            let upper = leaves.remove(at + 1);
            Arc::make_mut(&mut leaves[at]).extend(upper.iter().cloned());
        }
    }

    /// The position of the first key for which `is_before` is false. It must be true for a prefix of the sorted keys.
    pub(crate) fn position(&self, is_before: impl Fn(&str) -> bool) -> Position {
        let leaf = self.leaves.partition_point(|leaf| is_before(&leaf[0].key)).saturating_sub(1);
        let slot = self.leaves.get(leaf).map_or(0, |values| values.partition_point(|v| is_before(&v.key)));
        Position { leaf, slot }
    }

    /// The values between two positions, in key order. `to` must not be before `from`.
    pub(crate) fn between(&self, from: Position, to: Position) -> impl Iterator<Item = &Versioned<P>> {
        let leaves = self.leaves.get(from.leaf..=to.leaf).unwrap_or_default();
        leaves.iter().enumerate().flat_map(move |(offset, leaf)| {
            let start = if offset == 0 { from.slot } else { 0 };
            let end = if from.leaf + offset == to.leaf { to.slot } else { leaf.len() };
            leaf.get(start..end).unwrap_or_default()
        })
    }

    /// Number of values between two positions. Costs one step per leaf.
    pub(crate) fn distance(&self, from: Position, to: Position) -> usize {
        let leaves = self.leaves.get(from.leaf..to.leaf).unwrap_or_default();
        leaves.iter().map(|leaf| leaf.len()).sum::<usize>() + to.slot - from.slot
    }

    /// The number of values, at the cost of one step per leaf.
    pub(crate) fn len(&self) -> usize {
        self.leaves.iter().map(|leaf| leaf.len()).sum()
    }

    /// The leaf that holds the key, or would hold it.
    fn leaf_of(&self, key: &str) -> usize {
        self.leaves.partition_point(|leaf| &*leaf[0].key <= key).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests;
