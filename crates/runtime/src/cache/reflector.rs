//! Keeps the state of a cache equal to the server's: list, watch, resume, and start over when history is gone.
//!
//! ```text
//!   StreamingList ──closing bookmark──► follow ──end of stream──► Watch ──► follow ─┐
//!         │ any failure                                             ▲  ▲            │
//!         └──────────► List ────────────────────────────────────────┘  └────────────┤
//!   ▲                                                                               │
//!   └── 410, version too large, or three watches in a row that failed ──────────────┘
//! ```
//!
//! [`Progress`] decides which request comes next; this file sends it and applies what it returns.

mod progress;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use portolan_net::TraceContext;
use portolan_object::ObjectKey;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Span;

use crate::backoff::Backoff;
use crate::cache::Content;
use crate::cache::state::SharedCache;
use crate::client::{Api, ClientError, Seen, Selection, WatchEvent, WatchStart, WatchStream};
use progress::{End, Failure, Pause, Progress, Request};

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
/// Time between two events of a streaming list. Servers that do not know streaming lists never send the closing
/// bookmark.
const STREAMING_LIST_SILENCE: Duration = Duration::from_secs(3);
/// Time for a whole streaming list; after it, a list in pages gets its turn.
const STREAMING_LIST_TIMEOUT: Duration = Duration::from_secs(60);
/// A watch that ends sooner without an event has failed; one that lasts longer works (client-go has the same second).
const SHORT_WATCH: Duration = Duration::from_secs(1);
/// Failures in a row that are ordinary: a server restarts, history expires.
const ORDINARY_FAILURES: u32 = 1;

/// Why a request of the reflector ended early.
#[derive(Debug, thiserror::Error)]
enum ReflectorError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the server ended a streaming list, or went silent, before its closing bookmark")]
    Incomplete,
    #[error("the server ends each watch within a second")]
    ShortWatch,
}

impl ReflectorError {
    fn end(&self) -> End {
        match self {
            Self::Client(error) => {
                End::Failed { failure: Failure::from(error), retry_after: error.retry_after() }
            }
            Self::Incomplete => Failure::Incomplete.into(),
            Self::ShortWatch => End::ShortWatch,
        }
    }

    fn is_not_served(&self) -> bool {
        matches!(self, Self::Client(ClientError::NotFound(_)))
    }
}

pub(super) struct Reflector<T> {
    api: Api<T>,
    selection: Selection,
    shared: Arc<SharedCache<T>>,
    synced: watch::Sender<bool>,
    /// Version of each object, to tell after a relist what changed.
    versions: HashMap<ObjectKey, String>,
    progress: Progress,
}

impl<T: Content> Reflector<T> {
    pub(super) fn new(
        api: Api<T>,
        selection: Selection,
        shared: Arc<SharedCache<T>>,
        synced: watch::Sender<bool>,
    ) -> Self {
        let progress = Progress::new(!api.client().may_stream_lists());
        Self { api, selection, shared, synced, versions: HashMap::new(), progress }
    }

    /// Never returns; the scope that spawned it drops it.
    pub(super) async fn run(mut self) {
        loop {
            if !self.api.client().may_stream_lists() {
                self.progress.set_must_list();
            }
            let Err(error) = self.send().await else { continue };
            let pause = self.progress.ended(error.end());
            if self.progress.must_list() {
                self.api.client().cannot_stream_lists();
            }
            self.pause(pause, &error).await;
        }
    }

    /// Sends the next request and applies what it returns, to its end. An error unless it ended in order.
    async fn send(&mut self) -> Result<(), ReflectorError> {
        match self.progress.request() {
            Request::StreamingList => {
                let streaming = tokio::time::timeout(STREAMING_LIST_TIMEOUT, self.stream_list());
                let stream = streaming.await.unwrap_or(Err(ReflectorError::Incomplete))?;
                self.follow(stream, true).await
            }
            Request::List(pages) => {
                let list = self.api.list_in(&self.selection, *pages).await?;
                self.replace(list.items, &list.resource_version);
                Ok(())
            }
            Request::Watch(version) => {
                let stream = self.api.watch(&self.selection, version).await?;
                self.follow(stream, false).await
            }
        }
    }

    async fn pause(&mut self, pause: Pause, error: &ReflectorError) {
        let resource = self.api.resource();
        let Pause::Backoff { failures, at_least } = pause else {
            tracing::debug!(%resource, %error, "request ended, sending another kind");
            return;
        };
        if failures == ORDINARY_FAILURES + 1 {
            tracing::warn!(%resource, %error, "cache has no contact with its server");
        } else {
            tracing::debug!(%resource, %error, failures, "watch ended");
        }
        let is_visible = failures > ORDINARY_FAILURES;
        self.shared.failed(error.to_string(), error.is_not_served(), is_visible);
        let started = Instant::now();
        let delay = BACKOFF.random_delay(failures).max(at_least);
        tokio::time::sleep(at_least).await;
        tokio::select! {
            () = tokio::time::sleep_until(started + delay) => {}
            () = self.shared.retried() => {}
        }
    }

