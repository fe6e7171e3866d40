//! The store itself: the handle that callers hold.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use prometheus_client::registry::Registry;

use crate::batch::{Batch, CommitError, Unavailable};
use crate::draft::Draft;
use crate::durable::{Durable, OpenError};
use crate::metrics;
use crate::options::{Limits, Options};
use crate::read::{Page, Query, ReadError};
use crate::state::{Shared, State};
use crate::versioned::{Event, Payload, Revision, Versioned};
use crate::watch::Watch;

/// A handle to one store; clones share it.
///
/// Reads never wait for the disk and see a write as soon as it is durable. A caller that got the answer of its
/// [`Store::commit`] finds its write in every later read.
pub struct Store<P: Payload> {
    shared: Arc<Shared<P>>,
    writer: Arc<Writer<P>>,
}

/// How a batch becomes durable.
enum Writer<P> {
    /// It does not: it is published at once, by the caller, one at a time.
    Memory(Mutex<Gate>),
    /// By the thread that owns the database.
    Durable(Durable<P>),
}

/// Whether the memory backend takes writes.
#[derive(PartialEq, Eq)]
enum Gate {
    Open,
    Closed,
}

impl<P: Payload> Clone for Store<P> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), writer: Arc::clone(&self.writer) }
    }
}

impl<P: Payload> fmt::Debug for Store<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("revision", &self.revision()).finish_non_exhaustive()
    }
}

impl<P: Payload> Store<P> {
    /// An empty store that is gone with its last handle.
    pub fn in_memory() -> Self {
        Self::in_memory_with(Limits::default())
    }

    /// As [`Store::in_memory`], with other bounds for the history.
    pub fn in_memory_with(limits: Limits) -> Self {
        Self {
            shared: Arc::new(Shared::new(State::new(Revision::default(), limits))),
            writer: Arc::new(Writer::Memory(Mutex::new(Gate::Open))),
        }
    }

    /// The store kept in the database file `path`, which is made with its directory unless it exists.
    ///
    /// A restart finds every acknowledged write and the recent history, so that watchers go on where they were. Other
    /// processes are kept out until the last handle is gone or [`Store::close`] has returned.
    ///
    /// # Errors
    /// [`OpenError`] naming the file and what to do; the file is then as it was.
    ///
    /// # Cost
    /// Reads the whole file into memory.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, Options::default()).await
    }

    /// As [`Store::open`], with other bounds.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with(path: &Path, options: Options) -> Result<Self, OpenError> {
        let file = path.to_owned();
        let opened = tokio::task::spawn_blocking(move || Durable::open(&file, options)).await;
        let failed = |source| OpenError::Failed { path: path.to_owned(), source: Box::new(source) };
        let (durable, shared) = opened.map_err(failed)??;
        Ok(Self { shared, writer: Arc::new(Writer::Durable(durable)) })
    }

    /// The newest committed revision.
    pub fn revision(&self) -> Revision {
        self.shared.state.read().revision
    }

    /// The oldest revision from which can be watched and at which can be listed.
    pub fn oldest(&self) -> Revision {
        self.shared.state.read().oldest()
    }

    /// The current value of a key.
    pub fn get(&self, key: &str) -> Option<Versioned<P>> {
        self.shared.state.read().index.get(key).cloned()
    }

    /// The values below a prefix, in key order, from one consistent snapshot.
    ///
    /// # Errors
    /// [`ReadError::Compacted`] when the history no longer covers `query.at`, [`ReadError::Future`] when no write has
    /// reached it.
    ///
    /// # Cost
    /// Pointers are copied, values are not. An older revision costs one step per event since.
    pub fn range(&self, query: &Query) -> Result<Page<P>, ReadError> {
        self.shared.range(query)
    }

    /// Commits a batch; returns one event per write, in order, once they are durable and visible.
    ///
    /// A caller that stops waiting does not take the batch back: it may still be committed.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] when a guard fails or a key to be deleted does not exist;
    /// [`CommitError::Unavailable`] when the store cannot write. Either way nothing changed.
    pub async fn commit(&self, batch: Batch<P>) -> Result<Vec<Event<P>>, CommitError<P>> {
        match &*self.writer {
            Writer::Memory(gate) => self.commit_inline(&gate.lock(), batch),
            Writer::Durable(durable) => durable.commit(batch).await,
        }
    }

    /// Watches the keys with a prefix, for every write after `after`.
    ///
    /// # Errors
    /// [`ReadError::Compacted`] when events after `after` were dropped. A revision in the future is not an error:
    /// the watch is silent until it is passed.
    pub fn watch(&self, prefix: &str, after: Revision) -> Result<Watch<P>, ReadError> {
        Watch::start(Arc::clone(&self.shared), prefix, after)
    }

    /// Stops accepting writes through any handle, waits for those accepted, and brings the files in order.
    ///
    /// Reads go on through other handles.
    pub async fn close(self) {
        match &*self.writer {
            Writer::Memory(gate) => *gate.lock() = Gate::Closed,
            Writer::Durable(durable) => durable.close().await,
        }
    }

    /// Adds the figures of this store to `registry`.
    pub fn register_metrics(&self, registry: &mut Registry) {
        metrics::register(&self.shared, registry);
    }

    fn commit_inline(&self, gate: &Gate, batch: Batch<P>) -> Result<Vec<Event<P>>, CommitError<P>> {
        if *gate == Gate::Closed {
            return Err(CommitError::Unavailable { source: Unavailable::Closed });
        }
        let started = Instant::now();
        let mut draft = Draft::new(&self.shared);
        draft.add(batch).inspect_err(|_| {
            self.shared.metrics.conflicts.inc();
        })?;
        let events = draft.into_events();
        let answer: Vec<_> = events.iter().map(|event| Event::clone(event)).collect();
        self.shared.publish(events);
        self.shared.metrics.committed(1, answer.len(), started.elapsed());
        Ok(answer)
    }
}

#[cfg(test)]
pub(crate) mod tests;
