//! The one thread that decides and writes.
//!
//! It takes all batches that wait, drafts them, makes them durable in one transaction, publishes them and answers. When
//! the disk fails nothing of the group is visible and everybody in it is told, also those whose batch was refused: the
//! refusal may rest on a write that did not happen.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::checkpointer::Checkpointer;
use super::database::{Database, Entry};
use super::fault::{OpenError, is_full};
use super::retention::Retention;
use crate::batch::{Batch, CommitError, Unavailable};
use crate::draft::Draft;
use crate::state::Shared;
use crate::versioned::{Event, Payload};

/// Bounds of one transaction, so that the first batch of a group does not wait for too many others.
const GROUP_BATCHES: usize = 512;
const GROUP_BYTES: usize = 8 << 20;
/// How long a group is gathered while many write. Most of what a transaction costs does not depend on what is in it, and
/// on a busy machine that time is missed elsewhere.
const GATHER: Duration = Duration::from_millis(1);
/// So many batches within [`CROWD_WINDOW`] are many; the steps of a few objects on their way are not, and never wait.
const CROWD: usize = 24;
const CROWD_WINDOW: Duration = Duration::from_millis(20);

type Answer<P> = Result<Vec<Event<P>>, CommitError<P>>;

/// What the writer is asked to do.
pub(super) enum Request<P> {
    Commit(Commit<P>),
    /// Finish what is queued, then end.
    Close,
}

/// A batch and who waits for it.
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
    fn add(&mut self, request: Request<P>) {
        match request {
            Request::Close => self.is_last = true,
            Request::Commit(commit) => {
                self.bytes += commit.values.iter().flatten().map(Bytes::len).sum::<usize>();
                self.batches.push(commit);
            }
        }
    }

    /// Takes what waits, as far as there is room.
    fn fill(&mut self, requests: &mut mpsc::Receiver<Request<P>>) {
        while self.has_room()
            && let Ok(next) = requests.try_recv()
        {
            self.add(next);
        }
    }

    fn has_room(&self) -> bool {
        self.batches.len() < GROUP_BATCHES && self.bytes < GROUP_BYTES
    }
}

/// The latest batches, to tell whether many write.
#[derive(Default)]
struct Crowd {
    latest: VecDeque<Instant>,
}

impl Crowd {
    fn note(&mut self, now: Instant, batches: usize) {
        self.latest.extend(std::iter::repeat_n(now, batches.min(CROWD)));
        let surplus = self.latest.len().saturating_sub(CROWD);
        self.latest.drain(..surplus);
    }

    fn is_there(&self, now: Instant) -> bool {
        let oldest = self.latest.front().filter(|_| self.latest.len() == CROWD);
        oldest.is_some_and(|oldest| now.duration_since(*oldest) <= CROWD_WINDOW)
    }
}

pub(super) struct Writer<P> {
    database: Database,
    checkpointer: Checkpointer,
    retention: Retention,
    clock: Arc<dyn Fn() -> Duration + Send + Sync>,
    shared: Arc<Shared<P>>,
    /// Why nothing is written any more.
    fault: Option<Unavailable>,
}

impl<P: Payload> Writer<P> {
    pub(super) fn new(
        database: Database,
        retention: Retention,
        clock: Arc<dyn Fn() -> Duration + Send + Sync>,
        shared: Arc<Shared<P>>,
    ) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Failed { path: database.path().to_owned(), source };
        let checkpointer = Checkpointer::start(database.path()).map_err(failed)?;
        Ok(Self { database, checkpointer, retention, clock, shared, fault: None })
    }

    /// Serves until every handle is gone or one of them closes the store.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request<P>>) {
        let mut crowd = Crowd::default();
        while let Some(first) = requests.blocking_recv() {
            let mut group = Group { batches: Vec::new(), is_last: false, bytes: 0 };
            group.add(first);
            group.fill(&mut requests);
            if crowd.is_there(Instant::now()) && group.has_room() && !group.is_last {
                std::thread::sleep(GATHER);
                group.fill(&mut requests);
            }
            if group.is_last {
                // What is queued already is still served.
                requests.close();
            }
            crowd.note(Instant::now(), group.batches.len());
            self.serve(group);
        }
        self.checkpointer.stop();
        let path = self.database.path().to_owned();
        if let Err(error) = self.database.close() {
            tracing::warn!(path = %path.display(), %error, "the store was not closed tidily; nothing is lost");
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
        if let Err(source) = self.persist(&events, &accepted) {
            metrics.failures.inc_by(batches as u64);
            for (_, reply) in decided {
                let _ = reply.send(Err(CommitError::Unavailable { source: source.clone() }));
            }
            return;
        }
        if !events.is_empty() {
            metrics.committed(batches, events.len(), started.elapsed());
        }
        self.shared.publish(events.iter().cloned());
        for (decision, reply) in decided {
            let answer =
                decision.map(|range| events[range].iter().map(|event| Event::clone(event)).collect());
            // Nobody waits any more when the caller gave up; the write stands all the same.
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

    /// Makes events durable. `values` are their durable forms, in the same order.
    fn persist(&mut self, events: &[Arc<Event<P>>], values: &[Option<Bytes>]) -> Result<(), Unavailable> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let Some(last) = events.last() else { return Ok(()) };
        let entries: Vec<_> =
            events.iter().zip(values).map(|(event, value)| Entry { event, value: value.as_ref() }).collect();
        let now = (self.clock)();
        let (committed, oldest) = {
            let state = self.shared.state.read();
            (state.revision, state.oldest())
        };
        let horizon = self.retention.horizon(now, committed, oldest);
        let appended = match self.database.append(&entries, now, horizon) {
            Err(error) if is_full(&error) => {
                // Old history may make the room that is missing.
                self.database.relieve(horizon).and_then(|()| self.database.append(&entries, now, horizon))
            }
            appended => appended,
        };
        appended.map_err(|error| self.refuse(&error))?;
        self.retention.note(now, last.revision);
        Ok(())
    }

    fn refuse(&mut self, error: &rusqlite::Error) -> Unavailable {
        let unavailable = Unavailable::from_sqlite(self.database.path(), error);
        if matches!(unavailable, Unavailable::Faulty { .. }) {
            tracing::error!(error = %unavailable, "the store refuses writes until it is restarted");
            self.fault = Some(unavailable.clone());
        } else {
            tracing::warn!(error = %unavailable, "a write was refused");
        }
        unavailable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_batches_within_the_window_are_a_crowd() {
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        // (groups of so many batches at so many milliseconds, asked at, whether it is a crowd)
        let cases = [
            ("nobody", vec![], 0, false),
            ("one object on its way", vec![(0, 1), (2, 1), (4, 2), (6, 1), (8, 2)], 8, false),
            ("many at once", vec![(0, CROWD)], 0, true),
            ("many one by one", vec![(0, CROWD / 2), (10, CROWD / 2)], 20, true),
            ("many, but a while ago", vec![(0, 10 * CROWD)], 21, false),
        ];
        for (name, groups, asked, want) in cases {
            let mut crowd = Crowd::default();
            groups.into_iter().for_each(|(at, batches)| crowd.note(after(at), batches));
            assert_eq!(crowd.is_there(after(asked)), want, "{name}");
        }
    }
}
