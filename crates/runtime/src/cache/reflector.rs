//! Keeps the state of a cache equal to the server's: list, watch, resume, and start over when history is gone.
//!
//! ```text
//!   StreamingList ──closing bookmark──► follow ──end of stream──► Watch ──► follow ─┐
//!         │ any failure                                             ▲  ▲            │
//!         └──────────► List ────────────────────────────────────────┘  └────────────┤
//!   ▲                                                                               │
//!   └── 410, version too large or lower than before, or three watches in a row that failed ──┘
//! ```
//!
//! [`Progress`] decides which request comes next; this file sends it and applies what it returns.

mod check;
mod listing;
mod progress;

use std::sync::Arc;
use std::time::Duration;

use portolan_net::TraceContext;
use portolan_object::ObjectKey;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Span;

use crate::backoff::Backoff;
use crate::cache::Content;
use crate::cache::compact::RECENT_TIME;
use crate::cache::contact::Refusal;
use crate::cache::state::SharedCache;
use crate::client::{Api, ClientError, Seen, Selection, WatchEvent, WatchStart, WatchStream};
use crate::cluster_name::ClusterName;
use crate::limits::{Budget, Excess};
use check::VersionCheck;
use listing::Listing;
use progress::{End, Failure, Pause, Progress, Request};

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
/// Time between two events of a streaming list. Servers that do not know streaming lists never send the closing
/// bookmark.
const STREAMING_LIST_SILENCE: Duration = Duration::from_secs(3);
/// Time for a whole streaming list; after it, a list in pages gets its turn.
const STREAMING_LIST_TIMEOUT: Duration = Duration::from_secs(60);
/// A watch that ends sooner without an event has failed; one that lasts longer works (client-go has the same second).
const SHORT_WATCH: Duration = Duration::from_secs(1);
/// Time after which a watch has lasted, so that the pauses between lists may be short again.
const SETTLED_WATCH: Duration = Duration::from_secs(10);
/// Longest time without contact after which a watch is resumed. A server keeps the history of a few minutes; and one that
/// was restored from a backup meanwhile may have reached the old version again with other objects.
const MAX_RESUME_AGE: Duration = Duration::from_secs(600);
/// Objects that are encoded before other tasks get their turn.
const COMPACTED_AT_ONCE: usize = 16;
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
    #[error(
        "the server is at version {present}, but sent version {seen} before: it was restored from a backup"
    )]
    WentBack { seen: String, present: String },
}

impl ReflectorError {
    fn end(&self) -> End {
        match self {
            Self::Client(error) => {
                End::Failed { failure: Failure::from(error), retry_after: error.retry_after() }
            }
            Self::Incomplete => Failure::Incomplete.into(),
            Self::ShortWatch => End::ShortWatch,
            Self::WentBack { .. } => Failure::WentBack.into(),
        }
    }

    /// What the server sent too much of.
    fn excess(&self) -> Option<&Excess> {
        if let Self::Client(ClientError::Excessive { excess, .. }) = self { Some(excess) } else { None }
    }

    /// Whether objects may have other content at the same version.
    fn has_lost_history(&self) -> bool {
        match self {
            Self::WentBack { .. } => true,
            Self::Client(error) => error.is_version_too_large(),
            Self::Incomplete | Self::ShortWatch => false,
        }
    }

    /// Whether the server refuses to serve the collection.
    fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Client(ClientError::NotFound(_)) => Some(Refusal::NotServed),
            Self::Client(ClientError::Forbidden(status)) if status.code == 403 => Some(Refusal::Forbidden),
            _ => None,
        }
    }
}

pub(super) struct Reflector<T> {
    api: Api<T>,
    selection: Selection,
    shared: Arc<SharedCache<T>>,
    synced: watch::Sender<bool>,
    progress: Progress,
    /// When the server was last heard.
    heard: Instant,
    /// Whether the collection was listed and not watched since.
    is_fresh: bool,
}

impl<T: Content> Reflector<T> {
    pub(super) fn new(
        api: Api<T>,
        selection: Selection,
        shared: Arc<SharedCache<T>>,
        synced: watch::Sender<bool>,
    ) -> Self {
        let progress = Progress::new(!api.client().may_stream_lists());
        let heard = Instant::now();
        Self { api, selection, shared, synced, progress, heard, is_fresh: false }
    }

