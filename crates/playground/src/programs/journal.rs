//! What a container has written, as far back as it is kept.
//!
//! One bounded journal per run of a container is both its log and the source of its attached viewers: each reader is
//! a cursor, so a slow one loses the oldest entries and never holds the program back.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::programs::Stream;

/// Bytes kept per run of a container; the oldest entries leave first.
const KEPT_BYTES: usize = 1 << 20;
/// Longer writes are cut into several entries (the container runtimes' limit for a line).
const ENTRY_BYTES: usize = 16 << 10;
/// What an entry costs beside its bytes, so that a journal of empty lines is bounded as well.
const ENTRY_COST: usize = 64;

/// A line, or the part of a line that was written at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it was written.
    pub at: Timestamp,
    /// Where it was written.
    pub stream: Stream,
    /// The bytes; a line break only at their end.
    pub bytes: Bytes,
}

/// The output of one run of a container. Clones share it.
#[derive(Debug, Clone)]
pub struct Journal {
    pages: Arc<Mutex<Pages>>,
    /// The number of entries ever written, and whether there will be more.
    written: Arc<watch::Sender<Written>>,
}

#[derive(Debug, Default)]
struct Pages {
    entries: VecDeque<Entry>,
    /// The number of the oldest entry that is kept.
    first: u64,
    bytes: usize,
    /// The number of the first entry that no reader has got yet.
    unread: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Written {
    entries: u64,
    closed: bool,
}

impl Default for Journal {
    fn default() -> Self {
        Self { pages: Arc::default(), written: Arc::new(watch::Sender::default()) }
    }
}

impl Journal {
    /// Appends bytes; what comes after the journal was closed is dropped.
    pub fn write(&self, stream: Stream, bytes: &[u8], at: Timestamp) {
        if bytes.is_empty() || self.written.borrow().closed {
            return;
        }
        let entries = {
            let mut pages = self.pages.lock();
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                for piece in line.chunks(ENTRY_BYTES) {
                    pages.push(Entry { at, stream, bytes: Bytes::copy_from_slice(piece) });
                }
            }
            pages.first + pages.entries.len() as u64
        };
        self.written.send_modify(|written| written.entries = entries);
    }

    /// Tells the readers that nothing follows.
    pub fn close(&self) {
        self.written.send_modify(|written| written.closed = true);
    }

    /// A reader that starts with the oldest entry that is kept.
    pub fn from_start(&self) -> Cursor {
        let next = self.pages.lock().first;
        Cursor { journal: self.clone(), written: self.written.subscribe(), next }
    }

    /// A reader that starts with the oldest entry that no reader has got yet.
    pub fn from_unread(&self) -> Cursor {
        let pages = self.pages.lock();
        let next = pages.unread.max(pages.first);
        Cursor { journal: self.clone(), written: self.written.subscribe(), next }
    }

    /// A reader of what is written from now on.
    pub fn from_now(&self) -> Cursor {
        let pages = self.pages.lock();
        let next = pages.first + pages.entries.len() as u64;
        Cursor { journal: self.clone(), written: self.written.subscribe(), next }
    }

    /// All entries that are kept.
    pub fn entries(&self) -> Vec<Entry> {
        self.pages.lock().entries.iter().cloned().collect()
    }
}

impl Pages {
    fn push(&mut self, entry: Entry) {
        self.bytes += entry.bytes.len() + ENTRY_COST;
        self.entries.push_back(entry);
        while self.bytes > KEPT_BYTES
            && let Some(oldest) = self.entries.pop_front()
        {
            self.bytes -= oldest.bytes.len() + ENTRY_COST;
            self.first += 1;
        }
    }
}

/// One reader of a journal.
#[derive(Debug)]
pub struct Cursor {
    journal: Journal,
    written: watch::Receiver<Written>,
    next: u64,
}

/// What a reader meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The next entry.
    Entry(Entry),
    /// The end; nothing follows.
    End,
}

impl Cursor {
    /// The next entry, waited for; entries that left the journal meanwhile are skipped.
    pub async fn next(&mut self) -> Seen {
        loop {
            if let Some(entry) = self.try_next() {
                return Seen::Entry(entry);
            }
            if self.written.borrow_and_update().closed {
                // An entry may have come in between.
                return self.try_next().map_or(Seen::End, Seen::Entry);
            }
            if self.written.borrow().entries <= self.next && self.written.changed().await.is_err() {
                return Seen::End;
            }
        }
    }

    /// The next entry if it is there.
    pub fn try_next(&mut self) -> Option<Entry> {
        let mut pages = self.journal.pages.lock();
        self.next = self.next.max(pages.first);
        let entry = pages.entries.get(usize::try_from(self.next - pages.first).ok()?)?.clone();
        self.next += 1;
        pages.unread = pages.unread.max(self.next);
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(journal: &Journal, text: &str) {
        journal.write(Stream::Stdout, text.as_bytes(), Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn what_one_reader_got_the_next_may_skip() {
        let journal = Journal::default();
        write(&journal, "one\ntwo\n");
        journal.from_start().try_next();
        write(&journal, "three\n");
        let mut rest = journal.from_unread();
        assert_eq!([text(rest.try_next()), text(rest.try_next())], ["two\n", "three\n"]);
        assert_eq!(rest.try_next(), None);
    }

    fn text(entry: Option<Entry>) -> String {
        entry.map_or_else(|| "nothing".to_owned(), |e| String::from_utf8_lossy(&e.bytes).into_owned())
    }

    #[test]
    fn readers_start_where_they_say() {
        let journal = Journal::default();
        write(&journal, "one\ntwo");
        let (mut all, mut new) = (journal.from_start(), journal.from_now());
        write(&journal, "\nthree\n");
        let all: Vec<String> = (0..5).map(|_| text(all.try_next())).collect();
        assert_eq!(all, ["one\n", "two", "\n", "three\n", "nothing"]);
        assert_eq!(text(new.try_next()), "\n");
    }

    #[tokio::test]
    async fn a_reader_waits_for_entries_and_for_the_end() {
        let journal = Journal::default();
        let mut cursor = journal.from_start();
        let writer = async {
            write(&journal, "late\n");
            tokio::task::yield_now().await;
            journal.close();
            write(&journal, "too late\n");
        };
        let reader = async { [cursor.next().await, cursor.next().await, cursor.next().await] };
        let (read, ()) = tokio::join!(reader, writer);
        assert!(matches!(&read[0], Seen::Entry(entry) if &entry.bytes[..] == b"late\n"));
        assert_eq!(&read[1..], [Seen::End, Seen::End]);
    }

    #[test]
    fn old_entries_leave_a_full_journal() {
        let journal = Journal::default();
        let mut slow = journal.from_start();
        let line = "x".repeat(1023) + "\n";
        for _ in 0..2 * KEPT_BYTES / line.len() {
            write(&journal, &line);
        }
        write(&journal, "last\n");
        let kept = journal.entries();
        assert!(kept.iter().map(|entry| entry.bytes.len()).sum::<usize>() <= KEPT_BYTES);
        assert_eq!(text(kept.last().cloned()), "last\n");
        assert_eq!(text(slow.try_next()), line, "a slow reader goes on with the oldest that is left");
    }

    #[test]
    fn long_lines_are_cut() {
        let journal = Journal::default();
        write(&journal, &"x".repeat(ENTRY_BYTES + 1));
        let lengths: Vec<usize> = journal.entries().iter().map(|entry| entry.bytes.len()).collect();
        assert_eq!(lengths, [ENTRY_BYTES, 1]);
    }
}
