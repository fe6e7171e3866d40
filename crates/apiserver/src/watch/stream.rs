//! [`WatchStream`]: start, waiting and end of one watch.

use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use portolan_net::clock::Clock;
use portolan_object::Status;
use portolan_store::{Event, Lagged, ReadError, Revision, Store, Watch};
use rand::RngExt as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::frames::{self, Frames};
use super::initial::Initial;
use crate::call::Call;
use crate::fairness::{Fairness, Share};
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

/// Size up to which frames that are ready are sent as one chunk, in bytes. A client that does not read keeps about one
/// chunk in the buffer of its connection. Larger frames are cut.
const FRAMES_CHUNK: usize = 4 * 1024;

/// Bytes of objects that are looked at before other tasks of the thread get their turn.
const TURN: usize = 256 * 1024;

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
    Initial(Initial),
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
    /// The rest of a chunk that is sent in pieces.
    rest: Bytes,
    /// What the watch holds of its user's limits; `None` for this process itself.
    share: Option<Share>,
    fairness: Fairness,
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
            rest: Bytes::new(),
            share: call.share.lock().take(),
            fairness: call.server.fairness.clone(),
            wants_bookmarks: options.bookmarks,
            next_bookmark: next_bookmark(now, deadline),
            deadline,
            stopping: call.server.stopping.clone(),
            retired,
        }
    }

    pub(super) fn into_body(self) -> Body {
        let chunks = futures::stream::unfold(self, |mut stream| async move {
            let chunk = stream.next_piece().await?;
            Some((Ok::<_, BoxError>(Frame::data(chunk)), stream))
        });
        StreamBody::new(chunks).boxed_unsync()
    }

    /// The next piece of a chunk; `None` at the end.
    async fn next_piece(&mut self) -> Option<Bytes> {
        if self.rest.is_empty() {
            let chunk = self.next_chunk().await?;
            if chunk.len() <= FRAMES_CHUNK {
                return Some(chunk);
            }
            let is_held = self.share.as_mut().is_none_or(|share| share.hold(chunk.len()).is_ok());
            if !is_held {
                self.fairness.evicted();
                tracing::debug!(
                    prefix = self.prefix,
                    "a watch is ended: its user has too many events waiting"
                );
                self.state = WatchState::Done;
                return Some(frames::evicted());
            }
            self.rest = chunk;
        }
        // A copy: a piece that waits in the buffer of a connection must not keep the whole event in memory.
        let piece = Bytes::copy_from_slice(&self.rest.split_to(self.rest.len().min(FRAMES_CHUNK)));
        if let (true, Some(share)) = (self.rest.is_empty(), &mut self.share) {
            self.rest = Bytes::new();
            share.release(share.bytes());
        }
        Some(piece)
    }

    /// The next chunk; `None` at the end.
    async fn next_chunk(&mut self) -> Option<Bytes> {
        loop {
            match std::mem::replace(&mut self.state, WatchState::Done) {
                WatchState::Fetch { least } => self.state = self.fetch(least).await,
                WatchState::Initial(initial) => {
                    let chunk = self.initial(initial);
                    if !chunk.is_empty() {
                        return Some(chunk);
                    }
                    // Nothing of a turn was selected.
                    tokio::task::yield_now().await;
                }
                WatchState::Live(mut watch) => {
                    let (chunk, continues) = self.live(&mut watch).await;
                    if continues {
                        self.state = WatchState::Live(watch);
                    }
                    match chunk {
                        Some(chunk) => return Some(chunk),
                        None if continues => tokio::task::yield_now().await,
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
    fn initial(&mut self, mut initial: Initial) -> Bytes {
        self.frames.set_now(self.clock.now());
        let mut chunk = Vec::new();
        let mut looked_at = 0;
        while chunk.len() < FRAMES_CHUNK && looked_at < TURN {
            let item = match initial.next() {
                Ok(Some(item)) => item,
                Ok(None) => return self.live_from(initial.into_watch(), chunk),
                Err(error) => {
                    self.state = WatchState::Fail(cannot_start(&error));
                    return Bytes::from(chunk);
                }
            };
            looked_at += self.frames.look() + item.value.frame_len();
            if self.selection.matches(self.frames.resource(), &item) {
                let frame = self.frames.initial(&item);
                if chunk.is_empty() && frame.len() >= FRAMES_CHUNK {
                    self.state = WatchState::Initial(initial);
                    return frame;
                }
                chunk.extend_from_slice(&frame);
            }
        }
        self.state = WatchState::Initial(initial);
        Bytes::from(chunk)
    }

    /// Ends the initial objects, of which `chunk` are the last.
    fn live_from(&mut self, watch: Watch<Record>, mut chunk: Vec<u8>) -> Bytes {
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
        let look = self.frames.look();
        let mut looked_at = look + size_of_event(first);
        loop {
            let length = batched.as_ref().map_or(chunk.as_ref().map_or(0, Bytes::len), Vec::len);
            if length >= FRAMES_CHUNK || looked_at >= TURN {
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
                    looked_at += look + size_of_event(&event);
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
    let begun = Initial::begin(store, prefix).map(WatchState::Initial);
    begun.unwrap_or_else(|error| WatchState::Fail(cannot_start(&error)))
}

/// Bytes of the objects of an event.
fn size_of_event(event: &Event<Record>) -> usize {
    let versions = [&event.previous, &event.current].into_iter().flatten();
    versions.map(|item| item.value.frame_len()).sum()
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
