//! The handle to a store.

use std::fmt;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use prometheus_client::registry::Registry;

use crate::batch::{Batch, CommitError, Unavailable};
use crate::collector;
use crate::damage::DamagedValue;
use crate::draft::Draft;
use crate::durable::{Durable, OpenError};
use crate::options::{Limits, Options};
use crate::read::{Page, Query, ReadError};
use crate::state::{SharedState, StoreState};
use crate::versioned::{Event, Payload, Revision, Versioned};
use crate::watch::Watch;

/// A handle to one store; clones share it.
///
/// Reads never wait for the disk and see a write as soon as it is durable. After [`Store::commit`] returned, each read sees
/// the write.
pub struct Store<P: Payload> {
    shared: Arc<SharedState<P>>,
    backend: Arc<Backend<P>>,
}

/// Where batches are written to.
enum Backend<P> {
    /// Nowhere: the caller publishes the batch itself. The lock keeps callers in order.
    Memory(Mutex<MemoryState>),
    /// To an SQLite database, by the writer thread.
    Durable(Durable<P>),
}

/// Whether the memory backend accepts writes.
#[derive(PartialEq, Eq)]
enum MemoryState {
    Open,
    Closed,
}

impl<P: Payload> Clone for Store<P> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), backend: Arc::clone(&self.backend) }
    }
}

impl<P: Payload> fmt::Debug for Store<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("revision", &self.revision()).finish_non_exhaustive()
    }
}

impl<P: Payload> Store<P> {
    /// An empty store in memory.
    pub fn in_memory() -> Self {
        Self::in_memory_with(Limits::default())
    }

    /// [`Store::in_memory`] with other bounds for the history.
    pub fn in_memory_with(limits: Limits) -> Self {
        Self {
            shared: Arc::new(SharedState::new(StoreState::new(Revision::default(), limits))),
            backend: Arc::new(Backend::Memory(Mutex::new(MemoryState::Open))),
        }
    }

    /// Opens the store in the database file `path`, and creates the file and its directory if they do not exist.
    ///
    /// A restart finds each acknowledged write and the recent history, so that watchers resume. A damaged value is left out
    /// and reported by [`Store::damaged_below`]; any other damage, and a log that ends early, is an error. The file is locked against
    /// other processes until the last handle is dropped or [`Store::close`] has returned.
    ///
    /// # Errors
    /// [`OpenError`] with the file and the next step; the file is unchanged.
    ///
    /// # Cost
    /// Reads the whole file into memory.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, Options::default()).await
    }

    /// [`Store::open`] with other bounds.
    ///
    /// # Errors
    /// The errors of [`Store::open`].
    pub async fn open_with(path: &Path, options: Options) -> Result<Self, OpenError> {
        let file = path.to_owned();
        let opened = tokio::task::spawn_blocking(move || Durable::open(&file, options)).await;
        let failed = |source| OpenError::Failed { path: path.to_owned(), source: Box::new(source) };
        let (durable, shared) = opened.map_err(failed)??;
        Ok(Self { shared, backend: Arc::new(Backend::Durable(durable)) })
    }

    /// The newest committed revision.
    pub fn revision(&self) -> Revision {
        self.shared.state.read().revision
    }

    /// The oldest revision for a watch or a read.
    pub fn oldest(&self) -> Revision {
        self.shared.state.read().oldest()
    }

    /// The current value of a key.
    pub fn get(&self, key: &str) -> Option<Versioned<P>> {
        self.shared.state.read().index.get(key).cloned()
    }

    /// The damaged value of a key, if it has one. [`Store::get`] and [`Store::range`] leave such keys out.
    pub fn damaged(&self, key: &str) -> Option<DamagedValue> {
        self.shared.state.read().damaged.get(key).cloned()
    }

    /// The damaged values of keys with a prefix, in key order.
    pub fn damaged_below(&self, prefix: &str) -> Vec<DamagedValue> {
        let state = self.shared.state.read();
        let from = state.damaged.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        from.take_while(|(key, _)| key.starts_with(prefix)).map(|(_, value)| value.clone()).collect()
    }

    /// Why the latest write was refused, if it was: the disk is full or faulty, or another process locks the database.
    pub fn refusal(&self) -> Option<Unavailable> {
        self.shared.refusal.lock().clone()
    }

    /// Whether the value of a key is on disk in a form that new values do not get, such as encrypted with an old key. Writing
    /// the same value again replaces it.
    pub fn is_stale(&self, key: &str) -> bool {
        self.shared.state.read().stale.contains(key)
    }

    /// The values of keys with a prefix, in key order, from one consistent snapshot.
    ///
    /// # Errors
    /// [`ReadError::Compacted`] if the history does not reach back to `query.at`, [`ReadError::Future`] if no write has
    /// reached it.
    ///
    /// # Cost
    /// Copies pointers, not values. An older revision costs one step per event since.
    pub fn range(&self, query: &Query) -> Result<Page<P>, ReadError> {
        self.shared.range(query)
    }

    /// The items of [`Store::range`], without the number of those beyond the limit. For readers that go through a
    /// collection at an older revision page by page.
    ///
    /// # Errors
    /// As [`Store::range`].
    pub fn items(&self, query: &Query) -> Result<Vec<Versioned<P>>, ReadError> {
        self.shared.items(query)
    }

    /// Values that writes after `after` and up to `to` replaced or deleted, of the first `limit` of these writes; and the last
    /// write that was looked at. Writes that the history does not have any more are left out.
    pub fn replaced(&self, after: Revision, to: Revision, limit: usize) -> (Vec<Arc<P>>, Revision) {
        self.shared.replaced(after, to, limit)
    }

    /// The number of keys with a prefix, at the cost of one step per about 128 of them.
    pub fn count(&self, prefix: &str) -> usize {
        self.shared.count(prefix)
    }

    /// Commits a batch. Returns one event per write, in order, after they are durable and visible.
    ///
    /// Not cancel safe: a batch may be committed although the caller stopped waiting.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] if a guard fails or a key to delete does not exist; [`CommitError::Damaged`] if the value of
    /// a key is damaged and is not deleted; [`CommitError::Unavailable`] if the store cannot write. Nothing changes then.
    pub async fn commit(&self, batch: Batch<P>) -> Result<Vec<Event<P>>, CommitError<P>> {
        match &*self.backend {
            Backend::Memory(state) => self.commit_inline(&state.lock(), batch),
            Backend::Durable(durable) => durable.commit(batch).await,
        }
    }

    /// Watches the writes of keys with a prefix after the revision `after`.
    ///
    /// # Errors
    /// [`ReadError::Compacted`] if events after `after` were dropped. A future revision is not an error: the watch starts
    /// after it.
    pub fn watch(&self, prefix: &str, after: Revision) -> Result<Watch<P>, ReadError> {
        Watch::start(Arc::clone(&self.shared), prefix, after)
    }

    /// Rejects further writes through all handles, waits for those that were accepted, and closes the files.
    ///
    /// Reads through other handles still work.
    pub async fn close(self) {
        match &*self.backend {
            Backend::Memory(state) => *state.lock() = MemoryState::Closed,
            Backend::Durable(durable) => durable.close().await,
        }
    }

    /// Adds the figures of this store to `registry`.
    pub fn register_metrics(&self, registry: &mut Registry) {
        collector::register(&self.shared, registry);
    }

    fn commit_inline(&self, state: &MemoryState, batch: Batch<P>) -> Result<Vec<Event<P>>, CommitError<P>> {
        if *state == MemoryState::Closed {
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
