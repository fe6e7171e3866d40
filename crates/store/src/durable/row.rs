//! One row of the log, as it is read back and checked.

use std::time::Duration;

use bytes::Bytes;
use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::checksum::{RowChecksum, RowHeader, StoreId};
use crate::versioned::Revision;

/// The columns that [`LogRow::read`] expects.
pub(super) const COLUMNS: &str = "revision, key, created, previous, written, value, checksum";

/// One row of the log.
pub(super) struct LogRow {
    pub(super) revision: Revision,
    pub(super) key: String,
    pub(super) created: Revision,
    pub(super) previous: Revision,
    pub(super) written: Duration,
    pub(super) value: RowValue,
    pub(super) checksum: RowChecksum,
}

/// The value of a row.
pub(super) enum RowValue {
    /// The row deletes its key.
    Deletion,
    Intact(Bytes),
    /// The bytes are not those that were written.
    Damaged,
}

/// A row without a valid key or revision.
#[derive(Debug, thiserror::Error)]
#[error("the row of revision {0} does not match its checksum")]
pub(super) struct DamagedRow(i64);

impl LogRow {
    /// Reads a row and checks it.
    ///
    /// # Errors
    /// [`DamagedRow`] if anything but the value is not as it was written.
    pub(super) fn read(row: &Row<'_>, store: StoreId) -> rusqlite::Result<Result<Self, DamagedRow>> {
        let number: i64 = row.get(0)?;
        Ok(Self::check(row, number, store).ok_or(DamagedRow(number)))
    }

    fn check(row: &Row<'_>, number: i64, store: StoreId) -> Option<Self> {
        let integer = |column| row.get_ref(column).ok()?.as_i64().ok();
        let unsigned = |column| integer(column).and_then(|number| u64::try_from(number).ok());
        let key = std::str::from_utf8(row.get_ref(1).ok()?.as_bytes().ok()?).ok()?;
        let value = row.get_ref(5).ok()?;
        let header = RowHeader {
            revision: Revision(u64::try_from(number).ok()?),
            key,
            created: Revision(unsigned(2)?),
            previous: Revision(unsigned(3)?),
            written: integer(4)?,
            has_value: value != ValueRef::Null,
        };
        let checksum = RowChecksum::from_sql(integer(6)?);
        if !checksum.matches_header(store, &header) {
            return None;
        }
        let value = match value {
            ValueRef::Null => RowValue::Deletion,
            ValueRef::Blob(bytes) if checksum.matches_value(bytes) => {
                RowValue::Intact(Bytes::copy_from_slice(bytes))
            }
            _ => RowValue::Damaged,
        };
        Some(Self {
            revision: header.revision,
            key: key.to_owned(),
            created: header.created,
            previous: header.previous,
            written: Duration::from_millis(u64::try_from(header.written).unwrap_or_default()),
            value,
            checksum,
        })
    }
}

/// A column that holds a revision.
pub(super) fn revision(row: &Row<'_>, column: usize) -> rusqlite::Result<Revision> {
    let number: i64 = row.get(column)?;
    let out_of_range = |_| rusqlite::Error::IntegralValueOutOfRange(column, number);
    number.try_into().map(Revision).map_err(out_of_range)
}

pub(super) fn to_sql(revision: Revision) -> i64 {
    i64::try_from(revision.0).expect("revisions are read as i64, and each write adds one")
}
