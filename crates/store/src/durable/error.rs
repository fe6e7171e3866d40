//! Errors of the database, by consequence. Each text names the file and the next step.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::batch::Unavailable;
use crate::versioned::{PayloadError, Revision};

/// Why a durable store cannot be opened. The file is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another store in this process, has the file open.
    #[error("{} is in use by another process: stop that one, or choose another directory", path.display())]
    Locked {
        /// The database file.
        path: PathBuf,
    },

    /// No permission.
    #[error(
        "{} cannot be written: let this user write to it and to its directory, or choose another directory",
        path.display()
    )]
    Denied {
        /// The database file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// Another version wrote the file.
    #[error(
        "{} has store format {found}, this version reads format {supported}: \
         run the version that wrote it, or choose another directory",
        path.display()
    )]
    Version {
        /// The database file.
        path: PathBuf,
        /// The format of the file.
        found: i64,
        /// The format that this version reads and writes.
        supported: i64,
    },

    /// The file is a database, but not a store.
    #[error("{} is a database of another program: choose another directory", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },

    /// The file is damaged.
    #[error("{} is damaged ({reason}): restore it from a backup, or move it away to start with an empty store", path.display())]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// The inconsistency.
        reason: String,
    },

    /// No space on the disk.
    #[error("no space left to open {}: free some", path.display())]
    Full {
        /// The database file.
        path: PathBuf,
    },

    /// A stored value cannot be read.
    #[error(
        "{} holds a value of {key} that cannot be read: \
         run the version that wrote it, or restore the file from a backup",
        path.display()
    )]
    Payload {
        /// The database file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The revision of the value.
        revision: Revision,
        /// Cause.
        #[source]
        source: PayloadError,
    },

    /// Any other failure.
    #[error("cannot open {}", path.display())]
    Failed {
        /// The database file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl OpenError {
    pub(super) fn from_io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Denied { path, source: Box::new(source) }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Failed { path, source: Box::new(source) },
        }
    }

    pub(super) fn from_sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::CannotOpen) => {
                Self::Denied { path, source: Box::new(source) }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt { path, reason: source.to_string() }
            }
            Some(ErrorCode::DiskFull) => Self::Full { path },
            _ => Self::Failed { path, source: Box::new(source) },
        }
    }
}

impl Unavailable {
    /// The consequence of a failed transaction for later writes. The transaction itself is rolled back in each case.
    pub(super) fn from_sqlite(path: &Path, source: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            // After a failed sync the content of the disk is unknown; a retry could acknowledge a write that is lost.
            _ => Self::Faulty { path, reason: source.to_string().into() },
        }
    }
}

/// Whether a transaction failed because the disk is full.
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}
