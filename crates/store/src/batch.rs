//! Batches of writes, and the errors of a commit.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::damage::DamagedValue;
use crate::versioned::{Revision, Versioned};

/// A condition on the state before the batch. If one fails, the batch has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// The key does not exist.
    Absent(Arc<str>),
    /// The key exists and was last changed at exactly this revision.
    Unchanged(Arc<str>, Revision),
}

/// One write of one key. It takes one revision.
#[derive(Debug, Clone)]
pub enum Write<P> {
    /// Creates or replaces the value.
    Put(Arc<str>, P),
    /// Deletes the key, which must exist at this point of the batch. Its value may be damaged.
    Delete(Arc<str>),
}

impl<P> Write<P> {
    /// The key of the write.
    pub fn key(&self) -> &Arc<str> {
        match self {
            Self::Put(key, _) | Self::Delete(key) => key,
        }
    }
}

/// Guards and writes that take effect together or not at all.
#[derive(Debug, Clone)]
pub struct Batch<P> {
    /// All are checked first, against the state before the batch.
    pub guards: Vec<Guard>,
    /// Applied in order; a write sees the earlier ones.
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
    /// A guard failed, or a key to delete does not exist. Re-read and retry.
    #[error("{key} {}", found(.current.as_ref()))]
    Conflict {
        /// The key of the guard or the deletion.
        key: Arc<str>,
        /// Value of the key at that time.
        current: Option<Versioned<P>>,
    },

    /// The stored value of a key cannot be read. Restore it from a backup, or delete the key first.
    #[error("the stored value of {} is damaged: {}", .0.key, .0.reason)]
    Damaged(DamagedValue),

    /// The write could not be made durable. Reads still work.
    #[error("the store does not accept writes")]
    Unavailable {
        /// Cause.
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
            Self::Damaged(value) => f.debug_tuple("Damaged").field(value).finish(),
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

    /// No space on the disk. Nothing was written; later writes are tried.
    #[error("no space left for {}: free some, then writes work again without a restart", path.display())]
    Full {
        /// The database file.
        path: PathBuf,
    },

    /// Another process locks the database. Nothing was written; later writes are tried.
    #[error("another process locks {}: close the tool that has it open", path.display())]
    Busy {
        /// The database file.
        path: PathBuf,
    },

    /// The disk or the file is faulty. Writes are refused until a restart, because the content of the disk is unknown.
    #[error("cannot write {}: {reason}; check the disk, then restart", path.display())]
    Faulty {
        /// The database file.
        path: PathBuf,
        /// The error of the database.
        reason: Arc<str>,
    },
}
