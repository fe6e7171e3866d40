//! Writes every value of a database again, in the form that new values get: after encryption was turned on or off, or with
//! a new key.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection, params};

use super::checksum::{Position, RowChecksum, RowHeader, StoreId, Totals};
use super::compaction::advance;
use super::connection::{Checkpoint, checkpoint, connect, keep_log_on_close};
use super::database::{REVISION_STEP, check_files, configure, read_and_check, transaction};
use super::error::OpenError;
use super::files::{LOCK_POLL_INTERVAL, lock};
use super::newest::{self, Found, Newest, NewestFile};
use super::row::{COLUMNS, LogRow, RowValue, to_sql};
use super::schema::{self, Format};
use crate::damage::DamagedValue;
use crate::options::Options;
use crate::transformer::{TransformError, ValueTransformer};
use crate::versioned::{Payload, Revision};

const REPLACE: &str = "UPDATE log SET value = ?2, checksum = ?3 WHERE revision = ?1";

/// What was rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RewriteSummary {
    /// Number of objects.
    pub objects: usize,
    /// Objects that had another form before.
    pub rewritten: usize,
    /// Objects that cannot be read; they stay as they are.
    pub damaged: Vec<DamagedValue>,
}

/// Writes the values of the database again, at their revisions, so that all have the form that `transformer` gives to new
/// ones, and removes the history and everything else that the file holds of earlier values. Values that cannot be read stay.
/// No store may have the database open.
///
/// Whenever the process is killed, the database holds each value in the old or in the new form.
///
/// # Errors
/// [`OpenError`] if the database is in use or damaged, or cannot be written.
pub fn rewrite_database<P: Payload>(
    path: &Path,
    transformer: Arc<dyn ValueTransformer>,
) -> Result<RewriteSummary, OpenError> {
    let _lock = lock(path, || std::thread::sleep(LOCK_POLL_INTERVAL))?;
    let failed = |error| OpenError::from_sqlite(path, error);
    let known = newest::read(path).map_err(|error| OpenError::from_io(&newest::path(path), error))?;
    check_files(path, known)?;
    let connection = connect(path).map_err(failed)?;
    keep_log_on_close(&connection, true).map_err(failed)?;
    if schema::recognize(&connection, path)? != Format::Current {
        return Err(OpenError::Outdated { path: path.to_owned() });
    }
    let options = Options { transformer: Arc::clone(&transformer), ..Options::default() };
    configure(&connection, &options).map_err(|error| OpenError::from_damaged(path, error))?;
    let (store, position) = schema::position(&connection, path)?;
    let loaded = read_and_check::<P>(&connection, path, (store, position), known, &options)?;
    let newest = loaded.newest.revision;
    let next = match known {
        // As when a server starts on it: clients that have seen lost writes list again.
        Found::Accepted => Revision(newest.0.saturating_add(REVISION_STEP)),
        _ => newest,
    };
    let rewritten = transaction(&connection, |connection| {
        let position = advance(connection, store, position, newest, next)?;
        rewrite(connection, (store, position), &*transformer)
    })
    .map_err(failed)?;
    NewestFile::start(path, &Newest { store, revision: next, row: None })
        .map_err(|error| OpenError::from_io(&newest::path(path), error))?;
    // Free pages and the log still hold earlier values.
    connection.execute_batch("VACUUM").map_err(failed)?;
    checkpoint(&connection, Checkpoint::Truncate).map_err(failed)?;
    connection.close().map_err(|(_, error)| failed(error))?;
    Ok(RewriteSummary {
        objects: loaded.state.index.len(),
        rewritten,
        damaged: loaded.state.damaged.into_values().collect(),
    })
}

/// A value that gets another form.
struct Replacement {
    revision: Revision,
    value: Bytes,
    checksum: RowChecksum,
}

/// Rewrites the rows, all of which are state, and the totals. Returns how many had another form.
fn rewrite(
    connection: &Connection,
    (store, position): (StoreId, Position),
    transformer: &dyn ValueTransformer,
) -> rusqlite::Result<usize> {
    let revisions: Vec<i64> = {
        let mut statement = connection.prepare("SELECT revision FROM log ORDER BY revision")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    let mut read = connection.prepare(&format!("SELECT {COLUMNS} FROM log WHERE revision = ?1"))?;
    let mut write = connection.prepare(REPLACE)?;
    let mut totals = Totals::default();
    let mut rewritten = 0;
    for revision in revisions {
        let row = read.query_row([revision], |row| LogRow::read(row, store))?;
        // Damage was found before, with its cause, so that this cannot happen.
        let row = row.map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        match replacement(&row, store, transformer) {
            Some(new) => {
                write.execute(params![to_sql(new.revision), &new.value[..], new.checksum.to_sql()])?;
                totals.add(new.checksum);
                rewritten += 1;
            }
            None => totals.add(row.checksum),
        }
    }
    schema::update_position(connection, store, &Position { totals, ..position })?;
    Ok(rewritten)
}

/// The new form of a row; `None` if it has it, or cannot be read.
fn replacement(row: &LogRow, store: StoreId, transformer: &dyn ValueTransformer) -> Option<Replacement> {
    let RowValue::Intact(stored) = &row.value else { return None };
    let read: Result<_, TransformError> = transformer.transform_from_storage(&row.key, stored.clone());
    let value = read.ok().filter(|read| read.is_stale)?.bytes;
    let value = transformer.transform_to_storage(&row.key, value);
    let header = RowHeader {
        revision: row.revision,
        key: &row.key,
        created: row.created,
        previous: row.previous,
        written: i64::try_from(row.written.as_millis()).unwrap_or_default(),
        has_value: true,
    };
    let checksum = RowChecksum::of(store, &header, &value);
    Some(Replacement { revision: row.revision, value, checksum })
}
