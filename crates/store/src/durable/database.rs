//! The SQLite file: an append-only log of writes.
//!
//! A row is one write: revision, key, and value (NULL for a deletion). Rows up to the `compacted` revision are the state
//! at that revision, later ones are history. An append is one insert, opening is one scan in revision order, and compaction
//! deletes superseded rows.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, params};

use super::checksum::{Position, RowChecksum, RowHeader, StoreId};
use super::compaction::{advance, compact};
use super::connection::{Checkpoint, checkpoint, connect, keep_log_on_close, quick_check};
use super::error::OpenError;
use super::files::{LOCK_POLL_INTERVAL, create, length, lock, reserve, with_suffix};
use super::load::{Loaded, load};
use super::newest::{self, Found, Newest, NewestFile};
use super::retention::Retention;
use super::row::to_sql;
use super::schema::{self, Format};
use crate::options::Options;
use crate::state::StoreState;
use crate::versioned::{Event, Payload, Revision};

const APPEND: &str = "INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
/// Revisions that are left out when writes were lost or a backup is restored: clients that have seen later revisions then
/// get the answer that theirs are too old, and list again. As `etcdutl snapshot restore --bump-revision`.
pub(super) const REVISION_STEP: u64 = 1_000_000_000;

/// The open database, locked against other processes.
pub(super) struct Database {
    connection: Connection,
    path: PathBuf,
    store: StoreId,
    position: Position,
    newest: NewestFile,
    /// Length of the write-ahead log after the last commit.
    log_pages: Arc<AtomicUsize>,
    page_bytes: u64,
    /// Released on drop, after the connection is closed.
    _lock: File,
}

/// One write to append.
pub(super) struct LogEntry<'a, P> {
    pub(super) event: &'a Event<P>,
    /// Revision of the value before; zero when there was none.
    pub(super) previous: Revision,
    pub(super) value: Option<&'a Bytes>,
}

impl Database {
    /// Opens the file, or creates it with its directory. Reads and checks everything.
    pub(super) fn open<P: Payload>(
        path: &Path,
        options: &Options,
    ) -> Result<(Self, StoreState<P>, Retention), OpenError> {
        let lock = lock(path, || std::thread::sleep(LOCK_POLL_INTERVAL))?;
        let known = newest::read(path).map_err(|error| OpenError::from_io(&newest::path(path), error))?;
        check_files(path, known)?;
        create(path)?;
        let failed = |error| OpenError::from_sqlite(path, error);
        let damaged = |error| OpenError::from_damaged(path, error);
        let mut connection = connect(path).map_err(failed)?;
        keep_log_on_close(&connection, true).map_err(failed)?;
        let known = match schema::recognize(&connection, path)? {
            Format::Current => known,
            Format::Empty => {
                schema::format(&mut connection).map_err(failed)?;
                Found::Missing
            }
            Format::WithoutChecksums => upgrade(&mut connection, path, options)?,
        };
        configure(&connection, options).map_err(damaged)?;
        let (store, mut position) = schema::position(&connection, path)?;
        let mut loaded = read_and_check::<P>(&connection, path, (store, position), known, options)?;
        if known == Found::Accepted {
            position = accept(&connection, (store, position), loaded.newest.revision).map_err(failed)?;
            loaded = load(&connection, path, (store, position), known, options)?;
        }
        let newest = NewestFile::start(path, &loaded.newest)
            .map_err(|error| OpenError::from_io(&newest::path(path), error))?;
        keep_log_on_close(&connection, false).map_err(failed)?;
        let log_pages = note_log_pages(&mut connection).map_err(failed)?;
        let page_bytes =
            connection.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0)).map_err(failed)?;
        let page_bytes = u64::try_from(page_bytes).unwrap_or_default();
        // The log file exists after the first read.
        reserve(path);
        let path = path.to_owned();
        let database = Self { connection, path, store, position, newest, log_pages, page_bytes, _lock: lock };
        Ok((database, loaded.state, loaded.retention))
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
        let horizon = horizon.min(Revision(self.position.compacted.0 + steps));
        let (store, position) = (self.store, self.position);
        let mut newest = None;
        self.position = transaction(&self.connection, |connection| {
            let mut insert = connection.prepare_cached(APPEND)?;
            for LogEntry { event, previous, value } in entries {
                let header = RowHeader {
                    revision: event.revision,
                    key: &event.key,
                    created: event.current.as_ref().map_or(Revision::default(), |value| value.created),
                    previous: *previous,
                    written,
                    has_value: value.is_some(),
                };
                let value = value.map(|bytes| &bytes[..]);
                let checksum = RowChecksum::of(store, &header, value.unwrap_or_default());
                insert.execute(params![
                    to_sql(header.revision),
                    header.key,
                    to_sql(header.created),
                    to_sql(header.previous),
                    written,
                    value,
                    checksum.to_sql()
                ])?;
                newest = Some(Newest { store, revision: header.revision, row: Some(checksum) });
            }
            compact(connection, store, position, horizon)
        })?;
        self.note_newest(newest);
        Ok(())
    }

    /// Notes the newest commit beside the database. If that fails, later damage of the log may stay unnoticed; the commit
    /// itself is durable.
    fn note_newest(&mut self, newest: Option<Newest>) {
        let Some(newest) = newest else { return };
        if let Err(error) = self.newest.write(&newest) {
            let path = newest::path(&self.path);
            tracing::warn!(path = %path.display(), %error, "the newest revision cannot be noted");
        }
    }

    /// Frees as much space as possible after the disk was full.
    pub(super) fn free_space(&mut self, horizon: Revision) -> rusqlite::Result<()> {
        checkpoint(&self.connection, Checkpoint::Truncate)?;
        if horizon > self.position.compacted {
            let (store, position) = (self.store, self.position);
            self.position =
                transaction(&self.connection, |connection| compact(connection, store, position, horizon))?;
            checkpoint(&self.connection, Checkpoint::Truncate)?;
        }
        Ok(())
    }

    /// Copies the rest of the write-ahead log, so that SQLite can start it over.
    pub(super) fn finish_checkpoint(&self) -> rusqlite::Result<()> {
        checkpoint(&self.connection, Checkpoint::Passive)
    }

    /// Closes the database and leaves no log.
    pub(super) fn close(self) -> rusqlite::Result<()> {
        checkpoint(&self.connection, Checkpoint::Truncate)?;
        if let Err(error) = self.newest.sync() {
            tracing::warn!(path = %self.path.display(), %error, "the newest revision is not synced");
        }
        self.connection.close().map_err(|(_, error)| error)
    }
}

