//! Keeps a cache's state equal to the server's: list, watch, resume, and start over when history is gone.
//!
//! ```text
//!   ┌─► list ──► follow ──end of watch──► follow from the last version
//!   │              │
//!   └──────────────┴── 410 in the stream or in the answer
//! ```

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use portolan_object::ObjectKey;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::cache::Content;
use crate::cache::state::Shared;
use crate::client::{Api, ClientError, Seen, Selection, WatchEvent, WatchStart, WatchStream};

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
/// Servers before 1.27 ignore the wish for a streaming list and never send the closing bookmark.
const STREAMING_PATIENCE: Duration = Duration::from_secs(3);
/// A watch that ends sooner, and without an event, is not reopened at once.
const SHORT_WATCH: Duration = Duration::from_secs(1);

pub(super) struct Reflector<T> {
    api: Api<T>,
    selection: Selection,
    shared: Arc<Shared<T>>,
    synced: watch::Sender<bool>,
    /// Version of each object, to tell after a relist what changed.
    versions: HashMap<ObjectKey, String>,
    /// Where the next watch resumes; `None` asks for a list.
    resume: Option<String>,
    failures: u32,
}

impl<T: Content> Reflector<T> {
    pub(super) fn new(
        api: Api<T>,
        selection: Selection,
        shared: Arc<Shared<T>>,
        synced: watch::Sender<bool>,
    ) -> Self {
        Self { api, selection, shared, synced, versions: HashMap::new(), resume: None, failures: 0 }
    }

    /// Never returns; the scope that spawned it drops it.
    pub(super) async fn run(mut self) {
        loop {
            let started = Instant::now();
            let ended = match self.open().await {
                Ok(stream) => self.follow(stream).await,
                Err(error) => Err(error),
            };
            match ended {
                Ok(true) => {}
                Ok(false) if started.elapsed() >= SHORT_WATCH => {}
                Ok(false) => self.pause(None).await,
                Err(error) => {
                    if matches!(error, ClientError::Expired(_)) {
                        self.resume = None;
                    }
                    self.pause(Some(&error)).await;
                }
            }
        }
    }

    async fn pause(&mut self, error: Option<&ClientError>) {
        self.failures = self.failures.saturating_add(1);
        if let Some(error) = error {
            // The first failure is ordinary (a server restarts, history expires); a second is trouble.
            let resource = self.api.resource();
            if self.failures == 2 {
                tracing::warn!(%resource, %error, "cache has no contact with its server");
            } else {
                tracing::debug!(%resource, %error, failures = self.failures, "watch ended");
            }
            self.shared.set_trouble(Some(error.to_string()));
        }
        tokio::time::sleep(BACKOFF.random_delay(self.failures)).await;
    }

    fn recovered(&mut self) {
        if self.failures > 0 {
            self.failures = 0;
            self.shared.set_trouble(None);
        }
    }

    /// A stream of changes after the state that the cache holds, which is listed first where needed.
    async fn open(&mut self) -> Result<WatchStream<T>, ClientError> {
        if let Some(version) = &self.resume {
            return self.api.watch(&self.selection, version).await;
        }
        if self.api.client().may_stream_lists() {
            match self.open_streaming().await? {
                Some(stream) => return Ok(stream),
                None => self.api.client().cannot_stream_lists(),
            }
        }
        let list = self.api.list(&self.selection).await?;
        self.replace(list.items, list.resource_version.clone());
        self.api.watch(&self.selection, &list.resource_version).await
    }

    /// Lists through the watch itself; `None` when the server does not do that.
    async fn open_streaming(&mut self) -> Result<Option<WatchStream<T>>, ClientError> {
        let mut stream = match self.api.watch_from(&self.selection, WatchStart::Now).await {
            Ok(stream) => stream,
            Err(ClientError::Invalid(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut items = HashMap::new();
        loop {
            let Ok(next) = tokio::time::timeout(STREAMING_PATIENCE, stream.next()).await else {
                return Ok(None);
            };
            match next? {
                Some(WatchEvent::Added(seen) | WatchEvent::Modified(seen)) => {
                    items.insert(seen.key.clone(), seen);
                }
                Some(WatchEvent::Deleted(seen)) => {
                    items.remove(&seen.key);
                }
                Some(WatchEvent::Bookmark { resource_version, initial_events_end: true }) => {
                    self.replace(items.into_values().collect(), resource_version);
                    return Ok(Some(stream));
                }
                // Nothing is written before the first list, so nothing is known yet.
                Some(WatchEvent::Bookmark { .. } | WatchEvent::Known { .. }) => {}
                None => return Ok(None),
            }
        }
    }

    /// Applies events until the stream ends. True when there was any.
    async fn follow(&mut self, mut stream: WatchStream<T>) -> Result<bool, ClientError> {
        let mut had_events = false;
        let shared = self.shared.clone();
        while let Some(event) = stream.next_unless(|key, version| shared.is_known(key, version)).await? {
            had_events = true;
            self.recovered();
            self.apply(event);
        }
        Ok(had_events)
    }

    fn apply(&mut self, event: WatchEvent<T>) {
        match event {
            WatchEvent::Added(seen) | WatchEvent::Modified(seen) => {
                let Seen { key, resource_version, object } = seen;
                self.versions.insert(key.clone(), resource_version.clone());
                self.shared.put(key, &resource_version, object);
                self.resume = Some(resource_version);
            }
            WatchEvent::Known { key, resource_version } => {
                self.shared.confirm(&key, &resource_version);
                self.versions.insert(key, resource_version.clone());
                self.resume = Some(resource_version);
            }
            WatchEvent::Deleted(seen) => {
                let Seen { key, resource_version, object } = seen;
                self.versions.remove(&key);
                self.shared.remove(key, &resource_version, object);
                self.resume = Some(resource_version);
            }
            WatchEvent::Bookmark { resource_version, .. } => self.resume = Some(resource_version),
        }
    }

    fn replace(&mut self, items: Vec<Seen<T>>, resource_version: String) {
        let mut versions = HashMap::with_capacity(items.len());
        let mut objects = Vec::with_capacity(items.len());
        for seen in items {
            let Seen { key, resource_version, object } = seen;
            versions.insert(key.clone(), resource_version);
            objects.push((key, object));
        }
        let before = std::mem::take(&mut self.versions);
        // Observers of the first list find a synced cache.
        let synced = || {
            self.synced.send_replace(true);
        };
        let is_same = |key: &ObjectKey| before.get(key) == versions.get(key);
        self.shared.replace(objects, &resource_version, is_same, synced);
        self.versions = versions;
        self.resume = Some(resource_version);
        self.recovered();
    }
}
