//! Output of one run of a container, bounded.
//!
//! One buffer is both the container log and the source for attached clients. Each reader has its own position; a slow
//! reader loses the oldest entries and never blocks the program.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::programs::Stream;

/// Size of the buffer; the oldest entries are dropped first.
const MAX_LOG_BYTES: usize = 1 << 20;
/// Longer lines are split into several entries (the line limit of container runtimes).
const MAX_ENTRY_BYTES: usize = 16 << 10;
/// Cost of an entry beside its bytes, so that the number of empty lines is bounded too.
const ENTRY_OVERHEAD_BYTES: usize = 64;

/// A line, or the part of a line that was written in one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Time of the write.
    pub at: Timestamp,
    /// Stream of the write.
    pub stream: Stream,
    /// The bytes; a line break only at their end.
    pub bytes: Bytes,
}

/// Output of one run of a container. Clones share state.
#[derive(Debug, Clone)]
pub struct ContainerLog {
    buffer: Arc<Mutex<Buffer>>,
    /// Number of entries written so far, and whether the log is closed.
    progress: Arc<watch::Sender<Progress>>,
}

#[derive(Debug, Default)]
struct Buffer {
    entries: VecDeque<LogEntry>,
    /// Sequence number of the oldest entry.
    first: u64,
    bytes: usize,
    /// Sequence number of the first entry that no reader has read.
    unread: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    entries: u64,
    closed: bool,
}

impl Default for ContainerLog {
    fn default() -> Self {
        Self { buffer: Arc::default(), progress: Arc::new(watch::Sender::default()) }
    }
}

impl ContainerLog {
    /// Appends bytes; bytes after [`ContainerLog::close`] are dropped.
    pub fn write(&self, stream: Stream, bytes: &[u8], at: Timestamp) {
        if bytes.is_empty() || self.progress.borrow().closed {
            return;
        }
        let entries = {
            let mut buffer = self.buffer.lock();
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                for piece in line.chunks(MAX_ENTRY_BYTES) {
                    buffer.push(LogEntry { at, stream, bytes: Bytes::copy_from_slice(piece) });
                }
            }
            buffer.first + buffer.entries.len() as u64
        };
        self.progress.send_modify(|progress| progress.entries = entries);
    }

    /// Marks the end of the output.
    pub fn close(&self) {
        self.progress.send_modify(|progress| progress.closed = true);
    }

    /// A reader that starts with the oldest entry.
    pub fn from_start(&self) -> LogReader {
        let next = self.buffer.lock().first;
        LogReader { log: self.clone(), progress: self.progress.subscribe(), next }
    }

    /// A reader that starts with the oldest entry that no reader has read.
    pub fn from_unread(&self) -> LogReader {
        let buffer = self.buffer.lock();
        let next = buffer.unread.max(buffer.first);
        LogReader { log: self.clone(), progress: self.progress.subscribe(), next }
    }

    /// A reader of new entries only.
    pub fn from_now(&self) -> LogReader {
        let buffer = self.buffer.lock();
        let next = buffer.first + buffer.entries.len() as u64;
        LogReader { log: self.clone(), progress: self.progress.subscribe(), next }
    }

    /// All entries of the buffer.
    pub fn entries(&self) -> Vec<LogEntry> {
        self.buffer.lock().entries.iter().cloned().collect()
    }
}

impl Buffer {
    fn push(&mut self, entry: LogEntry) {
        self.bytes += entry.bytes.len() + ENTRY_OVERHEAD_BYTES;
        self.entries.push_back(entry);
        while self.bytes > MAX_LOG_BYTES
            && let Some(oldest) = self.entries.pop_front()
        {
            self.bytes -= oldest.bytes.len() + ENTRY_OVERHEAD_BYTES;
            self.first += 1;
        }
    }
}

/// A reader with its position.
#[derive(Debug)]
pub struct LogReader {
    log: ContainerLog,
    progress: watch::Receiver<Progress>,
    next: u64,
}

