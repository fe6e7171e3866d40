//! The durable half: every committed batch is in an SQLite database before anybody sees it.
//!
//! ```text
//! commit ─► queue ─► writer thread: group ─► draft ─► one transaction ─► publish ─► answers
//!                                                          │
//!                                   checkpointer thread: write-ahead log ─► database file
//! ```
//!
//! Reads never come here. One thread owns the database and decides: batches that arrive while the disk syncs make up the
//! next transaction, and while several write at a time it waits a moment for more.

mod checkpointer;
mod database;
mod fault;
mod retention;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use crate::batch::{Batch, CommitError, Unavailable, Write};
use crate::options::Options;
use crate::state::Shared;
use crate::versioned::{Event, Payload};

pub use fault::OpenError;

use database::Database;
use writer::{Commit, Request, Writer};

/// Batches that wait for the writer. When it is full, committers wait for room.
const QUEUE: usize = 1024;

/// The way to the writer thread.
pub(crate) struct Durable<P> {
    requests: mpsc::Sender<Request<P>>,
    path: Arc<Path>,
    is_closed: AtomicBool,
    /// Its other half goes when the writer has closed the files.
    finished: watch::Receiver<()>,
}

impl<P: Payload> Durable<P> {
    /// Opens or makes the database, reads it into memory and starts the writer. Blocks.
    pub(crate) fn open(path: &Path, options: Options) -> Result<(Self, Arc<Shared<P>>), OpenError> {
        let mut database = Database::open(path, &options)?;
        let (state, retention) = database.load::<P>(&options)?;
        let shared = Arc::new(Shared::new(state));
        let (sender, requests) = mpsc::channel(QUEUE);
        let writer = Writer::new(database, retention, options.clock, Arc::clone(&shared))?;
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
        Ok((Self { requests: sender, path: path.into(), is_closed, finished }, shared))
    }

    pub(crate) async fn commit(&self, batch: Batch<P>) -> Result<Vec<Event<P>>, CommitError<P>> {
        // Encoded here, so that the one writer thread does not have to.
        let values = batch.writes.iter().map(encoded).collect();
        let (reply, answer) = oneshot::channel();
        let request = Request::Commit(Commit { batch, values, reply });
        self.requests.send(request).await.map_err(|_| self.stopped())?;
        answer.await.map_err(|_| self.stopped())?
    }

    /// Lets the writer finish what it accepted, and waits until the files are closed.
    pub(crate) async fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        // An error means that the writer is ending already.
        let _ = self.requests.send(Request::Close).await;
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

fn encoded<P: Payload>(write: &Write<P>) -> Option<Bytes> {
    match write {
        Write::Put(_, value) => Some(value.encode()),
        Write::Delete(_) => None,
    }
}

#[cfg(test)]
mod tests;
