//! What a caller asks the writer to do, and the ways in which it can be refused.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::versioned::{Revision, Versioned};

/// A condition on the state before the batch; one that fails refuses the whole batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// The key does not exist.
    Absent(Arc<str>),
    /// The key exists and was last changed at exactly this revision.
    Unchanged(Arc<str>, Revision),
}

/// One change of one key. Takes one revision.
#[derive(Debug, Clone)]
pub enum Write<P> {
    /// Creates or replaces the value.
    Put(Arc<str>, P),
    /// Removes the key, which must exist when its turn comes.
    Delete(Arc<str>),
}

impl<P> Write<P> {
    /// The key to be changed.
    pub fn key(&self) -> &Arc<str> {
        match self {
            Self::Put(key, _) | Self::Delete(key) => key,
        }
    }
}

/// Guards and writes that take effect together or not at all.
#[derive(Debug, Clone)]
pub struct Batch<P> {
    /// Checked first, all of them, against the state before the batch.
    pub guards: Vec<Guard>,
    /// Applied in order; a later write sees the earlier ones.
    pub writes: Vec<Write<P>>,
}

impl<P> Batch<P> {
    /// Creates `key`, which must not exist.
    pub fn create(key: impl Into<Arc<str>>, value: P) -> Self {
        let key = key.into();
        Self { guards: vec![Guard::Absent(Arc::clone(&key))], writes: vec![Write::Put(key, value)] }
    }

    /// Replaces `key`, last changed at `unchanged`.
    pub fn update(key: impl Into<Arc<str>>, unchanged: Revision, value: P) -> Self {
        let key = key.into();
        Self {
            guards: vec![Guard::Unchanged(Arc::clone(&key), unchanged)],
            writes: vec![Write::Put(key, value)],
        }
    }

    /// Deletes `key`, last changed at `unchanged`.
    pub fn delete(key: impl Into<Arc<str>>, unchanged: Revision) -> Self {
        let key = key.into();
        Self { guards: vec![Guard::Unchanged(Arc::clone(&key), unchanged)], writes: vec![Write::Delete(key)] }
    }
}

/// Why a batch had no effect.
#[derive(thiserror::Error)]
pub enum CommitError<P> {
    /// A guard failed, or a key to be deleted does not exist. Read again and decide anew.
    #[error("{key} {}", found(.current.as_ref()))]
    Conflict {
        /// The key whose state was not the expected one.
        key: Arc<str>,
        /// Its state when the batch was refused.
        current: Option<Versioned<P>>,
    },

    /// The write could not be made durable. Reads go on.
    #[error("the store does not accept writes")]
    Unavailable {
        /// What stands in the way.
        #[source]
        source: Unavailable,
    },
}

fn found<P>(current: Option<&Versioned<P>>) -> String {
    current.map_or_else(
        || "does not exist".to_owned(),
        |value| format!("exists and was last changed at revision {}", value.modified),
    )
}

impl<P> fmt::Debug for CommitError<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { key, current } => {
                f.debug_struct("Conflict").field("key", key).field("current", current).finish()
            }
            Self::Unavailable { source } => f.debug_struct("Unavailable").field("source", source).finish(),
        }
    }
}

/// Why the store does not accept writes.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// [`Store::close`](crate::Store::close) was called.
    #[error("the store is closed")]
    Closed,

    /// No room on the disk. Nothing was written; later writes are tried again.
    #[error("no space left for {}: free some, writes then go on by themselves", path.display())]
    Full {
        /// The database file.
        path: PathBuf,
    },

    /// Another process holds the database. Nothing was written; later writes are tried again.
    #[error("another process locks {}: close the tool that has it open", path.display())]
    Busy {
        /// The database file.
        path: PathBuf,
    },

    /// The disk or the file is faulty. Writes are refused until a restart, as what the disk holds is in doubt.
    #[error("cannot write {}: {reason}; check the disk, then restart", path.display())]
    Faulty {
        /// The database file.
        path: PathBuf,
        /// What the database said.
        reason: Arc<str>,
    },
}
