//! Turns history into state: deletes the rows that it supersedes, and keeps the totals of the rest.

use rusqlite::{Connection, params};

use super::checksum::{Position, RowChecksum, StoreId};
use super::row::to_sql;
use super::schema;
use crate::versioned::Revision;

const ENTERING: &str = "SELECT checksum FROM log WHERE revision > ?1 AND revision <= ?2";
const DELETE: [&str; 2] = [
    "DELETE FROM log WHERE revision IN (SELECT previous FROM log WHERE revision > ?1 AND revision <= ?2) \
     RETURNING checksum",
    "DELETE FROM log WHERE revision > ?1 AND revision <= ?2 AND value IS NULL RETURNING checksum",
];

/// Compacts the history up to `to`. The caller provides the transaction, and takes the result when it is committed.
pub(super) fn compact(
    connection: &Connection,
    store: StoreId,
    from: Position,
    to: Revision,
) -> rusqlite::Result<Position> {
    if to <= from.compacted {
        return Ok(from);
    }
    let mut position = Position { compacted: to, ..from };
    for_each(connection, ENTERING, from.compacted, to, |row| position.totals.add(row))?;
    for statement in DELETE {
        for_each(connection, statement, from.compacted, to, |row| position.totals.remove(row))?;
    }
    schema::update_position(connection, store, &position)?;
    Ok(position)
}

/// Compacts all history, which ends at `newest`, and moves the revision of the store to `to`.
pub(super) fn advance(
    connection: &Connection,
    store: StoreId,
    from: Position,
    newest: Revision,
    to: Revision,
) -> rusqlite::Result<Position> {
    let compacted = compact(connection, store, from, newest)?;
    let position = Position { compacted: to, ..compacted };
    schema::update_position(connection, store, &position)?;
    Ok(position)
}

fn for_each(
    connection: &Connection,
    statement: &str,
    from: Revision,
    to: Revision,
    mut take: impl FnMut(RowChecksum),
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(statement)?;
    let mut rows = statement.query(params![to_sql(from), to_sql(to)])?;
    while let Some(row) = rows.next()? {
        take(RowChecksum::from_sql(row.get(0)?));
    }
    Ok(())
}
