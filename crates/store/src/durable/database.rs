//! The SQLite file: one append-only log of writes, from which everything else follows.
//!
//! A row is one write: its revision, the key, and the value or nothing when it deleted the key. Rows up to the
//! `compacted` revision are the state at that revision, later ones are history. So an append is one insert, opening
//! is one scan in revision order, and compaction deletes the rows that were superseded by then.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, OpenFlags, Row, TransactionBehavior, params};

use super::checkpointer::checkpoint;
use super::fault::OpenError;
use super::retention::Retention;
use crate::options::Options;
use crate::state::State;
use crate::versioned::{Event, Payload, Revision, Versioned};

/// `PRAGMA application_id`: "Port" in ASCII.
const APPLICATION: i64 = 0x506f_7274;
/// `PRAGMA user_version`: the format written here.
const FORMAT: i64 = 1;
/// Most objects fit into one page with their neighbours, which keeps the log short: with SQLite's own 4096 bytes each takes
/// pages of its own. Files made with another size keep it.
const PAGE_BYTES: i64 = 8192;
/// Length of the write-ahead log from the start: more than the background lets it grow while it keeps up.
const RESERVE: u64 = 6 << 20;
/// How long to wait for somebody who looks into the file with another tool.
const BUSY: Duration = Duration::from_secs(5);
/// A process that is just being started has a copy of all open files for a moment, and with it of a lock that was let go
/// meanwhile: so often, and at such distances, the lock is asked for before it counts as taken.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

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

/// The open database; nobody else has it while this lives.
pub(super) struct Database {
    connection: Connection,
    path: PathBuf,
    /// Everything up to here is state, not history.
    compacted: Revision,
    /// Length of the write-ahead log after the last commit.
    log_pages: Arc<AtomicUsize>,
    /// Released when it is dropped, after the connection.
    _lock: File,
}

/// One write to be appended.
pub(super) struct Entry<'a, P> {
    pub(super) event: &'a Event<P>,
    pub(super) value: Option<&'a Bytes>,
}

