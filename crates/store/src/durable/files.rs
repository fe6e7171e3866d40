//! The files of a store: names, modes, the lock, and the reserved log.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::OpenError;

/// Initial length of the write-ahead log in bytes: more than it grows while the background keeps up.
const RESERVED_LOG_BYTES: u64 = 6 << 20;
/// Attempts to take the lock, and the pause between them. A child process that is being started holds copies of all open
/// files until it calls exec, and with them a lock that its parent has released.
const MAX_LOCK_POLLS: u32 = 20;
pub(super) const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// `store.db` with `-wal` is `store.db-wal`.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Opens or creates a file, readable by its owner only.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options
}

/// Locks the database against other processes until the result is dropped or the process ends. Calls `pause` between two
/// attempts.
pub(super) fn lock(path: &Path, mut pause: impl FnMut()) -> Result<File, OpenError> {
    let failed = |error| OpenError::from_io(path, error);
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    let file = private().open(with_suffix(path, ".lock")).map_err(failed)?;
    for _ in 0..MAX_LOCK_POLLS {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => pause(),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
    Err(OpenError::Locked { path: path.to_owned() })
}

/// Creates the file unless it exists, readable by its owner only because objects hold secrets. SQLite gives its other files
/// the same mode.
pub(super) fn create(path: &Path) -> Result<(), OpenError> {
    let failed = |error| OpenError::from_io(path, error);
    private().open(path).map_err(failed)?;
    sync_directory(path).map_err(failed)
}

/// Makes the names in the directory of `path` durable.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

/// Length of a file in bytes; zero if it does not exist.
pub(super) fn length(path: &Path) -> io::Result<u64> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Extends the write-ahead log with zeros before the first write, to the length at which it usually starts over. A commit
/// then overwrites blocks instead of extending the file, so the file system has no metadata to journal; that is a fifth of
/// the cost of a small write. SQLite ignores bytes after its last valid frame.
///
/// Best effort: if it fails, the log grows as usual.
pub(super) fn reserve(path: &Path) {
    let extend = || {
        let mut log = OpenOptions::new().append(true).open(with_suffix(path, "-wal"))?;
        let length = log.metadata()?.len();
        let zeros = vec![0; usize::try_from(RESERVED_LOG_BYTES.saturating_sub(length)).unwrap_or_default()];
        let written = log.write_all(&zeros).and_then(|()| log.sync_data());
        if written.is_err() {
            // The disk is nearly full: give the space back.
            log.set_len(length)?;
        }
        written
    };
    if let Err(error) = extend() {
        tracing::debug!(path = %path.display(), %error, "the write-ahead log was not extended in advance");
    }
}
