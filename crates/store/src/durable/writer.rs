//! The writer thread.
//!
//! It takes all waiting batches, checks and drafts them, makes them durable in one transaction, publishes them and replies.
//! If the disk fails, no write of the group becomes visible and each caller gets the error, also those with a failed guard:
//! the guard may have failed because of a write that did not happen.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::checkpointer::Checkpointer;
use super::database::{Database, LogEntry};
use super::error::{OpenError, is_full};
use super::retention::Retention;
use crate::batch::{Batch, CommitError, Unavailable};
use crate::draft::Draft;
use crate::state::SharedState;
use crate::versioned::{Event, Payload, Revision};

/// Bounds of one transaction, so that the first batch of a group does not wait for too many others.
const MAX_GROUP_BATCHES: usize = 512;
const MAX_GROUP_BYTES: usize = 8 << 20;
/// Time to wait for more batches while the store is busy. Transactions have a high fixed cost, so batch while busy.
const GROUP_DELAY: Duration = Duration::from_millis(1);
/// The store is busy if at least this many batches came within [`BUSY_WINDOW`]. The writes of a few objects stay below it
/// and never wait.
const BUSY_BATCHES: usize = 24;
const BUSY_WINDOW: Duration = Duration::from_millis(20);

type Answer<P> = Result<Vec<Event<P>>, CommitError<P>>;

/// A request to the writer.
pub(super) enum WriterRequest<P> {
    Commit(Commit<P>),
    /// Commit what is queued, then end.
    Close,
}

/// A batch and the sender for its result.
pub(super) struct Commit<P> {
    pub(super) batch: Batch<P>,
    /// The durable form of each write.
    pub(super) values: Vec<Option<Bytes>>,
    pub(super) reply: oneshot::Sender<Answer<P>>,
}

/// Batches that are committed together.
struct Group<P> {
    batches: Vec<Commit<P>>,
    is_last: bool,
    bytes: usize,
}

impl<P> Group<P> {
    fn add(&mut self, request: WriterRequest<P>) {
        match request {
            WriterRequest::Close => self.is_last = true,
            WriterRequest::Commit(commit) => {
                self.bytes += commit.values.iter().flatten().map(Bytes::len).sum::<usize>();
                self.batches.push(commit);
            }
        }
    }

    /// Takes waiting batches up to the bounds of a group.
    fn fill(&mut self, requests: &mut mpsc::Receiver<WriterRequest<P>>) {
        while self.has_room()
            && let Ok(next) = requests.try_recv()
        {
            self.add(next);
        }
    }

    fn has_room(&self) -> bool {
        self.batches.len() < MAX_GROUP_BATCHES && self.bytes < MAX_GROUP_BYTES
    }
}

/// The latest batches, to tell whether many write.
#[derive(Default)]
struct RecentLoad {
    latest: VecDeque<Instant>,
}

impl RecentLoad {
    fn note(&mut self, now: Instant, batches: usize) {
        self.latest.extend(std::iter::repeat_n(now, batches.min(BUSY_BATCHES)));
        let surplus = self.latest.len().saturating_sub(BUSY_BATCHES);
        self.latest.drain(..surplus);
    }

    fn is_busy(&self, now: Instant) -> bool {
        let oldest = self.latest.front().filter(|_| self.latest.len() == BUSY_BATCHES);
        oldest.is_some_and(|oldest| now.duration_since(*oldest) <= BUSY_WINDOW)
    }
}

pub(super) struct DurableWriter<P> {
    database: Database,
    checkpointer: Checkpointer,
    retention: Retention,
    clock: Arc<dyn Fn() -> Duration + Send + Sync>,
    shared: Arc<SharedState<P>>,
    /// Why nothing is written any more.
    fault: Option<Unavailable>,
}

