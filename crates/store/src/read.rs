//! Reads of key ranges, at the newest revision or at an older one within the history.
//!
//! A range copies pointers out of an immutable snapshot. A read at an older revision undoes the events since: the value of
//! a key at that revision is the previous value of the first event after it.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::sync::Arc;

use crate::index::{Index, Position};
use crate::state::SharedState;
use crate::versioned::{Payload, Revision, Versioned};

/// Events read under one lock, so that writers get their turn.
const MAX_EVENTS_PER_LOCK: usize = 2048;

/// Selects the keys of a read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Prefix of the keys; empty for all.
    pub prefix: String,
    /// Only keys greater than this one.
    pub start_after: Option<String>,
    /// Largest number of items; 0 for no limit.
    pub limit: usize,
    /// The state right after this revision; `None` for the newest.
    pub at: Option<Revision>,
}

impl Query {
    /// All keys with a prefix, at the newest revision.
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
    /// Matching keys beyond the limit.
    pub remaining: usize,
}

/// Why a read at a revision, or a watch from it, is not possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The history after the revision was dropped. List again.
    #[error("revision {asked} was compacted, oldest kept is {oldest}")]
    Compacted {
        /// The requested revision.
        asked: Revision,
        /// The oldest possible revision.
        oldest: Revision,
    },

    /// No write has reached the revision.
    #[error("revision {asked} is in the future, newest is {newest}")]
    Future {
        /// The requested revision.
        asked: Revision,
        /// The newest committed.
        newest: Revision,
    },
}

/// Whether the keys beyond the limit are counted, which costs a step for each when the read is at an older revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Counted,
    Unknown,
}

impl<P: Payload> SharedState<P> {
    pub(crate) fn range(&self, query: &Query) -> Result<Page<P>, ReadError> {
        self.read(query, Rest::Counted)
    }

    pub(crate) fn items(&self, query: &Query) -> Result<Vec<Versioned<P>>, ReadError> {
        self.read(query, Rest::Unknown).map(|page| page.items)
    }

    pub(crate) fn replaced(&self, after: Revision, to: Revision, limit: usize) -> (Vec<Arc<P>>, Revision) {
        let state = self.state.read();
        let mut last = after.max(state.oldest());
        let mut values = Vec::new();
        let events = state.tail.after(last).into_iter().flatten();
        for event in events.take(limit).take_while(|event| event.revision <= to) {
            last = event.revision;
            values.extend(event.previous.as_ref().map(|previous| Arc::clone(&previous.value)));
        }
        (values, last)
    }

    /// Number of keys with a prefix.
    pub(crate) fn count(&self, prefix: &str) -> usize {
        let index = self.state.read().index.clone();
        let from = index.position(|key| key < prefix);
        let to = index.position(|key| key < prefix || key.starts_with(prefix));
        index.distance(from.min(to), to)
    }

    fn read(&self, query: &Query, rest: Rest) -> Result<Page<P>, ReadError> {
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
            old_page(index.between(from, to), &undone, limit, rest)
        };
        Ok(Page { items, revision: at, remaining })
    }

    /// The matching keys that changed after `at`, with their values at `at`.
    fn changes_since(&self, at: Revision, newest: Revision, query: &Query) -> Result<Undone<P>, ReadError> {
        let mut undone = Undone::new();
        let mut seen = at;
        while seen < newest {
            let state = self.state.read();
            let Some(events) = state.tail.after(seen) else {
                return Err(ReadError::Compacted { asked: at, oldest: state.oldest() });
            };
            for event in events.take(MAX_EVENTS_PER_LOCK).take_while(|event| event.revision <= newest) {
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
    rest: Rest,
) -> (Vec<Versioned<P>>, usize) {
    let unchanged = newest.filter(|value| !undone.contains_key(&value.key)).peekable();
    let changed = undone.values().flatten().peekable();
    let mut merged = Merged { unchanged, changed };
    let items = merged.by_ref().take(limit).cloned().collect();
    let remaining = if rest == Rest::Counted { merged.count() } else { 0 };
    (items, remaining)
}

/// Merges two sequences in key order that have no key in common.
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
