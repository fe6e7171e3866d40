//! Copies of a database: of one that is in use, and a copy that takes its place.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::compaction::advance;
use super::connection::{Checkpoint, checkpoint, connect, keep_log_on_close};
use super::database::{REVISION_STEP, check_files, read_and_check, transaction};
use super::error::{OpenError, is_full};
use super::files::{LOCK_POLL_INTERVAL, create, lock};
use super::load::Loaded;
use super::newest::{self, Found, NewestFile};
use super::schema::{self, Format};
use crate::damage::DamagedValue;
use crate::options::Options;
use crate::versioned::{Payload, PayloadError, Revision};

/// Time to wait for a tool that has the file locked.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
const BUSY_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What a copy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopySummary {
    /// The newest revision.
    pub revision: Revision,
    /// Number of objects.
    pub objects: usize,
    /// Objects that are damaged.
    pub damaged: Vec<DamagedValue>,
}

/// Copies the database `from` into the new file `to`, consistently and also while a store has it open, and checks the copy.
///
/// # Errors
/// [`OpenError`] if the database or the copy is damaged, or cannot be read or written.
pub fn copy_database(from: &Path, to: &Path) -> Result<CopySummary, OpenError> {
    let known = newest::read(from).map_err(|error| OpenError::from_io(&newest::path(from), error))?;
    check_files(from, known)?;
    let failed = |error| OpenError::from_sqlite(from, error);
    let source = connect(from).map_err(failed)?;
    keep_log_on_close(&source, true).map_err(failed)?;
    if schema::recognize(&source, from)? != Format::Current {
        return Err(OpenError::Outdated { path: from.to_owned() });
    }
    create(to)?;
    let mut copy = connect(to).map_err(|error| OpenError::from_sqlite(to, error))?;
    // Only the copy grows.
    copy_pages(&source, &mut copy)
        .map_err(|error| OpenError::from_sqlite(if is_full(&error) { to } else { from }, error))?;
    // One file, without a log.
    let close = |copy: Connection| {
        copy.pragma_update(None, "journal_mode", "DELETE")?;
        copy.close().map_err(|(_, error)| error)
    };
    let loaded = check_copy(&copy, to, known)?;
    close(copy).map_err(|error| OpenError::from_sqlite(to, error))?;
    File::open(to).and_then(|file| file.sync_all()).map_err(|error| OpenError::from_io(to, error))?;
    Ok(summary(&loaded))
}

/// Makes a copy the database of a store, at a much later revision: clients that know revisions after the copy was made get
/// the answer that theirs are too old, and list again.
///
/// # Errors
/// [`OpenError`] if the copy is damaged, or cannot be written.
pub fn adopt_database(path: &Path) -> Result<CopySummary, OpenError> {
    let _lock = lock_database(path)?;
    let failed = |error| OpenError::from_sqlite(path, error);
    let connection = connect(path).map_err(failed)?;
    if schema::recognize(&connection, path)? != Format::Current {
        return Err(OpenError::Outdated { path: path.to_owned() });
    }
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    let loaded = check_copy(&connection, path, Found::Accepted)?;
    let (store, position) = schema::position(&connection, path)?;
    let newest = loaded.newest.revision;
    let next = Revision(newest.0.saturating_add(REVISION_STEP));
    transaction(&connection, |connection| advance(connection, store, position, newest, next))
        .map_err(failed)?;
    let loaded = check_copy(&connection, path, Found::Accepted)?;
    NewestFile::start(path, &loaded.newest)
        .map_err(|error| OpenError::from_io(&newest::path(path), error))?;
    checkpoint(&connection, Checkpoint::Truncate).map_err(failed)?;
    connection.close().map_err(|(_, error)| failed(error))?;
    Ok(summary(&loaded))
}

/// The lock of a database; another process that opens the store is refused meanwhile.
#[derive(Debug)]
pub struct DatabaseLock {
    _file: File,
}

/// Locks a database against stores.
///
/// # Errors
/// [`OpenError::Locked`] if a store has it open.
pub fn lock_database(path: &Path) -> Result<DatabaseLock, OpenError> {
    lock(path, || std::thread::sleep(LOCK_POLL_INTERVAL)).map(|file| DatabaseLock { _file: file })
}

/// Copies in one step, so that the copy is one instant of the source.
fn copy_pages(source: &Connection, copy: &mut Connection) -> rusqlite::Result<()> {
    let backup = Backup::new(source, copy)?;
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match backup.step(-1)? {
            StepResult::Done => return Ok(()),
            StepResult::Busy | StepResult::Locked if Instant::now() < deadline => {
                std::thread::sleep(BUSY_POLL_INTERVAL);
            }
            StepResult::Busy | StepResult::Locked => return Err(busy()),
            _ => {}
        }
    }
}

fn busy() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None)
}

fn check_copy(connection: &Connection, path: &Path, known: Found) -> Result<Loaded<Unread>, OpenError> {
    let position = schema::position(connection, path)?;
    read_and_check::<Unread>(connection, path, position, known, &Options::default())
}

fn summary(loaded: &Loaded<Unread>) -> CopySummary {
    CopySummary {
        revision: loaded.newest.revision,
        objects: loaded.state.index.len(),
        damaged: loaded.state.damaged.values().cloned().collect(),
    }
}

/// A value that is checked and not decoded.
struct Unread;

impl Payload for Unread {
    fn stamp(&mut self, _: Revision) {}

    fn encode(&self) -> Bytes {
        Bytes::new()
    }

    fn decode(_: Bytes, _: Revision) -> Result<Self, PayloadError> {
        Ok(Self)
    }

    fn weight(&self) -> usize {
        0
    }
}