/// Checks, before SQLite opens and maybe changes them, that no file is missing.
pub(super) fn check_files(path: &Path, known: Found) -> Result<(), OpenError> {
    let failed = |error| OpenError::from_io(path, error);
    if known == Found::Accepted || path.is_dir() || length(path).map_err(failed)? > 0 {
        return Ok(());
    }
    let log = with_suffix(path, "-wal");
    let what = match known {
        Found::Known(newest) if newest.revision > Revision::default() => newest::path(path),
        Found::Damaged => newest::path(path),
        _ if length(&log).map_err(failed)? > 0 => log,
        _ => return Ok(()),
    };
    Err(OpenError::corrupt(path, format!("it is missing or empty, and {} is not", what.display())))
}

/// Reads everything, while another thread lets SQLite check the pages.
pub(super) fn read_and_check<P: Payload>(
    connection: &Connection,
    path: &Path,
    position: (StoreId, Position),
    known: Found,
    options: &Options,
) -> Result<Loaded<P>, OpenError> {
    let check = || {
        let failed = |error| OpenError::from_damaged(path, error);
        let checked = connect(path).and_then(|connection| quick_check(&connection)).map_err(failed)?;
        checked.map_err(|reason| OpenError::corrupt(path, reason))
    };
    std::thread::scope(|scope| {
        let checker = scope.spawn(check);
        let loaded = load::<P>(connection, path, position, known, options)?;
        let panicked = |_| Err(OpenError::corrupt(path, "the check of its pages panicked"));
        checker.join().unwrap_or_else(panicked)?;
        Ok(loaded)
    })
}

/// Upgrades a file of the previous format. Its newest revision is noted first, so that a file of this format never lacks it.
fn upgrade(connection: &mut Connection, path: &Path, options: &Options) -> Result<Found, OpenError> {
    let failed = |error| OpenError::from_damaged(path, error);
    configure(connection, options).map_err(failed)?;
    if let Err(reason) = quick_check(connection).map_err(failed)? {
        return Err(OpenError::corrupt(path, reason));
    }
    schema::upgrade(connection, path, |newest| NewestFile::start(path, newest).map(drop))?;
    tracing::info!(path = %path.display(), "the store was upgraded: each object has a checksum now");
    newest::read(path).map_err(|error| OpenError::from_io(&newest::path(path), error))
}

/// Goes on with what the database holds, at a later revision.
fn accept(
    connection: &Connection,
    (store, position): (StoreId, Position),
    newest: Revision,
) -> rusqlite::Result<Position> {
    let next = Revision(newest.0.saturating_add(REVISION_STEP));
    tracing::warn!(found = newest.0, next = next.0, "the store goes on without the writes that were lost");
    transaction(connection, |connection| advance(connection, store, position, newest, next))
}

/// Follows the length of the log. This replaces SQLite's automatic checkpoints, which would run inside a commit.
fn note_log_pages(connection: &mut Connection) -> rusqlite::Result<Arc<AtomicUsize>> {
    let log_pages = Arc::new(AtomicUsize::new(0));
    let pages = Arc::clone(&log_pages);
    let hook = move |_: &mut rusqlite::hooks::Wal, length: std::ffi::c_int| {
        pages.store(usize::try_from(length).unwrap_or_default(), Ordering::Relaxed);
        Ok(())
    };
    connection.wal_hook(Some(hook))?;
    Ok(log_pages)
}

pub(super) fn configure(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A commit returns after its frames are synced to disk.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -8192)?;
    if options.transformer.hides_values() {
        // Values that were stored in clear are not left behind in pages that are free.
        connection.query_row("PRAGMA secure_delete = ON", [], |_| Ok(()))?;
    }
    if let Some(bytes) = options.max_bytes {
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1);
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    }
    Ok(())
}

/// Runs `work` in one transaction. Unlike rusqlite's transaction, the statements that begin and end it stay prepared; for a
/// small write, preparing them is a large part of the time that is not spent on the disk.
pub(super) fn transaction<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let done =
        work(connection).and_then(|result| connection.prepare_cached("COMMIT")?.execute([]).map(|_| result));
    // After some failures, such as a full disk, SQLite has rolled back already. If a rollback fails, the next transaction
    // reports it; this one reports the cause.
    if done.is_err() && !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    done
}