impl Database {
    /// Opens the file, or makes it with its directory.
    pub(super) fn open(path: &Path, options: &Options) -> Result<Self, OpenError> {
        let lock = lock(path)?;
        create(path)?;
        let failed = |error| OpenError::from_sqlite(path, error);
        let mut connection = connect(path).map_err(failed)?;
        if is_new(&connection, path)? {
            format(&mut connection).map_err(failed)?;
        }
        configure(&connection, options).map_err(failed)?;
        let log_pages = Arc::new(AtomicUsize::new(0));
        let pages = Arc::clone(&log_pages);
        // Replaces SQLite's own checkpoints, which would run inside a commit.
        let hook = move |_: &mut rusqlite::hooks::Wal, length: std::ffi::c_int| {
            pages.store(usize::try_from(length).unwrap_or_default(), Ordering::Relaxed);
            Ok(())
        };
        connection.wal_hook(Some(hook)).map_err(failed)?;
        let compacted = connection.query_row(COMPACTED, [], |row| revision(row, 0)).map_err(failed)?;
        // Now that something was read the log is there.
        reserve(path);
        Ok(Self { connection, path: path.to_owned(), compacted, log_pages, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn log_pages(&self) -> usize {
        self.log_pages.load(Ordering::Relaxed)
    }

    /// Bytes of the frames in the write-ahead log.
    pub(super) fn log_bytes(&self) -> u64 {
        self.log_pages() as u64 * PAGE_BYTES.unsigned_abs()
    }

    /// Reads the state and the history.
    pub(super) fn load<P: Payload>(&mut self, options: &Options) -> Result<(State<P>, Retention), OpenError> {
        let failed = |error| OpenError::from_sqlite(&self.path, error);
        let mut loading = Loading {
            path: &self.path,
            compacted: self.compacted,
            state: State::new(self.compacted, options.limits),
            retention: Retention::new(options),
        };
        let mut statement = self.connection.prepare(LOAD).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let stored = Stored::read(row).map_err(failed)?;
            loading.take(stored)?;
        }
        Ok((loading.state, loading.retention))
    }

    /// Appends writes in one transaction and, with them, compacts a slice of what lies before `horizon`.
    ///
    /// Nothing is changed when it fails.
    pub(super) fn append<P>(
        &mut self,
        entries: &[Entry<'_, P>],
        now: Duration,
        horizon: Revision,
    ) -> rusqlite::Result<()> {
        let written = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        // Twice the growth, so that a backlog shrinks while writes go on; each is one short step.
        let slice = 2 * entries.len() as u64 + 8;
        let compacted = horizon.min(Revision(self.compacted.0 + slice)).max(self.compacted);
        transaction(&self.connection, |connection| {
            let mut insert = connection.prepare_cached(APPEND)?;
            for Entry { event, value } in entries {
                let created = event.current.as_ref().map_or(0, |value| stored(value.created));
                let previous = event.previous.as_ref().map_or(0, |value| stored(value.modified));
                let value = value.map(|bytes| &bytes[..]);
                insert.execute(params![
                    stored(event.revision),
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

    /// Gives back as much room as can be had: for a disk that is full.
    pub(super) fn relieve(&mut self, horizon: Revision) -> rusqlite::Result<()> {
        checkpoint(&self.connection, "TRUNCATE")?;
        if horizon > self.compacted {
            transaction(&self.connection, |connection| compact(connection, self.compacted, horizon))?;
            self.compacted = horizon;
            checkpoint(&self.connection, "TRUNCATE")?;
        }
        Ok(())
    }

    /// Copies the rest of the write-ahead log, so that it can start over.
    pub(super) fn finish_checkpoint(&self) -> rusqlite::Result<()> {
        checkpoint(&self.connection, "PASSIVE")
    }

    /// Leaves one tidy file behind.
    pub(super) fn close(self) -> rusqlite::Result<()> {
        checkpoint(&self.connection, "TRUNCATE")?;
        self.connection.close().map_err(|(_, error)| error)
    }
}

/// Opens a connection to a file that exists.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

/// Keeps other processes out for as long as the result lives, also after a crash of this one.
fn lock(path: &Path) -> Result<File, OpenError> {
    let failed = |error| OpenError::from_io(path, error);
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = private().open(name).map_err(failed)?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
    Err(OpenError::Locked { path: path.to_owned() })
}

/// Makes the file unless it exists, for its owner alone: objects hold secrets. SQLite's other files take over the mode.
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

/// Makes room for the write-ahead log up to where it usually starts over, so that a commit overwrites what is there
/// instead of making the file longer: the file system then has nothing to note in its own journal, which is a fifth of
/// what a small write costs. SQLite takes what is behind its last frame for the rest of an older log, whatever it is.
///
/// Only before the first write. Without room, or when anything else is in the way, the log grows as it always did.
fn reserve(path: &Path) {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    let extend = || {
        let mut log = OpenOptions::new().append(true).open(&name)?;
        let length = log.metadata()?.len();
        let zeros = vec![0; usize::try_from(RESERVE.saturating_sub(length)).unwrap_or_default()];
        let written = log.write_all(&zeros).and_then(|()| log.sync_data());
        if written.is_err() {
            // What was written of it would be missed elsewhere.
            log.set_len(length)?;
        }
        written
    };
    if let Err(error) = extend() {
        tracing::debug!(path = %path.display(), %error, "no room was made for the write-ahead log");
    }
}

fn configure(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A commit returns after its frames are on the disk.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -8192)?;
    if let Some(bytes) = options.max_bytes {
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1);
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    }
    Ok(())
}

/// Does `work` in one transaction, or not at all. Unlike rusqlite's own it keeps the statements that begin and end it
/// prepared, which for one small write is a good part of the time that is not spent on the disk.
fn transaction(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let done = work(connection).and_then(|()| connection.prepare_cached("COMMIT")?.execute([]).map(drop));
    // After some failures, such as a full disk, SQLite has rolled back already. If it cannot, the next transaction says so;
    // what is told here is why.
    if done.is_err() && !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    done
}

fn compact(connection: &Connection, from: Revision, to: Revision) -> rusqlite::Result<()> {
    if to > from {
        for step in COMPACT {
            connection.prepare_cached(step)?.execute(params![stored(from), stored(to)])?;
        }
    }
    Ok(())
}

/// One row.
struct Stored {
    revision: Revision,
    key: String,
    created: Revision,
    previous: Revision,
    written: Duration,
    value: Option<Bytes>,
}

impl Stored {
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

/// The state as far as it is read.
struct Loading<'a, P> {
    path: &'a Path,
    compacted: Revision,
    state: State<P>,
    retention: Retention,
}

impl<P: Payload> Loading<'_, P> {
    fn take(&mut self, row: Stored) -> Result<(), OpenError> {
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

fn stored(revision: Revision) -> i64 {
    i64::try_from(revision.0).expect("no store lives to see 2^63 writes")
}
