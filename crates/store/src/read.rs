//! Ranges of keys, now or at a revision the history still covers.
//!
//! A range copies pointers out of an immutable snapshot. An older revision is read by undoing the events since: the
//! value of a key back then is what the first event afterwards replaced.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::sync::Arc;

use crate::index::{Index, Position};
use crate::state::Shared;
use crate::versioned::{Payload, Revision, Versioned};

/// Events looked at before the lock is let go for writers.
const SLICE: usize = 2048;

/// Which keys to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Keys that start with this; empty for all.
    pub prefix: String,
    /// Only keys greater than this full key.
    pub start_after: Option<String>,
    /// At most this many; 0 for all.
    pub limit: usize,
    /// The state right after this revision; `None` for the newest.
    pub at: Option<Revision>,
}

impl Query {
    /// Everything below a prefix, now.
    pub fn prefix(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..Self::default() }
    }
}

/// The answer to a [`Query`].
#[derive(Debug, Clone)]
pub struct Page<P> {
    /// In key order, bytewise.
    pub items: Vec<Versioned<P>>,
    /// The revision the items were read at.
    pub revision: Revision,
    /// How many more keys the query would have matched without its limit.
    pub remaining: usize,
}

/// Why history cannot answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The history since then is gone: list anew.
    #[error("revision {asked} was compacted, oldest kept is {oldest}")]
    Compacted {
        /// The revision asked for.
        asked: Revision,
        /// The oldest that would have been answered.
        oldest: Revision,
    },

    /// No write has that revision yet.
    #[error("revision {asked} is in the future, newest is {newest}")]
    Future {
        /// The revision asked for.
        asked: Revision,
        /// The newest committed.
        newest: Revision,
    },
}

impl<P: Payload> Shared<P> {
    pub(crate) fn range(&self, query: &Query) -> Result<Page<P>, ReadError> {
        let state = self.state.read();
        let (index, newest, oldest) = (state.index.clone(), state.revision, state.oldest());
        drop(state);
        let at = query.at.unwrap_or(newest);
        if at > newest {
            return Err(ReadError::Future { asked: at, newest });
        }
        if at < oldest {
            return Err(ReadError::Compacted { asked: at, oldest });
        }
        let undone = self.changes_since(at, newest, query)?;
        let start = query.start_after.as_deref().filter(|start| *start >= query.prefix.as_str());
        let from = match start {
            Some(start) => index.position(|key| key <= start),
            None => index.position(|key| key < query.prefix.as_str()),
        };
        let to = index.position(|key| key < query.prefix.as_str() || key.starts_with(&query.prefix));
        let from = from.min(to);
        let limit = if query.limit == 0 { usize::MAX } else { query.limit };
        let (items, remaining) = if undone.is_empty() {
            newest_page(&index, from, to, limit)
        } else {
            old_page(index.between(from, to), &undone, limit)
        };
        Ok(Page { items, revision: at, remaining })
    }

    /// The keys that the query matches and that changed after `at`, with their values at `at`.
    fn changes_since(&self, at: Revision, newest: Revision, query: &Query) -> Result<Undone<P>, ReadError> {
        let mut undone = Undone::new();
        let mut seen = at;
        while seen < newest {
            let state = self.state.read();
            let Some(events) = state.tail.after(seen) else {
                return Err(ReadError::Compacted { asked: at, oldest: state.oldest() });
            };
            for event in events.take(SLICE).take_while(|event| event.revision <= newest) {
                seen = event.revision;
                let is_after = query.start_after.as_deref().is_none_or(|start| &*event.key > start);
                if is_after && event.key.starts_with(&query.prefix) {
                    undone.entry(Arc::clone(&event.key)).or_insert_with(|| event.previous.clone());
                }
            }
        }
        Ok(undone)
    }
}

/// Values at an older revision of the keys that changed since; `None` for a key that did not exist.
type Undone<P> = BTreeMap<Arc<str>, Option<Versioned<P>>>;

fn newest_page<P>(
    index: &Index<P>,
    from: Position,
    to: Position,
    limit: usize,
) -> (Vec<Versioned<P>>, usize) {
    let total = index.distance(from, to);
    let mut items = Vec::with_capacity(limit.min(total));
    items.extend(index.between(from, to).take(limit).cloned());
    (items, total.saturating_sub(limit))
}

/// Merges the unchanged values of the index with the old values of the changed keys.
fn old_page<'a, P: 'a>(
    newest: impl Iterator<Item = &'a Versioned<P>>,
    undone: &'a Undone<P>,
    limit: usize,
) -> (Vec<Versioned<P>>, usize) {
    let unchanged = newest.filter(|value| !undone.contains_key(&value.key)).peekable();
    let changed = undone.values().flatten().peekable();
    let mut merged = Merged { unchanged, changed };
    let items = merged.by_ref().take(limit).cloned().collect();
    (items, merged.count())
}

/// Two sequences in key order without a key in common, as one.
struct Merged<A: Iterator, B: Iterator> {
    unchanged: Peekable<A>,
    changed: Peekable<B>,
}

impl<'a, P: 'a, A, B> Iterator for Merged<A, B>
where
    A: Iterator<Item = &'a Versioned<P>>,
    B: Iterator<Item = &'a Versioned<P>>,
{
    type Item = &'a Versioned<P>;

    fn next(&mut self) -> Option<Self::Item> {
        match (self.unchanged.peek(), self.changed.peek()) {
            (Some(unchanged), Some(changed)) if changed.key < unchanged.key => self.changed.next(),
            (None, _) => self.changed.next(),
            (Some(_), _) => self.unchanged.next(),
        }
    }
}
