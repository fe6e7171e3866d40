//! The current values in key order, with constant-time snapshots.
//!
//! Keys live in sorted leaves below one sorted list of leaves, both shared until written to. A snapshot is a pointer;
//! the writer copies only the leaf it changes, and only while some snapshot still holds it. So a list of any length
//! never blocks a write, and counting the rest of a list costs one step per leaf.

use std::sync::Arc;

use crate::versioned::Versioned;

/// A leaf splits in two when it grows beyond this. Copying one costs about a microsecond.
const LEAF: usize = 128;

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

/// A place between two values: before `leaves[leaf][slot]`, or the end.
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
        if leaf.len() > LEAF {
            // Keys often arrive in order: a split at the end keeps such leaves full.
            let cut = if at + 1 == leaves.len() { LEAF } else { LEAF / 2 };
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
        } else if at + 1 < leaves.len() && leaves[at].len() + leaves[at + 1].len() <= LEAF / 2 {
            let upper = leaves.remove(at + 1);
            Arc::make_mut(&mut leaves[at]).extend(upper.iter().cloned());
        }
    }

    /// The place of the first key for which `is_before` does not hold; it must hold for a leading part of the keys.
    pub(crate) fn position(&self, is_before: impl Fn(&str) -> bool) -> Position {
        let leaf = self.leaves.partition_point(|leaf| is_before(&leaf[0].key)).saturating_sub(1);
        let slot = self.leaves.get(leaf).map_or(0, |values| values.partition_point(|v| is_before(&v.key)));
        Position { leaf, slot }
    }

    /// The values from one place to another one not before it, in key order.
    pub(crate) fn between(&self, from: Position, to: Position) -> impl Iterator<Item = &Versioned<P>> {
        let leaves = self.leaves.get(from.leaf..=to.leaf).unwrap_or_default();
        leaves.iter().enumerate().flat_map(move |(offset, leaf)| {
            let start = if offset == 0 { from.slot } else { 0 };
            let end = if from.leaf + offset == to.leaf { to.slot } else { leaf.len() };
            leaf.get(start..end).unwrap_or_default()
        })
    }

    /// How many values lie from one place to another one not before it, at the cost of one step per leaf.
    pub(crate) fn distance(&self, from: Position, to: Position) -> usize {
        let leaves = self.leaves.get(from.leaf..to.leaf).unwrap_or_default();
        leaves.iter().map(|leaf| leaf.len()).sum::<usize>() + to.slot - from.slot
    }

    /// The number of values, at the cost of one step per leaf.
    pub(crate) fn len(&self) -> usize {
        self.leaves.iter().map(|leaf| leaf.len()).sum()
    }

    /// The leaf that holds the key, or would.
    fn leaf_of(&self, key: &str) -> usize {
        self.leaves.partition_point(|leaf| &*leaf[0].key <= key).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests;
