//! Checksums of rows, and totals of many rows.
//!
//! A row has two CRC-32: one of its value, and one of everything else, which includes the first. If only the value is
//! damaged, the key is still certain, so one object is lost and can be named. Both include the identity of the store, so
//! that pages of another store are not taken for its own.

use crc32fast::Hasher;

use crate::versioned::Revision;

/// Random identity of one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoreId(pub(super) [u8; 16]);

/// Everything of a row but its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowHeader<'a> {
    pub(super) revision: Revision,
    pub(super) key: &'a str,
    pub(super) created: Revision,
    pub(super) previous: Revision,
    /// Milliseconds since the Unix epoch.
    pub(super) written: i64,
    /// Whether the row has a value; without one it deletes the key.
    pub(super) has_value: bool,
}

/// The checksums of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowChecksum {
    header: u32,
    value: u32,
}

impl RowChecksum {
    pub(super) fn of(store: StoreId, header: &RowHeader<'_>, value: &[u8]) -> Self {
        let value = of_value(value);
        Self { header: of_header(store, header, value), value }
    }

    pub(super) fn from_sql(number: i64) -> Self {
        let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
        Self { header: u32::from_be_bytes([a, b, c, d]), value: u32::from_be_bytes([e, f, g, h]) }
    }

    pub(super) fn to_sql(self) -> i64 {
        let [a, b, c, d] = self.header.to_be_bytes();
        let [e, f, g, h] = self.value.to_be_bytes();
        i64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// Whether the row is as it was written, apart from its value.
    pub(super) fn matches_header(self, store: StoreId, header: &RowHeader<'_>) -> bool {
        of_header(store, header, self.value) == self.header
    }

    /// Whether the value is as it was written.
    pub(super) fn matches_value(self, value: &[u8]) -> bool {
        of_value(value) == self.value
    }
}

fn of_value(value: &[u8]) -> u32 {
    crc32fast::hash(value)
}

fn of_header(store: StoreId, header: &RowHeader<'_>, value: u32) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&store.0);
    for number in [header.revision.0, header.created.0, header.previous.0] {
        hasher.update(&number.to_be_bytes());
    }
    hasher.update(&header.written.to_be_bytes());
    hasher.update(&[u8::from(header.has_value)]);
    hasher.update(&value.to_be_bytes());
    // Last, because its length varies.
    hasher.update(header.key.as_bytes());
    hasher.finalize()
}

/// The number of rows of a set, and the sum of their checksums: a row that is lost, added or replaced changes them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) rows: u64,
    pub(super) sum: u64,
}

impl Totals {
    pub(super) fn add(&mut self, row: RowChecksum) {
        self.rows = self.rows.wrapping_add(1);
        self.sum = self.sum.wrapping_add(row.to_sql().cast_unsigned());
    }

    pub(super) fn remove(&mut self, row: RowChecksum) {
        self.rows = self.rows.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(row.to_sql().cast_unsigned());
    }
}

/// The rows up to the compacted revision: the part of the log in which revisions have gaps, so that only the totals tell
/// whether a row is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) compacted: Revision,
    pub(super) totals: Totals,
}

impl Position {
    pub(super) fn checksum(&self, store: StoreId) -> i64 {
        let mut hasher = Hasher::new();
        hasher.update(&store.0);
        for number in [self.compacted.0, self.totals.rows, self.totals.sum] {
            hasher.update(&number.to_be_bytes());
        }
        i64::from(hasher.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: StoreId = StoreId([7; 16]);
    const HEADER: RowHeader<'_> = RowHeader {
        revision: Revision(9),
        key: "configmaps/a",
        created: Revision(3),
        previous: Revision(8),
        written: 1_700_000_000_000,
        has_value: true,
    };

    #[test]
    fn each_field_of_a_row_is_covered() {
        let checksum = RowChecksum::of(STORE, &HEADER, b"value");
        assert_eq!(RowChecksum::from_sql(checksum.to_sql()), checksum);
        assert!(checksum.matches_header(STORE, &HEADER) && checksum.matches_value(b"value"));
        assert!(!checksum.matches_value(b"valuf"));
        assert!(!checksum.matches_header(StoreId([8; 16]), &HEADER), "another store");
        let others = [
            ("revision", RowHeader { revision: Revision(10), ..HEADER }),
            ("key", RowHeader { key: "configmaps/b", ..HEADER }),
            ("created", RowHeader { created: Revision(2), ..HEADER }),
            ("previous", RowHeader { previous: Revision(7), ..HEADER }),
            ("written", RowHeader { written: 0, ..HEADER }),
            ("deletion", RowHeader { has_value: false, ..HEADER }),
        ];
        for (name, other) in others {
            assert!(!checksum.matches_header(STORE, &other), "{name}");
        }
        for bit in 0..64 {
            let damaged = RowChecksum::from_sql(checksum.to_sql() ^ (1 << bit));
            assert!(!damaged.matches_header(STORE, &HEADER), "bit {bit} of the checksum");
        }
    }

    #[test]
    fn totals_do_not_depend_on_the_order() {
        let row = |number| RowChecksum::from_sql(number);
        let (mut one, mut other) = (Totals::default(), Totals::default());
        for number in [i64::MAX, -5, 7] {
            one.add(row(number));
        }
        for number in [7, 12, i64::MAX, -5] {
            other.add(row(number));
        }
        assert_ne!(one, other);
        other.remove(row(12));
        assert_eq!(one, other);
    }
}
