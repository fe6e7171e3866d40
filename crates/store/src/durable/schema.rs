//! The tables of the SQLite file, their versions, and the upgrade from the previous one.

use std::io;
use std::path::Path;

use rusqlite::{Connection, TransactionBehavior, params};

use super::checksum::{Position, RowChecksum, RowHeader, StoreId, Totals};
use super::error::OpenError;
use super::newest::Newest;
use super::row::{revision, to_sql};
use crate::versioned::Revision;

/// `PRAGMA application_id`: "Port" in ASCII.
const APPLICATION: i64 = 0x506f_7274;
/// `PRAGMA user_version`: the format that this version writes.
const FORMAT: i64 = 2;
/// The format without checksums, which is upgraded.
const FORMAT_WITHOUT_CHECKSUMS: i64 = 1;
/// Page size. Most objects share a page with their neighbours, which keeps the log short; with SQLite's default of 4096
/// bytes each would need its own pages. Existing files keep their page size.
const PAGE_BYTES: i64 = 8192;

const LOG: &str = "
    CREATE TABLE log (
        revision INTEGER PRIMARY KEY,
        key      TEXT NOT NULL,
        created  INTEGER NOT NULL, -- revision that created the key; 0 when this row deletes it
        previous INTEGER NOT NULL, -- revision of the value before; 0 when there was none
        written  INTEGER NOT NULL, -- milliseconds since the Unix epoch
        value    BLOB,             -- NULL when this row deletes the key
        checksum INTEGER NOT NULL  -- two CRC-32: of the row, and of the value
    ) STRICT;
";
const POSITION: &str = "
    CREATE TABLE position (
        store    BLOB PRIMARY KEY, -- random identity
        revision INTEGER NOT NULL, -- rows up to this revision are state, later ones are history
        rows     INTEGER NOT NULL, -- number of those rows
        sum      INTEGER NOT NULL, -- sum of their checksums
        checksum INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Nothing yet.
    Empty,
    /// The previous format.
    WithoutChecksums,
    /// The format of this version.
    Current,
}

/// The format of an open file.
pub(super) fn recognize(connection: &Connection, path: &Path) -> Result<Format, OpenError> {
    let failed = |error| OpenError::from_damaged(path, error);
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(failed);
    let application = number("PRAGMA application_id")?;
    let found = number("PRAGMA user_version")?;
    let is_empty = number("SELECT count(*) FROM sqlite_schema")? == 0;
    match (application, found) {
        (0, 0) if is_empty => Ok(Format::Empty),
        (APPLICATION, FORMAT) => Ok(Format::Current),
        (APPLICATION, FORMAT_WITHOUT_CHECKSUMS) => Ok(Format::WithoutChecksums),
        (APPLICATION, _) => Err(OpenError::Version { path: path.to_owned(), found, supported: FORMAT }),
        _ => Err(OpenError::Foreign { path: path.to_owned() }),
    }
}

