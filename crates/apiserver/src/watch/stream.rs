//! [`WatchStream`]: start, waiting and end of one watch.

use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use portolan_net::clock::Clock;
use portolan_object::Status;
use portolan_store::{Event, Lagged, Query, ReadError, Revision, Store, Versioned, Watch};
use rand::RngExt as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::frames::{self, Frames};
use crate::call::Call;
use crate::read::{self, Selection};
use crate::record::Record;
use crate::request::options::ListOptions;
use crate::respond::{Body, BoxError};

/// Minimum duration of a watch without `timeoutSeconds`; the maximum is twice this, as upstream.
const MIN_WATCH_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// Time between bookmarks, on average.
const BOOKMARK_PERIOD: Duration = Duration::from_secs(60);

/// Time between the last bookmark and the end of the watch.
const LAST_BOOKMARK_LEAD: Duration = Duration::from_secs(2);

/// Size up to which frames that are ready are sent as one chunk, in bytes.
const FRAMES_CHUNK: usize = 64 * 1024;

/// Where a watch starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WatchStart {
    /// With all existing objects, in a state not older than the revision.
    State { least: Option<Revision> },
    /// With the events after a revision.
    After(Revision),
    /// With the next event.
    Now,
}

impl WatchStart {
    pub(super) fn from_options(options: &ListOptions) -> Result<Self, Status> {
        let text = options.resource_version.as_str();
        let revision = match text {
            "" | "0" => None,
            text => Some(
                text.parse().map(Revision).map_err(|_| Status::new(500, "", read::invalid_revision(text)))?,
            ),
        };
        Ok(match (options.send_initial_events, revision) {
            (Some(true), least) => Self::State { least },
            (None, None) => Self::State { least: None },
            (Some(false), None) => Self::Now,
            (_, Some(revision)) => Self::After(revision),
        })
    }
}

/// State of a watch.
enum WatchState {
    /// Waits until the store has reached the revision.
    Fetch { least: Option<Revision> },
    /// Sends the objects that existed at the start.
    Initial(std::vec::IntoIter<Versioned<Record>>, Watch<Record>),
    /// Sends events.
    Live(Watch<Record>),
    /// Sends this frame, then ends.
    Fail(Bytes),
    /// Has ended.
    Done,
}

/// One watch.
pub(super) struct WatchStream {
    store: Store<Record>,
    clock: Clock,
    prefix: String,
    selection: Selection,
    frames: Frames,
    state: WatchState,
    wants_bookmarks: bool,
    next_bookmark: Instant,
    deadline: Instant,
    stopping: CancellationToken,
    retired: CancellationToken,
}

/// Outcome of a wait.
enum Wake {
    Event(Result<std::sync::Arc<Event<Record>>, Lagged>),
    Bookmark,
    Retired,
    End,
}

impl WatchStream {
    pub(super) fn open(
        call: &Call,
        selection: Selection,
        options: &ListOptions,
        start: WatchStart,
        frames: Frames,
    ) -> Self {
        let (resource, store) = (&call.resource, &call.server.store);
        let namespace = match call.info.namespace.as_str() {
            "" => selection.namespace().unwrap_or_default(),
            namespace => namespace,
        };
        let prefix = match selection.name() {
            Some(name) if namespace.is_empty() != resource.is_namespaced => resource.key(namespace, name),
            _ => resource.collection(namespace),
        };
        let follow = |after| match store.watch(&prefix, after) {
            Ok(watch) => WatchState::Live(watch),
            Err(error) => WatchState::Fail(cannot_start(&error)),
        };
        let state = match start {
            WatchStart::State { least } if least.is_none_or(|least| store.revision() >= least) => {
                snapshot(store, &prefix)
            }
            WatchStart::State { least } => WatchState::Fetch { least },
            WatchStart::After(revision) => follow(revision),
            WatchStart::Now => follow(store.revision()),
        };
        let now = Instant::now();
        let deadline = now + options.timeout.unwrap_or_else(random_duration);
        let retired =
            resource.as_custom().map(|version| version.definition.retired.clone()).unwrap_or_default();
        Self {
            store: store.clone(),
            clock: call.server.clock.clone(),
            prefix,
            selection,
            frames,
            state,
            wants_bookmarks: options.bookmarks,
            next_bookmark: next_bookmark(now, deadline),
            deadline,
            stopping: call.server.stopping.clone(),
            retired,
        }
    }

    pub(super) fn into_body(self) -> Body {
        let chunks = futures::stream::unfold(self, |mut stream| async move {
            let chunk = stream.next_chunk().await?;
            Some((Ok::<_, BoxError>(Frame::data(chunk)), stream))
        });
        StreamBody::new(chunks).boxed_unsync()
    }

    /// The next chunk; `None` at the end.
    async fn next_chunk(&mut self) -> Option<Bytes> {
        loop {
            match std::mem::replace(&mut self.state, WatchState::Done) {
                WatchState::Fetch { least } => self.state = self.fetch(least).await,
                WatchState::Initial(items, watch) => {
                    let chunk = self.initial(items, watch);
                    if !chunk.is_empty() {
                        return Some(chunk);
                    }
                }
                WatchState::Live(mut watch) => {
                    let (chunk, continues) = self.live(&mut watch).await;
                    if continues {
                        self.state = WatchState::Live(watch);
                    }
                    match chunk {
                        Some(chunk) => return Some(chunk),
                        None if continues => {}
                        None => return None,
                    }
                }
                WatchState::Fail(frame) => return Some(frame),
                WatchState::Done => return None,
            }
        }
    }