    /// Reads the collection through a watch. The stream continues after the closing bookmark.
    async fn stream_list(&mut self) -> Result<WatchStream<T>, ReflectorError> {
        let mut stream = self.api.watch_from(&self.selection, WatchStart::Now).await?;
        let mut items = HashMap::new();
        loop {
            let next = tokio::time::timeout(STREAMING_LIST_SILENCE, stream.next()).await;
            match next.map_err(|_| ReflectorError::Incomplete)?? {
                Some(WatchEvent::Added(seen) | WatchEvent::Modified(seen)) => {
                    items.insert(seen.key.clone(), seen);
                }
                Some(WatchEvent::Deleted(seen)) => {
                    items.remove(&seen.key);
                }
                Some(WatchEvent::Bookmark { resource_version, initial_events_end: true }) => {
                    self.replace(items.into_values().collect(), &resource_version);
                    self.contact();
                    return Ok(stream);
                }
                // `Known` does not occur: nothing is written into a cache before its first list.
                Some(WatchEvent::Bookmark { .. } | WatchEvent::Known { .. }) => {}
                None => return Err(ReflectorError::Incomplete),
            }
        }
    }

    /// Applies events until the stream ends. `is_open`: the stream is known to work.
    async fn follow(&mut self, mut stream: WatchStream<T>, mut is_open: bool) -> Result<(), ReflectorError> {
        let short = Instant::now() + SHORT_WATCH;
        let shared = self.shared.clone();
        loop {
            let next = stream.next_unless(|key, version| shared.is_known(key, version));
            let event = if is_open {
                next.await?
            } else if let Ok(event) = tokio::time::timeout_at(short, next).await {
                event?
            } else {
                is_open = true;
                self.contact();
                continue;
            };
            match event {
                Some(event) => {
                    is_open = true;
                    self.apply(event);
                }
                None if is_open => return Ok(()),
                None => return Err(ReflectorError::ShortWatch),
            }
        }
    }

    fn apply(&mut self, event: WatchEvent<T>) {
        let version = match event {
            WatchEvent::Added(seen) | WatchEvent::Modified(seen) => {
                let Seen { key, resource_version, object, trace } = seen;
                self.versions.insert(key.clone(), resource_version.clone());
                let span = self.span(&key, trace);
                span.in_scope(|| self.shared.put(key, &resource_version, object));
                resource_version
            }
            WatchEvent::Known { key, resource_version } => {
                self.shared.confirm(&key, &resource_version);
                self.versions.insert(key, resource_version.clone());
                resource_version
            }
            WatchEvent::Deleted(seen) => {
                let Seen { key, resource_version, object, trace } = seen;
                self.versions.remove(&key);
                let span = self.span(&key, trace);
                span.in_scope(|| self.shared.remove(key, &resource_version, object));
                resource_version
            }
            WatchEvent::Bookmark { resource_version, .. } => resource_version,
        };
        self.contact();
        self.progress.observed(version);
    }

    /// The span in which observers learn of a change, so that keys they add to queues continue its trace.
    fn span(&self, key: &ObjectKey, trace: Option<TraceContext>) -> Span {
        let Some(trace) = trace else { return Span::none() };
        let span = tracing::debug_span!("change", resource = %self.api.resource(), %key);
        trace.set_parent_of(&span);
        span
    }

    /// Notes that the watch works.
    fn contact(&mut self) {
        self.progress.is_open();
        if self.shared.contact() {
            tracing::info!(resource = %self.api.resource(), "cache has contact with its server again");
        }
    }

    fn replace(&mut self, items: Vec<Seen<T>>, resource_version: &str) {
        let mut versions = HashMap::with_capacity(items.len());
        let mut objects = Vec::with_capacity(items.len());
        for seen in items {
            let Seen { key, resource_version, object, .. } = seen;
            versions.insert(key.clone(), resource_version);
            objects.push((key, object));
        }
        let before = std::mem::take(&mut self.versions);
        // Observers of the first list find a synced cache.
        let synced = || {
            self.synced.send_replace(true);
        };
        let is_same = |key: &ObjectKey| before.get(key) == versions.get(key);
        self.shared.replace(objects, resource_version, is_same, synced);
        self.versions = versions;
        self.progress.listed(resource_version);
        self.shared.listed();
    }
}