/// Result of reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextEntry {
    /// The next entry.
    Entry(LogEntry),
    /// The end of the output.
    End,
}

impl LogReader {
    /// Waits for the next entry; dropped entries are skipped.
    pub async fn next(&mut self) -> NextEntry {
        loop {
            if let Some(entry) = self.try_next() {
                return NextEntry::Entry(entry);
            }
            if self.progress.borrow_and_update().closed {
                // An entry may have been added since the check above.
                return self.try_next().map_or(NextEntry::End, NextEntry::Entry);
            }
            if self.progress.borrow().entries <= self.next && self.progress.changed().await.is_err() {
                return NextEntry::End;
            }
        }
    }

    /// The next entry, if there is one.
    pub fn try_next(&mut self) -> Option<LogEntry> {
        let mut buffer = self.log.buffer.lock();
        self.next = self.next.max(buffer.first);
        let entry = buffer.entries.get(usize::try_from(self.next - buffer.first).ok()?)?.clone();
        self.next += 1;
        buffer.unread = buffer.unread.max(self.next);
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(log: &ContainerLog, text: &str) {
        log.write(Stream::Stdout, text.as_bytes(), Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn a_reader_of_unread_entries_skips_the_read_ones() {
        let log = ContainerLog::default();
        write(&log, "one\ntwo\n");
        log.from_start().try_next();
        write(&log, "three\n");
        let mut rest = log.from_unread();
        assert_eq!([text(rest.try_next()), text(rest.try_next())], ["two\n", "three\n"]);
        assert_eq!(rest.try_next(), None);
    }

    fn text(entry: Option<LogEntry>) -> String {
        entry.map_or_else(|| "nothing".to_owned(), |e| String::from_utf8_lossy(&e.bytes).into_owned())
    }

    #[test]
    fn readers_start_at_their_position() {
        let log = ContainerLog::default();
        write(&log, "one\ntwo");
        let (mut all, mut new) = (log.from_start(), log.from_now());
        write(&log, "\nthree\n");
        let all: Vec<String> = (0..5).map(|_| text(all.try_next())).collect();
        assert_eq!(all, ["one\n", "two", "\n", "three\n", "nothing"]);
        assert_eq!(text(new.try_next()), "\n");
    }

    #[tokio::test]
    async fn a_reader_waits_for_entries_and_for_the_end() {
        let log = ContainerLog::default();
        let mut cursor = log.from_start();
        let writer = async {
            write(&log, "late\n");
            tokio::task::yield_now().await;
            log.close();
            write(&log, "too late\n");
        };
        let reader = async { [cursor.next().await, cursor.next().await, cursor.next().await] };
        let (read, ()) = tokio::join!(reader, writer);
        assert!(matches!(&read[0], NextEntry::Entry(entry) if &entry.bytes[..] == b"late\n"));
        assert_eq!(&read[1..], [NextEntry::End, NextEntry::End]);
    }

    #[test]
    fn old_entries_leave_a_full_log() {
        let log = ContainerLog::default();
        let mut slow = log.from_start();
        let line = "x".repeat(1023) + "\n";
        for _ in 0..2 * MAX_LOG_BYTES / line.len() {
            write(&log, &line);
        }
        write(&log, "last\n");
        let kept = log.entries();
        assert!(kept.iter().map(|entry| entry.bytes.len()).sum::<usize>() <= MAX_LOG_BYTES);
        assert_eq!(text(kept.last().cloned()), "last\n");
        assert_eq!(text(slow.try_next()), line, "a slow reader continues with the oldest entry");
    }

    #[test]
    fn long_lines_are_cut() {
        let log = ContainerLog::default();
        write(&log, &"x".repeat(MAX_ENTRY_BYTES + 1));
        let lengths: Vec<usize> = log.entries().iter().map(|entry| entry.bytes.len()).collect();
        assert_eq!(lengths, [MAX_ENTRY_BYTES, 1]);
    }
}