    async fn fetch(&self, least: Option<Revision>) -> WatchState {
        if let Some(least) = least
            && let Err(status) = read::fresh_enough(&self.store, &least.to_string()).await
        {
            return WatchState::Fail(frames::error(&status));
        }
        snapshot(&self.store, &self.prefix)
    }

    /// A chunk of the initial objects; the last one ends with the initial-events-end bookmark.
    fn initial(&mut self, mut items: std::vec::IntoIter<Versioned<Record>>, watch: Watch<Record>) -> Bytes {
        self.frames.set_now(self.clock.now());
        let mut chunk = Vec::new();
        for item in items.by_ref() {
            if self.selection.matches(self.frames.resource(), &item) {
                chunk.extend_from_slice(&self.frames.initial(&item));
                if chunk.len() >= FRAMES_CHUNK {
                    self.state = WatchState::Initial(items, watch);
                    return Bytes::from(chunk);
                }
            }
        }
        if self.wants_bookmarks {
            chunk.extend_from_slice(&self.frames.bookmark(watch.seen(), true));
        }
        self.state = WatchState::Live(watch);
        Bytes::from(chunk)
    }

    /// Waits for the next chunk. The flag tells whether the watch continues.
    async fn live(&mut self, watch: &mut Watch<Record>) -> (Option<Bytes>, bool) {
        let wake = tokio::select! {
            biased;
            event = watch.next() => Wake::Event(event),
            () = self.retired.cancelled() => Wake::Retired,
            () = self.stopping.cancelled() => Wake::End,
            () = tokio::time::sleep_until(self.deadline) => Wake::End,
            () = tokio::time::sleep_until(self.next_bookmark), if self.wants_bookmarks => Wake::Bookmark,
        };
        match wake {
            Wake::Event(Ok(event)) => self.batch(&event, watch),
            Wake::Event(Err(lagged)) => (Some(frames::expired(lagged.seen, lagged.oldest)), false),
            Wake::Bookmark => {
                self.next_bookmark = next_bookmark(Instant::now(), self.deadline);
                (Some(self.frames.bookmark(watch.seen(), false)), true)
            }
            // All events so far were delivered, because `select!` is biased towards them.
            Wake::Retired | Wake::End => (None, false),
        }
    }

    /// The frame of an event, followed by the frames of events that are ready.
    fn batch(&mut self, first: &Event<Record>, watch: &mut Watch<Record>) -> (Option<Bytes>, bool) {
        self.frames.set_now(self.clock.now());
        let mut chunk = self.frames.event(&self.selection, first);
        let mut batched: Option<Vec<u8>> = None;
        loop {
            let length = batched.as_ref().map_or(0, Vec::len);
            if length >= FRAMES_CHUNK {
                break;
            }
            match watch.try_next() {
                Ok(None) => break,
                Err(lagged) => {
                    let frame = frames::expired(lagged.seen, lagged.oldest);
                    append(&mut chunk, &mut batched, frame);
                    return (batched.map(Bytes::from).or(chunk), false);
                }
                Ok(Some(event)) => {
                    if let Some(frame) = self.frames.event(&self.selection, &event) {
                        append(&mut chunk, &mut batched, frame);
                    }
                }
            }
        }
        (batched.map(Bytes::from).or(chunk), true)
    }
}

/// Appends a frame. A single frame is kept without a copy.
fn append(single: &mut Option<Bytes>, batched: &mut Option<Vec<u8>>, frame: Bytes) {
    match (single.take(), batched.as_mut()) {
        (None, None) => *single = Some(frame),
        (None, Some(bytes)) => bytes.extend_from_slice(&frame),
        (Some(first), _) => *batched = Some([&first[..], &frame[..]].concat()),
    }
}

/// The existing objects, and a watch that continues from them.
fn snapshot(store: &Store<Record>, prefix: &str) -> WatchState {
    let begun = store.range(&Query::prefix(prefix)).and_then(|page| {
        let watch = store.watch(prefix, page.revision)?;
        Ok(WatchState::Initial(page.items.into_iter(), watch))
    });
    begun.unwrap_or_else(|error| WatchState::Fail(cannot_start(&error)))
}

fn cannot_start(error: &ReadError) -> Bytes {
    match error {
        ReadError::Compacted { asked, oldest } => frames::expired(*asked, *oldest),
        other => frames::error(&Status::internal(other)),
    }
}

/// A random duration, so that clients do not reconnect at the same time.
fn random_duration() -> Duration {
    MIN_WATCH_TIMEOUT.mul_f64(rand::rng().random_range(1.0..2.0))
}

/// About a minute from now, or [`LAST_BOOKMARK_LEAD`] before the end if that comes first.
fn next_bookmark(now: Instant, deadline: Instant) -> Instant {
    let last = deadline.checked_sub(LAST_BOOKMARK_LEAD).unwrap_or(deadline);
    let regular = now + BOOKMARK_PERIOD.mul_f64(rand::rng().random_range(0.9..1.1));
    if last > now && last < regular { last } else { regular }
}