/// Makes the tables of an empty store.
pub(super) fn format(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(LOG)?;
    transaction.execute_batch(POSITION)?;
    let store = new_identity(&transaction)?;
    let position = Position { compacted: Revision::default(), totals: Totals::default() };
    insert_position(&transaction, store, &position)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// Adds checksums to a store of the previous format, in one transaction. The values are taken as they are. Calls
/// `before_commit` with the newest write.
pub(super) fn upgrade(
    connection: &mut Connection,
    path: &Path,
    before_commit: impl FnOnce(&Newest) -> io::Result<()>,
) -> Result<(), OpenError> {
    let failed = |error| OpenError::from_damaged(path, error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let newest = add_checksums(&transaction).map_err(failed)?;
    before_commit(&newest).map_err(|error| OpenError::from_io(path, error))?;
    transaction.commit().map_err(failed)
}

fn add_checksums(transaction: &Connection) -> rusqlite::Result<Newest> {
    let compacted =
        transaction.query_row("SELECT revision FROM position WHERE name = 'compacted'", [], |row| {
            revision(row, 0)
        })?;
    transaction.execute_batch("DROP TABLE position; ALTER TABLE log RENAME TO old;")?;
    transaction.execute_batch(LOG)?;
    transaction.execute_batch(POSITION)?;
    let store = new_identity(transaction)?;
    let mut totals = Totals::default();
    let mut newest = Newest { store, revision: compacted, row: None };
    {
        let mut rows = transaction
            .prepare("SELECT revision, key, created, previous, written, value FROM old ORDER BY revision")?;
        let mut insert = transaction.prepare("INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let key: String = row.get(1)?;
            let value = row.get_ref(5)?.as_blob_or_null()?;
            let header = RowHeader {
                revision: revision(row, 0)?,
                key: &key,
                created: revision(row, 2)?,
                previous: revision(row, 3)?,
                written: row.get(4)?,
                has_value: value.is_some(),
            };
            let checksum = RowChecksum::of(store, &header, value.unwrap_or_default());
            let (created, previous) = (to_sql(header.created), to_sql(header.previous));
            let revision = to_sql(header.revision);
            insert.execute(params![
                revision,
                key,
                created,
                previous,
                header.written,
                value,
                checksum.to_sql()
            ])?;
            match header.revision <= compacted {
                true => totals.add(checksum),
                false => newest = Newest { store, revision: header.revision, row: Some(checksum) },
            }
        }
    }
    transaction.execute_batch("DROP TABLE old")?;
    insert_position(transaction, store, &Position { compacted, totals })?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    Ok(newest)
}

fn new_identity(connection: &Connection) -> rusqlite::Result<StoreId> {
    connection.query_row("SELECT randomblob(16)", [], |row| row.get(0).map(StoreId))
}

fn insert_position(connection: &Connection, store: StoreId, position: &Position) -> rusqlite::Result<()> {
    let statement = "INSERT INTO position VALUES (?1, ?2, ?3, ?4, ?5)";
    let rows = position.totals.rows.cast_signed();
    let sum = position.totals.sum.cast_signed();
    let values = params![store.0, to_sql(position.compacted), rows, sum, position.checksum(store)];
    connection.execute(statement, values).map(drop)
}

/// Reads the identity and the position.
pub(super) fn position(connection: &Connection, path: &Path) -> Result<(StoreId, Position), OpenError> {
    let failed = |error| OpenError::from_damaged(path, error);
    let statement = "SELECT store, revision, rows, sum, checksum FROM position";
    let mut statement = connection.prepare(statement).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let damaged = || OpenError::corrupt(path, "the table of the position does not match its checksum");
    let row = rows.next().map_err(failed)?.ok_or_else(damaged)?;
    let read = || -> rusqlite::Result<_> {
        let totals = Totals {
            rows: row.get::<_, i64>(2)?.cast_unsigned(),
            sum: row.get::<_, i64>(3)?.cast_unsigned(),
        };
        let position = Position { compacted: revision(row, 1)?, totals };
        Ok((StoreId(row.get(0)?), position, row.get::<_, i64>(4)?))
    };
    let (store, position, checksum) = read().map_err(failed)?;
    let is_only = rows.next().map_err(failed)?.is_none();
    if !is_only || position.checksum(store) != checksum {
        return Err(damaged());
    }
    Ok((store, position))
}

/// Replaces the position.
pub(super) fn update_position(
    connection: &Connection,
    store: StoreId,
    position: &Position,
) -> rusqlite::Result<()> {
    let statement = "UPDATE position SET revision = ?1, rows = ?2, sum = ?3, checksum = ?4";
    let rows = position.totals.rows.cast_signed();
    let sum = position.totals.sum.cast_signed();
    let values = params![to_sql(position.compacted), rows, sum, position.checksum(store)];
    connection.prepare_cached(statement)?.execute(values).map(drop)
}
