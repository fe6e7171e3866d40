//! The durable backend: a batch is in an SQLite database before it is visible.
//!
//! ```text
//! commit ─► queue ─► writer thread: group ─► draft ─► one transaction ─► publish ─► answers
//!                                                          │
//!                                   checkpointer thread: write-ahead log ─► database file
//! ```
//!
//! Reads do not use the database. One thread owns it: batches that arrive during a transaction make up the next one, and
//! while the store is busy the thread waits a millisecond for more.

mod backup;
mod checkpointer;
mod checksum;
mod compaction;
mod connection;
mod database;
mod error;
mod files;
mod load;
mod newest;
mod retention;
mod rewrite;
mod row;
mod schema;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use crate::batch::{Batch, CommitError, Unavailable, Write};
use crate::options::Options;
use crate::state::SharedState;
use crate::transformer::ValueTransformer;
use crate::versioned::{Event, Payload};

pub use backup::{CopySummary, DatabaseLock, adopt_database, copy_database, lock_database};
pub use error::OpenError;
pub use rewrite::{RewriteSummary, rewrite_database};

use database::Database;
use writer::{Commit, DurableWriter, WriterRequest};

/// Batches in the queue of the writer. When it is full, callers wait.
const QUEUE_CAPACITY: usize = 1024;

/// Handle to the writer thread.
pub(crate) struct Durable<P> {
    requests: mpsc::Sender<WriterRequest<P>>,
    path: Arc<Path>,
    transformer: Arc<dyn ValueTransformer>,
    is_closed: AtomicBool,
    /// Closed after the writer has closed the files.
    finished: watch::Receiver<()>,
}

impl<P: Payload> Durable<P> {
    /// Opens or creates the database, reads it into memory and starts the writer. Blocks.
    pub(crate) fn open(path: &Path, options: Options) -> Result<(Self, Arc<SharedState<P>>), OpenError> {
        let (database, state, retention) = Database::open::<P>(path, &options)?;
        for damaged in state.damaged.values() {
            tracing::error!(
                key = &*damaged.key, revision = damaged.revision.0, reason = &*damaged.reason, path = %path.display(),
                "a stored object is damaged and is left out: restore it with `portolan restore`, or delete it"
            );
        }
        if !state.stale.is_empty() {
            tracing::warn!(
                objects = state.stale.len(), path = %path.display(),
                "stored objects are not encrypted as new ones are: write them again, or stop the server and run \
                 `portolan storage migrate`"
            );
        }
        let shared = Arc::new(SharedState::new(state));
        let (sender, requests) = mpsc::channel(QUEUE_CAPACITY);
        let transformer = options.transformer;
        let writer = DurableWriter::new(database, retention, options.clock, Arc::clone(&shared))?;
        let (running, finished) = watch::channel(());
        let failed = |source| OpenError::Failed { path: path.to_owned(), source: Box::new(source) };
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                writer.run(requests);
                drop(running);
            })
            .map_err(failed)?;
        let is_closed = AtomicBool::new(false);
        Ok((Self { requests: sender, path: path.into(), transformer, is_closed, finished }, shared))
    }

    pub(crate) async fn commit(&self, batch: Batch<P>) -> Result<Vec<Event<P>>, CommitError<P>> {
        // Encoded and encrypted in the caller's task, to relieve the writer thread.
        let values = batch.writes.iter().map(|write| encoded(write, &*self.transformer)).collect();
        let (reply, answer) = oneshot::channel();
        let request = WriterRequest::Commit(Commit { batch, values, reply });
        self.requests.send(request).await.map_err(|_| self.stopped())?;
        answer.await.map_err(|_| self.stopped())?
    }

    /// Lets the writer commit what it has accepted, and waits until the files are closed.
    pub(crate) async fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        // An error means that the writer has ended or is ending.
        let _ = self.requests.send(WriterRequest::Close).await;
        let _ = self.finished.clone().changed().await;
    }

    fn stopped(&self) -> CommitError<P> {
        let source = if self.is_closed.load(Ordering::Relaxed) {
            Unavailable::Closed
        } else {
            Unavailable::Faulty { path: self.path.to_path_buf(), reason: "its writer stopped".into() }
        };
        CommitError::Unavailable { source }
    }
}

fn encoded<P: Payload>(write: &Write<P>, transformer: &dyn ValueTransformer) -> Option<Bytes> {
    match write {
        Write::Put(key, value) => Some(transformer.transform_to_storage(key, value.encode())),
        Write::Delete(_) => None,
    }
}

#[cfg(test)]
mod tests;
