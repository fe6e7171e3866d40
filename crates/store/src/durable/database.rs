//! The SQLite file: an append-only log of writes.
//!
//! A row is one write: revision, key, and value (NULL for a deletion). Rows up to the `compacted` revision are the state
//! at that revision, later ones are history. An append is one insert, opening is one scan in revision order, and compaction
//! deletes superseded rows.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, Row, TransactionBehavior, params};

use super::connection::{Checkpoint, checkpoint, connect};
use super::error::OpenError;
use super::retention::Retention;
use crate::options::Options;
use crate::state::StoreState;
use crate::versioned::{Event, Payload, Revision, Versioned};

/// `PRAGMA application_id`: "Port" in ASCII.
const APPLICATION: i64 = 0x506f_7274;
/// `PRAGMA user_version`: the format that this version writes.
const FORMAT: i64 = 1;
/// Page size. Most objects share a page with their neighbours, which keeps the log short; with SQLite's default of 4096
/// bytes each would need its own pages. Existing files keep their page size.
const PAGE_BYTES: i64 = 8192;
/// Initial length of the write-ahead log in bytes: more than it grows while the background keeps up.
const RESERVED_LOG_BYTES: u64 = 6 << 20;
/// Attempts to take the lock, and the pause between them. A child process that is being started holds copies of all open
/// files until it calls exec, and with them a lock that its parent has released.
const MAX_LOCK_POLLS: u32 = 20;
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(10);

const SCHEMA: &str = "
    CREATE TABLE log (
        revision INTEGER PRIMARY KEY,
        key      TEXT NOT NULL,
        created  INTEGER NOT NULL, -- revision that created the key; 0 when this row deletes it
        previous INTEGER NOT NULL, -- revision of the value before; 0 when there was none
        written  INTEGER NOT NULL, -- milliseconds since the Unix epoch
        value    BLOB              -- NULL when this row deletes the key
    ) STRICT;
    CREATE TABLE position (name TEXT PRIMARY KEY, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO position VALUES ('compacted', 0);
";
const APPEND: &str = "INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const LOAD: &str = "SELECT revision, key, created, previous, written, value FROM log ORDER BY revision";
const COMPACTED: &str = "SELECT revision FROM position WHERE name = 'compacted'";
const COMPACT: [&str; 3] = [
    "DELETE FROM log WHERE revision IN (SELECT previous FROM log WHERE revision > ?1 AND revision <= ?2)",
    "DELETE FROM log WHERE revision > ?1 AND revision <= ?2 AND value IS NULL",
    "UPDATE position SET revision = ?2 WHERE name = 'compacted' AND revision = ?1",
];

/// The open database, locked against other processes.
pub(super) struct Database {
    connection: Connection,
    path: PathBuf,
    /// Rows up to this revision are state, later ones are history.
    compacted: Revision,
    /// Length of the write-ahead log after the last commit.
    log_pages: Arc<AtomicUsize>,
    page_bytes: u64,
    /// Released on drop, after the connection is closed.
    _lock: File,
}

/// One write to append.
pub(super) struct LogEntry<'a, P> {
    pub(super) event: &'a Event<P>,
    pub(super) value: Option<&'a Bytes>,
}

