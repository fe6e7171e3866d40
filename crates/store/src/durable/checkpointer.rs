//! Copies the write-ahead log into the database file, in the background.
//!
//! A thread with a second connection copies. Under steady load it never reaches the last frame, so the log would grow
//! without bound; above a limit the writer copies the rest itself, after which SQLite starts the log over.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::connection::{Checkpoint, checkpoint, connect};

/// Growth of the log, in pages, after which the background copies: 4 MiB.
const CHECKPOINT_PAGES: usize = 500;
/// Length of the log, in pages, above which the writer copies the rest: 64 MiB.
const MAX_LOG_PAGES: usize = 8192;

pub(super) struct Checkpointer {
    /// `None` after the thread was asked to end.
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

    /// Notes the length of the log after a commit. True if the writer should copy the rest itself.
    pub(super) fn note(&mut self, pages: usize) -> bool {
        if pages < self.signalled {
            // The log started over.
            self.signalled = 0;
        }
        if pages >= self.signalled + CHECKPOINT_PAGES {
            self.signalled = pages;
            if let Some(signal) = &self.signal {
                // If the channel is full, the thread is about to copy anyway.
                let _ = signal.try_send(());
            }
        }
        pages >= MAX_LOG_PAGES
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
        if let Err(error) = checkpoint(connection, Checkpoint::Passive) {
            tracing::warn!(%error, "cannot checkpoint the store now, it is tried again later");
        }
    }
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
            (CHECKPOINT_PAGES - 1, 0, false),
            (CHECKPOINT_PAGES, CHECKPOINT_PAGES, false),
            (CHECKPOINT_PAGES + 1, CHECKPOINT_PAGES, false),
            (2 * CHECKPOINT_PAGES, 2 * CHECKPOINT_PAGES, false),
            (5, 0, false),
            (CHECKPOINT_PAGES, CHECKPOINT_PAGES, false),
            (MAX_LOG_PAGES, MAX_LOG_PAGES, true),
            (MAX_LOG_PAGES + 1, MAX_LOG_PAGES, true),
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
