//! Threads for requests that compute long: large bodies and objects, rules of custom resources, long lists.
//!
//! The threads of the runtime answer everything else, and are never held up by those. There is a fixed number of compute
//! threads, with a lower priority; a bounded queue in front of them; and a share for each user, so that one user cannot
//! take all of them. Threads start with their first job and end with the server.

mod queue;

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::oneshot;

pub(crate) use queue::Flow;
use queue::{Full, Queue, QueueLimits};

/// Bounds of the number of threads; in between, two for each core.
const MIN_THREADS: usize = 4;
const MAX_THREADS: usize = 16;
/// Jobs that wait, of all users and of one.
const QUEUE: usize = 512;
const QUEUE_PER_USER: usize = 128;

type Job = Box<dyn FnOnce() + Send>;

/// A pool of threads. Dropping it ends them after their present job.
pub(crate) struct Compute {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    max_threads: usize,
    waiting: Gauge,
    running: Gauge,
}

struct State {
    queue: Queue<Job>,
    threads: usize,
    /// Threads that wait for a job.
    free: usize,
    is_closed: bool,
}

/// Why a job has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotComputed {
    /// The queue is full.
    Full,
    /// It panicked, or the server stops.
    Failed,
}

impl Default for Compute {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self::new((2 * cores).clamp(MIN_THREADS, MAX_THREADS))
    }
}

impl Compute {
    fn new(max_threads: usize) -> Self {
        let limits = QueueLimits {
            waiting: QUEUE,
            waiting_per_flow: QUEUE_PER_USER,
            running_per_flow: (max_threads / 2).max(1),
        };
        let state = State { queue: Queue::new(limits), threads: 0, free: 0, is_closed: false };
        let shared = Shared {
            state: Mutex::new(state),
            wake: Condvar::new(),
            max_threads,
            waiting: Gauge::default(),
            running: Gauge::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Adds the figures of the pool to `registry`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Requests that wait for a compute thread";
        registry.register("portolan_apiserver_compute_waiting", help, self.shared.waiting.clone());
        let help = "Requests that run on a compute thread";
        registry.register("portolan_apiserver_compute_running", help, self.shared.running.clone());
    }

    /// Runs `work` on a compute thread. If the future is dropped before it starts, it does not start.
    ///
    /// # Errors
    /// [`NotComputed`].
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        flow: &Flow,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotComputed> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move || {
            if !answer.is_closed() {
                let _ = answer.send(work());
            }
        });
        self.shared.push(flow, job).map_err(|Full| NotComputed::Full)?;
        answered.await.map_err(|_| NotComputed::Failed)
    }
}

impl Drop for Compute {
    fn drop(&mut self) {
        self.shared.state.lock().is_closed = true;
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn push(self: &Arc<Self>, flow: &Flow, job: Job) -> Result<(), Full> {
        let mut state = self.state.lock();
        state.queue.push(flow, job)?;
        self.waiting.set(count(state.queue.len()));
        let needs_thread = state.free < state.queue.len() && state.threads < self.max_threads;
        if needs_thread && self.start_thread(state.threads) {
            state.threads += 1;
        }
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    fn start_thread(self: &Arc<Self>, number: usize) -> bool {
        let shared = Arc::clone(self);
        let started = thread::Builder::new().name(format!("compute-{number}")).spawn(move || {
            portolan_net::priority::lower();
            shared.work();
        });
        if let Err(error) = &started {
            tracing::error!(%error, "cannot start a compute thread");
        }
        started.is_ok()
    }

    /// Runs jobs until the pool is dropped.
    fn work(&self) {
        let mut state = self.state.lock();
        while !state.is_closed {
            let Some((flow, job)) = state.queue.pop() else {
                state.free += 1;
                self.wake.wait(&mut state);
                state.free -= 1;
                continue;
            };
            self.waiting.set(count(state.queue.len()));
            self.running.inc();
            drop(state);
            // A panic is the end of one request; the message is in the log.
            let _ = catch_unwind(AssertUnwindSafe(job));
            self.running.dec();
            state = self.state.lock();
            state.queue.finished(&flow);
        }
    }
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn flow(user: &str) -> Flow {
        Flow { user: user.into(), is_exempt: false }
    }

    #[tokio::test]
    async fn one_user_cannot_take_all_threads() {
        let compute = Arc::new(Compute::new(2));
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        for _ in 0..4 {
            let (compute, held) = (Arc::clone(&compute), Arc::clone(&held));
            tokio::spawn(async move { compute.run(&flow("eve"), move || held.lock().recv()).await });
        }
        let other = tokio::time::timeout(SOON, compute.run(&flow("bob"), || 7)).await;
        assert_eq!(other.expect("in time"), Ok(7));
        drop(release);
    }

    #[tokio::test]
    async fn a_panic_ends_one_job() {
        let compute = Compute::new(1);
        assert_eq!(
            compute.run(&flow("eve"), || panic!("on purpose")).await,
            Err::<(), _>(NotComputed::Failed)
        );
        assert_eq!(compute.run(&flow("eve"), || 7).await, Ok(7));
    }

    #[tokio::test]
    async fn what_is_not_awaited_does_not_start() {
        let compute = Arc::new(Compute::new(1));
        let (release, held) = mpsc::channel::<()>();
        let first = {
            let compute = Arc::clone(&compute);
            tokio::spawn(async move { compute.run(&flow("eve"), move || held.recv()).await })
        };
        let (started, starts) = mpsc::channel();
        let abandoned = {
            let compute = Arc::clone(&compute);
            tokio::spawn(async move { compute.run(&flow("eve"), move || started.send(())).await })
        };
        while compute.shared.state.lock().queue.len() == 0 {
            tokio::task::yield_now().await;
        }
        abandoned.abort();
        let _ = abandoned.await;
        release.send(()).expect("the job waits");
        tokio::time::timeout(SOON, first)
            .await
            .expect("in time")
            .expect("no panic")
            .expect("run")
            .expect("sent");
        assert_eq!(compute.run(&flow("eve"), || 7).await, Ok(7));
        assert!(starts.try_recv().is_err());
    }
}
