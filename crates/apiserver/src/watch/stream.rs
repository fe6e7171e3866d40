//! The course of one watch: where it begins, what it waits for, and how it ends.

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

/// Shortest time that a watch without `timeoutSeconds` lasts; it lasts at most twice as long.
const LEAST_DURATION: Duration = Duration::from_secs(30 * 60);

/// Time between bookmarks.
const BOOKMARK_PERIOD: Duration = Duration::from_secs(60);

/// The last bookmark is sent so long before the end.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

/// Bytes that are gathered into one piece when many frames are ready.
const PIECE: usize = 64 * 1024;

/// Where a watch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// With everything there is, in a state not older than the revision.
    State { least: Option<Revision> },
    /// With the events after a revision.
    After(Revision),
    /// With the next event.
    Now,
}

impl Begin {
    pub(super) fn of(options: &ListOptions) -> Result<Self, Status> {
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

/// What a watch does next.
enum Phase {
    /// Wait for a state that is fresh enough, then send it.
    Fetch { least: Option<Revision> },
    /// Send what was there at the beginning.
    Initial(std::vec::IntoIter<Versioned<Record>>, Watch<Record>),
    /// Send what happens.
    Live(Watch<Record>),
    /// Say why nothing more comes.
    Fail(Bytes),
    /// Nothing more comes.
    Done,
}

/// One watch.
pub(super) struct Stream {
    store: Store<Record>,
    clock: Clock,
    prefix: String,
    selection: Selection,
    frames: Frames,
    phase: Phase,
    wants_bookmarks: bool,
    next_bookmark: Instant,
    deadline: Instant,
    stopping: CancellationToken,
    retired: CancellationToken,
}

/// What ended a wait.
enum Wake {
    Event(Result<std::sync::Arc<Event<Record>>, Lagged>),
    Bookmark,
    Retired,
    End,
}

impl Stream {
    pub(super) fn open(
        call: &Call,
        selection: Selection,
        options: &ListOptions,
        begin: Begin,
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
        let start = |after| match store.watch(&prefix, after) {
            Ok(watch) => Phase::Live(watch),
            Err(error) => Phase::Fail(cannot_start(&error)),
        };
        let phase = match begin {
            Begin::State { least } if least.is_none_or(|least| store.revision() >= least) => {
                snapshot(store, &prefix)
            }
            Begin::State { least } => Phase::Fetch { least },
            Begin::After(revision) => start(revision),
            Begin::Now => start(store.revision()),
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
            phase,
            wants_bookmarks: options.bookmarks,
            next_bookmark: next_bookmark(now, deadline),
            deadline,
            stopping: call.server.stopping.clone(),
            retired,
        }
    }

    pub(super) fn into_body(self) -> Body {
        let pieces = futures::stream::unfold(self, |mut stream| async move {
            let piece = stream.next_piece().await?;
            Some((Ok::<_, BoxError>(Frame::data(piece)), stream))
        });
        StreamBody::new(pieces).boxed_unsync()
    }

    /// The next bytes; `None` at the end.
    async fn next_piece(&mut self) -> Option<Bytes> {
        loop {
            match std::mem::replace(&mut self.phase, Phase::Done) {
                Phase::Fetch { least } => self.phase = self.fetch(least).await,
                Phase::Initial(items, watch) => {
                    let piece = self.initial(items, watch);
                    if !piece.is_empty() {
                        return Some(piece);
                    }
                }
                Phase::Live(mut watch) => {
                    let (piece, goes_on) = self.live(&mut watch).await;
                    if goes_on {
                        self.phase = Phase::Live(watch);
                    }
                    match piece {
                        Some(piece) => return Some(piece),
                        None if goes_on => {}
                        None => return None,
                    }
                }
                Phase::Fail(frame) => return Some(frame),
                Phase::Done => return None,
            }
        }
    }

    async fn fetch(&self, least: Option<Revision>) -> Phase {
        if let Some(least) = least
            && let Err(status) = read::fresh_enough(&self.store, &least.to_string()).await
        {
            return Phase::Fail(frames::error(&status));
        }
        snapshot(&self.store, &self.prefix)
    }

    /// A piece of the initial state, closed by the bookmark that says so.
    fn initial(&mut self, mut items: std::vec::IntoIter<Versioned<Record>>, watch: Watch<Record>) -> Bytes {
        self.frames.set_now(self.clock.now());
        let mut piece = Vec::new();
        for item in items.by_ref() {
            if self.selection.matches(self.frames.resource(), &item) {
                piece.extend_from_slice(&self.frames.initial(&item));
                if piece.len() >= PIECE {
                    self.phase = Phase::Initial(items, watch);
                    return Bytes::from(piece);
                }
            }
        }
        if self.wants_bookmarks {
            piece.extend_from_slice(&self.frames.bookmark(watch.seen(), true));
        }
        self.phase = Phase::Live(watch);
        Bytes::from(piece)
    }

    /// Waits for something to send. The flag says whether the watch goes on.
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
            Wake::Event(Ok(event)) => self.gather(&event, watch),
            Wake::Event(Err(lagged)) => (Some(frames::expired(lagged.seen, lagged.oldest)), false),
            Wake::Bookmark => {
                self.next_bookmark = next_bookmark(Instant::now(), self.deadline);
                (Some(self.frames.bookmark(watch.seen(), false)), true)
            }
            // The events up to now were all delivered: the wait looks at them first.
            Wake::Retired | Wake::End => (None, false),
        }
    }