impl Database {
    /// Opens the file, or creates it with its directory.
    pub(super) fn open(path: &Path, options: &Options) -> Result<Self, OpenError> {
        let lock = lock(path, || std::thread::sleep(LOCK_POLL_INTERVAL))?;
        create(path)?;
        let failed = |error| OpenError::from_sqlite(path, error);
        let mut connection = connect(path).map_err(failed)?;
        if is_new(&connection, path)? {
            format(&mut connection).map_err(failed)?;
        }
        configure(&connection, options).map_err(failed)?;
        let log_pages = Arc::new(AtomicUsize::new(0));
        let pages = Arc::clone(&log_pages);
        // Replaces SQLite's automatic checkpoints, which would run inside a commit.
        let hook = move |_: &mut rusqlite::hooks::Wal, length: std::ffi::c_int| {
            pages.store(usize::try_from(length).unwrap_or_default(), Ordering::Relaxed);
            Ok(())
        };
        connection.wal_hook(Some(hook)).map_err(failed)?;
        let compacted = connection.query_row(COMPACTED, [], |row| revision(row, 0)).map_err(failed)?;
        let page_bytes =
            connection.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0)).map_err(failed)?;
        let page_bytes = u64::try_from(page_bytes).unwrap_or_default();
        // The log file exists after the first read.
        reserve(path);
        Ok(Self { connection, path: path.to_owned(), compacted, log_pages, page_bytes, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn log_pages(&self) -> usize {
        self.log_pages.load(Ordering::Relaxed)
    }

    /// Length of the write-ahead log after the last commit, in bytes.
    pub(super) fn log_bytes(&self) -> u64 {
        self.log_pages() as u64 * self.page_bytes
    }

    /// Reads the state and the history.
    pub(super) fn load<P: Payload>(
        &mut self,
        options: &Options,
    ) -> Result<(StoreState<P>, Retention), OpenError> {
        let failed = |error| OpenError::from_sqlite(&self.path, error);
        let mut loader = StateLoader {
            path: &self.path,
            compacted: self.compacted,
            state: StoreState::new(self.compacted, options.limits),
            retention: Retention::new(options),
        };
        let mut statement = self.connection.prepare(LOAD).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let row = LogRow::read(row).map_err(failed)?;
            loader.take(row)?;
        }
        Ok((loader.state, loader.retention))
    }

    /// Appends writes in one transaction, and compacts some of the history before `horizon` in it.
    ///
    /// A failure changes nothing.
    pub(super) fn append<P>(
        &mut self,
        entries: &[LogEntry<'_, P>],
        now: Duration,
        horizon: Revision,
    ) -> rusqlite::Result<()> {
        let written = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        // Twice the growth, so that a backlog shrinks under load, in short steps.
        let steps = 2 * entries.len() as u64 + 8;
        let compacted = horizon.min(Revision(self.compacted.0 + steps)).max(self.compacted);
        transaction(&self.connection, |connection| {
            let mut insert = connection.prepare_cached(APPEND)?;
            for LogEntry { event, value } in entries {
                let created = event.current.as_ref().map_or(0, |value| to_sql(value.created));
                let previous = event.previous.as_ref().map_or(0, |value| to_sql(value.modified));
                let value = value.map(|bytes| &bytes[..]);
                insert.execute(params![
                    to_sql(event.revision),
                    &*event.key,
                    created,
                    previous,
                    written,
                    value
                ])?;
            }
            compact(connection, self.compacted, compacted)
        })?;
        self.compacted = compacted;
        Ok(())
    }

    /// Frees as much space as possible after the disk was full.
    pub(super) fn free_space(&mut self, horizon: Revision) -> rusqlite::Result<()> {
        checkpoint(&self.connection, Checkpoint::Truncate)?;
        if horizon > self.compacted {
            transaction(&self.connection, |connection| compact(connection, self.compacted, horizon))?;
            self.compacted = horizon;
            checkpoint(&self.connection, Checkpoint::Truncate)?;
        }
        Ok(())
    }

    /// Copies the rest of the write-ahead log, so that SQLite can start it over.
    pub(super) fn finish_checkpoint(&self) -> rusqlite::Result<()> {
        checkpoint(&self.connection, Checkpoint::Passive)
    }

    /// Closes the database and leaves a single file.
    pub(super) fn close(self) -> rusqlite::Result<()> {
        checkpoint(&self.connection, Checkpoint::Truncate)?;
        self.connection.close().map_err(|(_, error)| error)
    }
}

/// Locks the database against other processes until the result is dropped or the process ends. Calls `pause` between two
/// attempts.
pub(super) fn lock(path: &Path, mut pause: impl FnMut()) -> Result<File, OpenError> {
    let failed = |error| OpenError::from_io(path, error);
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = private().open(name).map_err(failed)?;
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
fn create(path: &Path) -> Result<(), OpenError> {
    let failed = |error| OpenError::from_io(path, error);
    private().open(path).map_err(failed)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options
}

/// Whether the file is still empty.
fn is_new(connection: &Connection, path: &Path) -> Result<bool, OpenError> {
    let failed = |error| OpenError::from_sqlite(path, error);
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(failed);
    let application = number("PRAGMA application_id")?;
    let found = number("PRAGMA user_version")?;
    let is_empty = number("SELECT count(*) FROM sqlite_schema")? == 0;
    match (application, found) {
        (0, 0) if is_empty => Ok(true),
        (APPLICATION, FORMAT) => Ok(false),
        (APPLICATION, _) => Err(OpenError::Version { path: path.to_owned(), found, supported: FORMAT }),
        _ => Err(OpenError::Foreign { path: path.to_owned() }),
    }
}

fn format(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// Extends the write-ahead log with zeros before the first write, to the length at which it usually starts over. A commit
/// then overwrites blocks instead of extending the file, so the file system has no metadata to journal; that is a fifth of
/// the cost of a small write. SQLite ignores bytes after its last valid frame.
///
/// Best effort: if it fails, the log grows as usual.
fn reserve(path: &Path) {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    let extend = || {
        let mut log = OpenOptions::new().append(true).open(&name)?;
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

fn configure(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A commit returns after its frames are synced to disk.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -8192)?;
    if let Some(bytes) = options.max_bytes {
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1);
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    }
    Ok(())
}

/// Runs `work` in one transaction. Unlike rusqlite's transaction, the statements that begin and end it stay prepared; for a
/// small write, preparing them is a large part of the time that is not spent on the disk.
fn transaction(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let done = work(connection).and_then(|()| connection.prepare_cached("COMMIT")?.execute([]).map(drop));
    // After some failures, such as a full disk, SQLite has rolled back already. If a rollback fails, the next transaction
    // reports it; this one reports the cause.
    if done.is_err() && !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    done
}

fn compact(connection: &Connection, from: Revision, to: Revision) -> rusqlite::Result<()> {
    if to > from {
        for statement in COMPACT {
            connection.prepare_cached(statement)?.execute(params![to_sql(from), to_sql(to)])?;
        }
    }
    Ok(())
}

/// One row of the log.
struct LogRow {
    revision: Revision,
    key: String,
    created: Revision,
    previous: Revision,
    written: Duration,
    value: Option<Bytes>,
}

impl LogRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            revision: revision(row, 0)?,
            key: row.get(1)?,
            created: revision(row, 2)?,
            previous: revision(row, 3)?,
            written: Duration::from_millis(row.get::<_, i64>(4)?.try_into().unwrap_or_default()),
            value: row.get_ref(5)?.as_blob_or_null()?.map(Bytes::copy_from_slice),
        })
    }
}

