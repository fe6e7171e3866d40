//! Errors of the database, by consequence. Each text names the file and the next step.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_SHORT_READ};

use crate::batch::Unavailable;

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

    /// The file has the previous format.
    #[error("{} has the store format of an earlier version: start `portolan server` on it once, which upgrades it", path.display())]
    Outdated {
        /// The database file.
        path: PathBuf,
    },

    /// The file is a database, but not a store.
    #[error("{} is a database of another program: choose another directory", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },

    /// The file is damaged.
    #[error("{} is damaged ({reason}): restore it with `portolan restore`, or move its directory away to start with an empty store", path.display())]
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

    /// The log ends early, or it is unknown whether it does.
    #[error(
        "{} is damaged ({reason}): restore it with `portolan restore`, or accept that writes are lost with \
         `echo accept > {}`",
        path.display(), beside.display()
    )]
    Incomplete {
        /// The database file.
        path: PathBuf,
        /// What is missing.
        reason: String,
        /// The file that holds the newest revision.
        beside: PathBuf,
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
        if is_full(&source) {
            return Self::Full { path };
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::CannotOpen) => {
                Self::Denied { path, source: Box::new(source) }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt { path, reason: source.to_string() }
            }
            _ => Self::Failed { path, source: Box::new(source) },
        }
    }

    /// An error while a store is read that has been written completely: everything but the system's errors is damage.
    pub(super) fn from_damaged(path: &Path, source: rusqlite::Error) -> Self {
        let is_of_the_system = match source.sqlite_error() {
            // A file that is shorter than it says is damaged, not the disk.
            Some(error) if error.extended_code == SQLITE_IOERR_SHORT_READ => false,
            Some(error) => matches!(error.code, ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory),
            None => false,
        };
        match Self::from_sqlite(path, source) {
            Self::Failed { path, source } if !is_of_the_system => {
                Self::Corrupt { path, reason: source.to_string() }
            }
            other => other,
        }
    }

    pub(super) fn corrupt(path: &Path, reason: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_owned(), reason: reason.into() }
    }
}

impl Unavailable {
    /// The consequence of a failed transaction for later writes. The transaction itself is rolled back in each case.
    pub(super) fn from_sqlite(path: &Path, source: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        if is_full(source) {
            return Self::Full { path };
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            // After a failed sync the content of the disk is unknown; a retry could acknowledge a write that is lost.
            _ => Self::Faulty { path, reason: source.to_string().into() },
        }
    }
}

/// Whether something failed because the disk is full: a write, or the growth of the index of the log (`-shm`), which SQLite
/// reports as a failure of the disk.
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    error
        .sqlite_error()
        .is_some_and(|error| error.code == ErrorCode::DiskFull || error.extended_code == SQLITE_IOERR_SHMSIZE)
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi::{Error, SQLITE_FULL, SQLITE_IOERR_FSYNC};

    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_faulty_one() {
        let path = Path::new("store.db");
        let failure = |code| rusqlite::Error::SqliteFailure(Error::new(code), None);
        for (code, is_full) in
            [(SQLITE_FULL, true), (SQLITE_IOERR_SHMSIZE, true), (SQLITE_IOERR_FSYNC, false)]
        {
            let open = OpenError::from_sqlite(path, failure(code));
            assert_eq!(matches!(open, OpenError::Full { .. }), is_full, "{code}: {open}");
            let damaged = OpenError::from_damaged(path, failure(code));
            assert_eq!(matches!(damaged, OpenError::Full { .. }), is_full, "{code}: {damaged}");
            let write = Unavailable::from_sqlite(path, &failure(code));
            assert_eq!(matches!(write, Unavailable::Full { .. }), is_full, "{code}: {write}");
        }
    }
}