    /// The frame of an event, together with those of events that are there already.
    fn gather(&mut self, first: &Event<Record>, watch: &mut Watch<Record>) -> (Option<Bytes>, bool) {
        self.frames.set_now(self.clock.now());
        let mut piece = self.frames.event(&self.selection, first);
        let mut gathered: Option<Vec<u8>> = None;
        loop {
            let length = gathered.as_ref().map_or(0, Vec::len);
            if length >= PIECE {
                break;
            }
            match watch.try_next() {
                Ok(None) => break,
                Err(lagged) => {
                    let frame = frames::expired(lagged.seen, lagged.oldest);
                    append(&mut piece, &mut gathered, frame);
                    return (gathered.map(Bytes::from).or(piece), false);
                }
                Ok(Some(event)) => {
                    if let Some(frame) = self.frames.event(&self.selection, &event) {
                        append(&mut piece, &mut gathered, frame);
                    }
                }
            }
        }
        (gathered.map(Bytes::from).or(piece), true)
    }
}

/// Keeps a single frame as it is, and copies only where there are several.
fn append(single: &mut Option<Bytes>, gathered: &mut Option<Vec<u8>>, frame: Bytes) {
    match (single.take(), gathered.as_mut()) {
        (None, None) => *single = Some(frame),
        (None, Some(bytes)) => bytes.extend_from_slice(&frame),
        (Some(first), _) => *gathered = Some([&first[..], &frame[..]].concat()),
    }
}

/// The state there is, and a watch of what follows.
fn snapshot(store: &Store<Record>, prefix: &str) -> Phase {
    let begun = store.range(&Query::prefix(prefix)).and_then(|page| {
        let watch = store.watch(prefix, page.revision)?;
        Ok(Phase::Initial(page.items.into_iter(), watch))
    });
    begun.unwrap_or_else(|error| Phase::Fail(cannot_start(&error)))
}

fn cannot_start(error: &ReadError) -> Bytes {
    match error {
        ReadError::Compacted { asked, oldest } => frames::expired(*asked, *oldest),
        other => frames::error(&Status::internal(other)),
    }
}

/// Watches end at different times, so that their clients do not all come back at once.
fn random_duration() -> Duration {
    LEAST_DURATION.mul_f64(rand::rng().random_range(1.0..2.0))
}

/// A minute from now, but in time for one just before the end.
fn next_bookmark(now: Instant, deadline: Instant) -> Instant {
    let last = deadline.checked_sub(LAST_BOOKMARK).unwrap_or(deadline);
    let regular = now + BOOKMARK_PERIOD.mul_f64(rand::rng().random_range(0.9..1.1));
    if last > now && last < regular { last } else { regular }
}