/// Builds the state from the rows read so far.
struct StateLoader<'a, P> {
    path: &'a Path,
    compacted: Revision,
    state: StoreState<P>,
    retention: Retention,
}

impl<P: Payload> StateLoader<'_, P> {
    fn take(&mut self, row: LogRow) -> Result<(), OpenError> {
        let previous = self.state.index.get(&row.key).cloned();
        let is_history = row.revision > self.compacted;
        if is_history && row.revision != self.state.revision.next() {
            return Err(self.corrupt(format!("revision {} is missing", self.state.revision.next())));
        }
        if is_history && previous.as_ref().map_or(0, |value| value.modified.0) != row.previous.0 {
            return Err(
                self.corrupt(format!("the value of {} before revision {} is missing", row.key, row.revision))
            );
        }
        let key = previous.as_ref().map_or_else(|| row.key.into(), |value| Arc::clone(&value.key));
        let current = match row.value {
            None => None,
            Some(bytes) => {
                let value = P::decode(bytes, row.revision).map_err(|source| OpenError::Payload {
                    path: self.path.to_owned(),
                    key: key.to_string(),
                    revision: row.revision,
                    source,
                })?;
                let (key, value) = (Arc::clone(&key), Arc::new(value));
                Some(Versioned { key, value, created: row.created, modified: row.revision })
            }
        };
        if is_history {
            self.state.apply(Arc::new(Event { revision: row.revision, key, current, previous }));
            self.retention.note(row.written, row.revision);
        } else if let Some(value) = current {
            self.state.index.put(value);
        }
        Ok(())
    }

    fn corrupt(&self, reason: String) -> OpenError {
        OpenError::Corrupt { path: self.path.to_owned(), reason }
    }
}

fn revision(row: &Row<'_>, column: usize) -> rusqlite::Result<Revision> {
    let number: i64 = row.get(column)?;
    let out_of_range = |_| rusqlite::Error::IntegralValueOutOfRange(column, number);
    number.try_into().map(Revision).map_err(out_of_range)
}

fn to_sql(revision: Revision) -> i64 {
    i64::try_from(revision.0).expect("a revision cannot exceed i64::MAX in practice")
}