impl<P: Payload> DurableWriter<P> {
    pub(super) fn new(
        database: Database,
        retention: Retention,
        clock: Arc<dyn Fn() -> Duration + Send + Sync>,
        shared: Arc<SharedState<P>>,
    ) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Failed { path: database.path().to_owned(), source };
        let checkpointer = Checkpointer::start(database.path()).map_err(failed)?;
        Ok(Self { database, checkpointer, retention, clock, shared, fault: None })
    }

    /// Serves until all handles are dropped or the store is closed.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<WriterRequest<P>>) {
        let mut load = RecentLoad::default();
        while let Some(first) = requests.blocking_recv() {
            let mut group = Group { batches: Vec::new(), is_last: false, bytes: 0 };
            group.add(first);
            group.fill(&mut requests);
            if load.is_busy(Instant::now()) && group.has_room() && !group.is_last {
                std::thread::sleep(GROUP_DELAY);
                group.fill(&mut requests);
            }
            if group.is_last {
                // Requests in the queue are still served.
                requests.close();
            }
            load.note(Instant::now(), group.batches.len());
            self.serve(group);
        }
        self.checkpointer.stop();
        let path = self.database.path().to_owned();
        if let Err(error) = self.database.close() {
            tracing::warn!(path = %path.display(), %error, "the store was not closed cleanly; nothing is lost");
        }
    }

    fn serve(&mut self, group: Group<P>) {
        let shared = Arc::clone(&self.shared);
        let metrics = &shared.metrics;
        let mut draft = Draft::new(&shared);
        let mut accepted = Vec::new();
        let batches = group.batches.len();
        let mut decided = Vec::with_capacity(batches);
        for Commit { batch, values, reply } in group.batches {
            let decision = draft.add(batch);
            match &decision {
                Ok(_) => accepted.extend(values),
                Err(_) => {
                    metrics.conflicts.inc();
                }
            }
            decided.push((decision, reply));
        }
        let events = draft.into_events();
        let started = Instant::now();
        let horizon = match self.persist(&events, &accepted) {
            Ok(horizon) => horizon,
            Err(source) => {
                metrics.failures.inc_by(batches as u64);
                for (_, reply) in decided {
                    let _ = reply.send(Err(CommitError::Unavailable { source: source.clone() }));
                }
                return;
            }
        };
        if !events.is_empty() {
            metrics.committed(batches, events.len(), started.elapsed());
        }
        self.shared.publish(events.iter().cloned());
        self.shared.forget(horizon);
        for (decision, reply) in decided {
            let answer =
                decision.map(|range| events[range].iter().map(|event| Event::clone(event)).collect());
            // The caller may have stopped waiting; the write is committed all the same.
            let _ = reply.send(answer);
        }
        metrics.log_bytes.set(self.database.log_bytes());
        if self.checkpointer.note(self.database.log_pages())
            && let Err(error) = self.database.finish_checkpoint()
        {
            metrics.failed_checkpoints.inc();
            tracing::warn!(%error, "cannot checkpoint the store now, it is tried again later");
        }
    }

    /// Makes events durable. `values` are their encoded values, in the same order. Returns the revision up to which history
    /// is not kept any more.
    fn persist(
        &mut self,
        events: &[Arc<Event<P>>],
        values: &[Option<Bytes>],
    ) -> Result<Revision, Unavailable> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let Some(last) = events.last() else { return Ok(Revision::default()) };
        let entries: Vec<_> =
            events.iter().zip(values).map(|(event, value)| self.entry(event, value)).collect();
        let now = (self.clock)();
        let (committed, oldest) = {
            let state = self.shared.state.read();
            (state.revision, state.oldest())
        };
        let horizon = self.retention.horizon(now, committed, oldest);
        let appended = match self.database.append(&entries, now, horizon) {
            Err(error) if is_full(&error) => {
                // Compacting old history may free enough space.
                self.database.free_space(horizon).and_then(|()| self.database.append(&entries, now, horizon))
            }
            appended => appended,
        };
        appended.map_err(|error| self.refuse(&error))?;
        if self.shared.refusal.lock().take().is_some() {
            tracing::info!("the store accepts writes again");
        }
        self.retention.note(now, last.revision);
        Ok(horizon)
    }

    fn entry<'a>(&self, event: &'a Event<P>, value: &'a Option<Bytes>) -> LogEntry<'a, P> {
        let previous = match (&event.current, &event.previous) {
            (_, Some(previous)) => previous.modified,
            (Some(_), None) => Revision::default(),
            // It deletes a damaged value.
            (None, None) => {
                let state = self.shared.state.read();
                state.damaged.get(&event.key).map(|damaged| damaged.revision).unwrap_or_default()
            }
        };
        LogEntry { event, previous, value: value.as_ref() }
    }

    fn refuse(&mut self, error: &rusqlite::Error) -> Unavailable {
        let unavailable = Unavailable::from_sqlite(self.database.path(), error);
        let before = self.shared.refusal.lock().replace(unavailable.clone());
        if matches!(unavailable, Unavailable::Faulty { .. }) {
            tracing::error!(error = %unavailable, "the store refuses writes until it is restarted");
            self.fault = Some(unavailable.clone());
        } else if before.is_none() {
            // Clients try again and again: one line until a write succeeds.
            tracing::error!(error = %unavailable, "the store refuses writes");
        }
        unavailable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_batches_within_the_window_make_the_store_busy() {
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        // (groups of batches at times in milliseconds, time of the question, whether the store is busy)
        let cases = [
            ("no batches", vec![], 0, false),
            ("one object on its way", vec![(0, 1), (2, 1), (4, 2), (6, 1), (8, 2)], 8, false),
            ("many at once", vec![(0, BUSY_BATCHES)], 0, true),
            ("many one by one", vec![(0, BUSY_BATCHES / 2), (10, BUSY_BATCHES / 2)], 20, true),
            ("many, but a while ago", vec![(0, 10 * BUSY_BATCHES)], 21, false),
        ];
        for (name, groups, asked, want) in cases {
            let mut load = RecentLoad::default();
            groups.into_iter().for_each(|(at, batches)| load.note(after(at), batches));
            assert_eq!(load.is_busy(after(asked)), want, "{name}");
        }
    }
}
