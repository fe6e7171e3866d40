//! Moves the write-ahead log into the database file, off the write path.
//!
//! A thread with a connection of its own copies in the background. Under steady load it never catches up with the last
//! frame, and the log could not start over; past a limit the writer itself copies the little that is left.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::database::connect;

/// Pages of log after which the background copies: 4 MiB.
const STEP: usize = 500;
/// Pages of log after which the writer makes it start over: 64 MiB.
const LIMIT: usize = 8192;

pub(super) struct Checkpointer {
    /// `None` once it is told to end.
    signal: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Length of the log at the last signal.
    signalled: usize,
}

impl Checkpointer {
    pub(super) fn start(path: &Path) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let connection = connect(path)?;
        let (signal, signals) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || run(&connection, &signals))?;
        Ok(Self { signal: Some(signal), thread: Some(thread), signalled: 0 })
    }

    /// Reacts to the length of the log after a commit. True when the writer should copy the rest itself.
    pub(super) fn note(&mut self, pages: usize) -> bool {
        if pages < self.signalled {
            // The log started over.
            self.signalled = 0;
        }
        if pages >= self.signalled + STEP {
            self.signalled = pages;
            if let Some(signal) = &self.signal {
                // A full channel means that it is about to look anyway.
                let _ = signal.try_send(());
            }
        }
        pages >= LIMIT
    }

    /// Waits for the thread to end.
    pub(super) fn stop(&mut self) {
        self.signal = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(
                "the checkpoint thread panicked; the write-ahead log is complete, but was not copied"
            );
        }
    }
}

fn run(connection: &Connection, signals: &Receiver<()>) {
    while signals.recv().is_ok() {
        if let Err(error) = checkpoint(connection, "PASSIVE") {
            tracing::warn!(%error, "cannot checkpoint the store now, it is tried again later");
        }
    }
}

/// Copies the log. `PASSIVE` waits for nobody, `TRUNCATE` also empties the log file.
pub(super) fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<()> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_once_per_step_and_asks_for_help_at_the_limit() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("store.db");
        let other = Connection::open(&path).expect("opened");
        other.pragma_update(None, "journal_mode", "WAL").expect("set");
        let mut checkpointer = Checkpointer::start(&path).expect("started");
        // (length of the log, length at the last signal, whether the writer should help)
        let lengths = [
            (STEP - 1, 0, false),
            (STEP, STEP, false),
            (STEP + 1, STEP, false),
            (2 * STEP, 2 * STEP, false),
            (5, 0, false),
            (STEP, STEP, false),
            (LIMIT, LIMIT, true),
            (LIMIT + 1, LIMIT, true),
        ];
        for (length, signalled, wants_help) in lengths {
            assert_eq!(
                (checkpointer.note(length), checkpointer.signalled),
                (wants_help, signalled),
                "{length}"
            );
        }
        checkpointer.stop();
    }
}
