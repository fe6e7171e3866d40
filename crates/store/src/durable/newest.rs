//! The file that holds the newest committed revision, beside the database.
//!
//! SQLite takes a write-ahead log that is damaged or cut off for a shorter one. The file tells the difference: it is
//! written after each transaction is durable and before the writes are acknowledged, so the database is never older. It is
//! not synced with each transaction, which would double the cost of a small write. After a power failure it may be older
//! than the database, which is harmless; after the end of a process it is exact.
//!
//! Two slots are written in turn, each in a sector of its own, so that a torn write leaves one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::checksum::{RowChecksum, StoreId};
use super::files::{private, with_suffix};
use crate::versioned::Revision;

const MAGIC: [u8; 8] = *b"PTLNEW\x00\x01";
/// Magic, identity, revision, checksum of the row, checksum of the slot.
const SLOT_BYTES: usize = 8 + 16 + 8 + 8 + 4;
/// Distance of the slots: a page of the system, and at least a sector.
const SLOT_DISTANCE: u64 = 4096;
/// What an operator writes into the file to take a database as it is.
const ACCEPT: &str = "accept";
/// Longest file that may hold [`ACCEPT`].
const MAX_ACCEPT_BYTES: u64 = 16;

/// The newest committed write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Newest {
    pub(super) store: StoreId,
    pub(super) revision: Revision,
    /// Checksums of the row with this revision; `None` if the store had no history then.
    pub(super) row: Option<RowChecksum>,
}

/// Content of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// There is no file.
    Missing,
    /// No slot is readable.
    Damaged,
    /// An operator accepts the loss of what the database does not hold.
    Accepted,
    Known(Newest),
}

/// The path of the file.
pub(super) fn path(database: &Path) -> PathBuf {
    with_suffix(database, "-newest")
}

/// Reads the file beside `database`.
pub(super) fn read(database: &Path) -> io::Result<Found> {
    let file = match File::open(path(database)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() <= MAX_ACCEPT_BYTES {
        let text = io::read_to_string(&file).unwrap_or_default();
        return Ok(if text.trim() == ACCEPT { Found::Accepted } else { Found::Damaged });
    }
    let mut newest = None;
    for offset in [0, SLOT_DISTANCE] {
        let mut slot = [0; SLOT_BYTES];
        match file.read_exact_at(&mut slot, offset) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
            Err(error) => return Err(error),
        }
        if let Some(found) = decode(&slot)
            && newest.is_none_or(|newest: Newest| newest.revision < found.revision)
        {
            newest = Some(found);
        }
    }
    Ok(newest.map_or(Found::Damaged, Found::Known))
}

/// Writes the file.
#[derive(Debug)]
pub(super) struct NewestFile {
    file: File,
    /// Offset of the slot to write next.
    next: u64,
}

impl NewestFile {
    /// Opens the file beside `database`, or creates it, and writes both slots durably.
    pub(super) fn start(database: &Path, newest: &Newest) -> io::Result<Self> {
        let path = path(database);
        let file = private().open(&path)?;
        let mut started = Self { file, next: 0 };
        // The second slot first: the first one still holds the former state if the write is torn.
        for offset in [SLOT_DISTANCE, 0] {
            started.next = offset;
            started.write(newest)?;
            started.file.sync_data()?;
        }
        started.file.set_len(2 * SLOT_DISTANCE)?;
        started.file.sync_all()?;
        super::files::sync_directory(&path)?;
        Ok(started)
    }

    /// Writes one slot. The system keeps it if this process ends.
    pub(super) fn write(&mut self, newest: &Newest) -> io::Result<()> {
        self.file.write_all_at(&encode(newest), self.next)?;
        self.next = SLOT_DISTANCE - self.next;
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

fn encode(newest: &Newest) -> [u8; SLOT_BYTES] {
    let mut slot = [0; SLOT_BYTES];
    let row = newest.row.map_or(0, RowChecksum::to_sql);
    let body = slot.len() - 4;
    let fields = [&MAGIC[..], &newest.store.0, &newest.revision.0.to_be_bytes(), &row.to_be_bytes()].concat();
    slot[..body].copy_from_slice(&fields);
    let checksum = crc32fast::hash(&slot[..body]);
    slot[body..].copy_from_slice(&checksum.to_be_bytes());
    slot
}

fn decode(slot: &[u8; SLOT_BYTES]) -> Option<Newest> {
    let (body, checksum) = slot.split_last_chunk::<4>()?;
    let (magic, rest) = body.split_first_chunk::<8>()?;
    let (store, rest) = rest.split_first_chunk::<16>()?;
    let (revision, row) = rest.split_first_chunk::<8>()?;
    let row = i64::from_be_bytes(*row.first_chunk::<8>()?);
    let is_valid = *magic == MAGIC && u32::from_be_bytes(*checksum) == crc32fast::hash(body);
    is_valid.then(|| Newest {
        store: StoreId(*store),
        revision: Revision(u64::from_be_bytes(*revision)),
        row: (row != 0).then(|| RowChecksum::from_sql(row)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(revision: u64) -> Newest {
        let row = (revision > 0).then(|| RowChecksum::from_sql(77));
        Newest { store: StoreId([3; 16]), revision: Revision(revision), row }
    }

    #[test]
    fn the_newest_readable_slot_counts() {
        let directory = tempfile::tempdir().expect("directory");
        let database = directory.path().join("store.db");
        assert_eq!(read(&database).expect("read"), Found::Missing);
        let mut file = NewestFile::start(&database, &newest(4)).expect("created");
        assert_eq!(read(&database).expect("read"), Found::Known(newest(4)));
        for revision in 5..8 {
            file.write(&newest(revision)).expect("written");
            assert_eq!(read(&database).expect("read"), Found::Known(newest(revision)));
        }
        // One damaged slot leaves the other; a reader never gets a revision that was not written.
        let intact = std::fs::read(path(&database)).expect("read");
        for bit in (0..SLOT_BYTES * 8).chain(4096 * 8..(4096 + SLOT_BYTES) * 8) {
            let mut damaged = intact.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(path(&database), damaged).expect("written");
            let found = read(&database).expect("read");
            assert!(
                [6, 7].map(|revision| Found::Known(newest(revision))).contains(&found),
                "{bit}: {found:?}"
            );
        }
    }

    #[test]
    fn other_contents() {
        let directory = tempfile::tempdir().expect("directory");
        let database = directory.path().join("store.db");
        let cases: [(&[u8], Found); 5] = [
            (b"", Found::Damaged),
            (b"accept\n", Found::Accepted),
            (b"accept everything", Found::Damaged),
            (&[0; 8192], Found::Damaged),
            (&[0xff; 44], Found::Damaged),
        ];
        for (content, want) in cases {
            std::fs::write(path(&database), content).expect("written");
            assert_eq!(read(&database).expect("read"), want, "{content:?}");
        }
    }
}
