//! Connections to the SQLite file, and the checkpoint that the writer and the checkpoint thread share.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

/// Time to wait for another tool that has the file locked.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Modes of `PRAGMA wal_checkpoint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checkpoint {
    /// Copies as much of the log as it can without waiting.
    Passive,
    /// Waits for readers, copies the whole log and empties its file.
    Truncate,
}

/// Opens a connection to a file that exists.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// Whether closing the last connection copies the log into the database and removes it. Not before the log was checked: a
/// damaged one would be gone.
pub(super) fn keep_log_on_close(connection: &Connection, keep: bool) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep).map(drop)
}

/// SQLite's own check of the pages of a file.
///
/// # Errors
/// The first inconsistency.
pub(super) fn quick_check(connection: &Connection) -> rusqlite::Result<Result<(), String>> {
    let answer: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok(if answer == "ok" { Ok(()) } else { Err(answer) })
}

/// Copies the write-ahead log into the database file.
pub(super) fn checkpoint(connection: &Connection, mode: Checkpoint) -> rusqlite::Result<()> {
    let statement = match mode {
        Checkpoint::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        Checkpoint::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    connection.query_row(statement, [], |_| Ok(()))
}