    /// Never returns; the scope that spawned it drops it.
    pub(super) async fn run(mut self) {
        loop {
            if !self.api.client().may_stream_lists() {
                self.progress.set_must_list();
            }
            if self.heard.elapsed() > MAX_RESUME_AGE {
                self.progress.forget_version();
            }
            let Err(error) = self.send().await else { continue };
            if let (Some(excess), Some(budget)) = (error.excess(), self.budget()) {
                return self.stop(&budget, excess.clone()).await;
            }
            if error.has_lost_history() {
                self.shared.forget_versions();
            }
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
                self.watch(stream, true).await
            }
            Request::List(pages) => {
                let mut listing = Listing::new(self.api.client().budget());
                let shared = &self.shared;
                let keep = |seen: Seen<T>, _bytes: usize| listing.put(seen, shared);
                let version = self.api.read_list(&self.selection, *pages, keep).await?;
                self.replace(listing, &version);
                Ok(())
            }
            Request::Watch(version) => {
                let stream = self.api.watch(&self.selection, version).await?;
                self.watch(stream, false).await
            }
        }
    }

    /// Follows a watch to its end, and pauses if it was one of several short ones.
    async fn watch(&mut self, stream: WatchStream<T>, is_open: bool) -> Result<(), ReflectorError> {
        let started = Instant::now();
        let ended = self.follow(stream, is_open).await;
        let lasted = started.elapsed();
        if lasted >= SETTLED_WATCH {
            self.progress.settled();
        }
        ended?;
        if let Pause::Backoff { failures, .. } = self.progress.finished(lasted < SHORT_WATCH) {
            tokio::time::sleep(BACKOFF.random_delay(failures)).await;
        }
        Ok(())
    }

    fn budget(&self) -> Option<Arc<Budget>> {
        self.api.client().budget().cloned()
    }

    /// Ends the budget of the member and waits for the end of its scope. The cache keeps what it has.
    async fn stop(&self, budget: &Budget, excess: Excess) {
        let (resource, cluster) = (self.api.resource(), self.api.client().cluster());
        let cluster = cluster.map(ClusterName::as_str);
        tracing::debug!(cluster, %resource, %excess, "cache stops");
        self.shared.failed(format!("the server sent {excess}"), None, true);
        budget.end(&excess, resource.to_string());
        std::future::pending().await
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
        self.shared.failed(error.to_string(), error.refusal(), is_visible);
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
        let mut listing = Listing::new(self.api.client().budget());
        loop {
            let next = tokio::time::timeout(STREAMING_LIST_SILENCE, stream.next()).await;
            match next.map_err(|_| ReflectorError::Incomplete)?? {
                Some(WatchEvent::Added(seen) | WatchEvent::Modified(seen)) => {
                    let put = listing.put(seen, &self.shared);
                    put.map_err(|excess| stream.excessive(excess))?;
                }
                Some(WatchEvent::Deleted(seen)) => listing.remove(&seen.key),
                Some(WatchEvent::Bookmark { resource_version, initial_events_end: true }) => {
                    self.replace(listing, &resource_version);
                    self.contact();
                    return Ok(stream);
                }
                // `Known` does not occur: nothing is written into a cache before its first list.
                Some(WatchEvent::Bookmark { .. } | WatchEvent::Known { .. }) => {}
                None => return Err(ReflectorError::Incomplete),
            }
            // Many events in one piece must not keep the thread from other tasks.
            tokio::task::consume_budget().await;
        }
    }

    /// Applies events until the stream ends. `is_open`: the stream is known to work.
    async fn follow(&mut self, mut stream: WatchStream<T>, mut is_open: bool) -> Result<(), ReflectorError> {
        let short = Instant::now() + SHORT_WATCH;
        let (shared, budget) = (self.shared.clone(), self.budget());
        let is_resumed = !is_open && !self.is_fresh;
        self.is_fresh = false;
        let mut check = VersionCheck::new(&self.api, &self.selection.namespace, is_resumed);
        let mut changed = Instant::now();
        loop {
            let event = tokio::select! {
                event = stream.next_unless(|key, version| shared.is_known(key, version)) => event?,
                () = tokio::time::sleep_until(short), if !is_open => {
                    is_open = true;
                    self.contact();
                    continue;
                }
                (seen, present) = check.went_back(self.progress.version()) => {
                    return Err(self.went_back(seen, present));
                }
                () = tokio::time::sleep_until(changed + RECENT_TIME), if shared.has_recent() => {
                    shared.compact_recent(COMPACTED_AT_ONCE);
                    continue;
                }
            };
            changed = Instant::now();
            match event {
                Some(event) => {
                    is_open = true;
                    self.apply(event).map_err(|excess| stream.excessive(excess))?;
                }
                None if is_open => return Ok(()),
                None => return Err(ReflectorError::ShortWatch),
            }
            // Many events in one piece must not keep the thread from other tasks.
            tokio::task::consume_budget().await;
            if let Some(pause) = budget.as_ref().map(|budget| budget.pace()).filter(|pause| !pause.is_zero())
            {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Reports that the server lost history.
    fn went_back(&self, seen: String, present: String) -> ReflectorError {
        let client = self.api.client();
        let (cluster, resource) = (client.cluster(), self.api.resource());
        let cluster = cluster.map(ClusterName::as_str);
        tracing::warn!(
            cluster, %resource, seen, present,
            "the server's resource versions went back, as after a restore of its etcd; listing again"
        );
        client.count_rewind();
        ReflectorError::WentBack { seen, present }
    }

    fn apply(&mut self, event: WatchEvent<T>) -> Result<(), Excess> {
        let version = match event {
            WatchEvent::Added(seen) | WatchEvent::Modified(seen) => {
                let Seen { key, resource_version, object, trace } = seen;
                let span = self.span(&key, trace);
                span.in_scope(|| self.shared.put(key, &resource_version, object))?;
                resource_version
            }
            WatchEvent::Known { key, resource_version } => {
                self.shared.confirm(&key, &resource_version);
                resource_version
            }
            WatchEvent::Deleted(seen) => {
                let Seen { key, resource_version, object, trace } = seen;
                let span = self.span(&key, trace);
                span.in_scope(|| self.shared.remove(key, &resource_version, object));
                resource_version
            }
            WatchEvent::Bookmark { resource_version, .. } => resource_version,
        };
        self.contact();
        self.progress.observed(version);
        Ok(())
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
        self.heard = Instant::now();
        self.progress.is_open();
        if self.shared.contact() {
            tracing::info!(resource = %self.api.resource(), "cache has contact with its server again");
        }
    }

    fn replace(&mut self, listing: Listing<T>, resource_version: &str) {
        // Observers of the first list find a synced cache.
        let synced = || {
            self.synced.send_replace(true);
        };
        self.shared.replace(listing.complete(), resource_version, synced);
        self.progress.listed(resource_version);
        self.shared.listed();
        self.heard = Instant::now();
        self.is_fresh = true;
    }
}
