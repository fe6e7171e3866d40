//! The work queue of a controller: which key is reconciled next, and when.
//!
//! Caches add the keys of changed objects; the workers of [`driver::run`](crate::driver::run) take them.
//!
//! Guarantees:
//! - A key is in the queue at most once, however often it is added, and is never dropped.
//! - A key is in at most one pass at a time. If it is added during a pass, another pass follows.
//! - Lanes (usually clusters) take turns: ten thousand keys of one lane delay a single key of another by one pass.
//! - In a lane, ready keys of a higher priority come first.
//! - A key that fails comes back after an exponential back-off; other keys do not wait for it.
//!
//! ```
//! # use portolan_runtime::Queue;
//! # use portolan_runtime::queue::Next;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let queue: Queue<String> = Queue::new("policies");
//! queue.add("shop/web".to_owned());
//! queue.add("shop/web".to_owned());
//! assert_eq!(queue.ready(), 1);
//! let key = queue.next().await.expect("the queue is open");
//! queue.finish(key, Next::Forget);
//! assert!(queue.is_idle());
//! # }
//! ```

mod state;

use std::fmt::Display;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_net::TraceContext;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::cluster_name::ClusterName;
use crate::metrics::{Metrics, QueueLoad, QueueMeter, QueueProbe, QueueReader};
use state::{Origin, Place, QueueState};

tokio::task_local! {
    /// The time of the change that the running pass follows from. Keys that the pass adds to other queues inherit it, so
    /// that the last controller of a chain knows how long the chain took.
    pub(crate) static ORIGIN: Instant;
}

/// The origin of what happens now: that of the running pass, else `now`.
fn origin(now: Instant) -> Origin {
    Origin { at: ORIGIN.try_with(|at| *at).unwrap_or(now), trace: TraceContext::current() }
}

/// A key of a queue.
pub trait Key: Clone + Eq + Hash + Display + Send + Sync + 'static {}

impl<K: Clone + Eq + Hash + Display + Send + Sync + 'static> Key for K {}

/// Returns where a key waits.
type PlaceOf<K> = Box<dyn Fn(&K) -> Place + Send + Sync>;

/// What follows a pass over a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing, until the key is added again.
    Forget,
    /// Another pass after this delay. Not a failure.
    After(Duration),
    /// Another pass soon: a race was lost.
    Soon,
    /// Another pass after the back-off.
    Backoff,
    /// Another pass after the back-off, and no sooner than this delay: the server asks for it.
    BackoffAtLeast(Duration),
    /// Another pass after the back-off, of which the longest delay is shorter: a server could not be reached.
    BackoffUnreachable,
}

struct SharedQueue<K> {
    name: String,
    cluster: Option<ClusterName>,
    state: Mutex<QueueState<K>>,
    wake: Notify,
    place_of: PlaceOf<K>,
    backoff: Backoff,
    meter: QueueMeter,
}

/// A queue of keys; clones share state.
pub struct Queue<K> {
    shared: Arc<SharedQueue<K>>,
}

impl<K> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

/// Back-off after failures; a member is retried within half a minute of its recovery.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(30));
/// Back-off while a server cannot be reached, so that changes flow soon after it is back.
const UNREACHABLE_BACKOFF: Backoff = Backoff { longest: Duration::from_secs(3), ..BACKOFF };
/// Back-off after lost races; the cache needs a moment to see the other write.
const RACE_BACKOFF: Backoff = Backoff::new(Duration::from_millis(2), Duration::from_secs(1));

impl Metrics {
    /// A work queue that is reported as `name`, of one cluster or of the control plane.
    pub fn queue<K: Key>(&self, name: &'static str, cluster: Option<&ClusterName>) -> Queue<K> {
        let queue = Queue::metered(name, cluster, self.queue_meter(name, cluster));
        self.add_queue(name, cluster, queue.probe());
        queue
    }

    /// A work queue of the control plane that takes keys of a higher priority first. `priority_of` is called when a key
    /// becomes ready; it must be quick and must not use the queue.
    pub fn prioritized_queue<K: Key>(
        &self,
        name: &'static str,
        priority_of: impl Fn(&K) -> i32 + Send + Sync + 'static,
    ) -> Queue<K> {
        let meter = self.queue_meter(name, None);
        let queue = Queue::made(name.to_owned(), None, usize::MAX, by_priority(priority_of), meter);
        self.add_queue(name, None, queue.probe());
        queue
    }
}

/// Places in a single lane.
fn by_priority<K>(priority_of: impl Fn(&K) -> i32 + Send + Sync + 'static) -> PlaceOf<K> {
    let lane: Arc<str> = Arc::from("");
    Box::new(move |key| Place { lane: lane.clone(), priority: priority_of(key) })
}

impl<K: Key> Queue<K> {
    /// A queue with a single lane that no metrics report; see [`Metrics::queue`](crate::Metrics::queue). `name` appears
    /// in logs.
    pub fn new(name: impl Into<String>) -> Self {
        let single: Arc<str> = Arc::from("");
        Self::with_lanes(name, usize::MAX, move |_| single.clone())
    }

    /// A queue with lanes that take turns. At most `lane_limit` keys of a lane are in a pass at the same time.
    pub fn with_lanes(
        name: impl Into<String>,
        lane_limit: usize,
        lane_of: impl Fn(&K) -> Arc<str> + Send + Sync + 'static,
    ) -> Self {
        let place_of = move |key: &K| Place { lane: lane_of(key), priority: 0 };
        Self::made(name.into(), None, lane_limit, Box::new(place_of), QueueMeter::unreported())
    }

    /// A queue with a single lane that counts with `meter`.
    fn metered(name: &str, cluster: Option<&ClusterName>, meter: QueueMeter) -> Self {
        Self::made(name.to_owned(), cluster.cloned(), usize::MAX, by_priority(|_| 0), meter)
    }

    fn made(
        name: String,
        cluster: Option<ClusterName>,
        lane_limit: usize,
        place_of: PlaceOf<K>,
        meter: QueueMeter,
    ) -> Self {
        let shared = SharedQueue {
            name,
            cluster,
            state: Mutex::new(QueueState::new(lane_limit.max(1))),
            wake: Notify::new(),
            place_of,
            backoff: BACKOFF,
            meter,
        };
        Self { shared: Arc::new(shared) }
    }

    /// The cluster that the keys are about; `None` for the control plane.
    pub fn cluster(&self) -> Option<&ClusterName> {
        self.shared.cluster.as_ref()
    }

    pub(crate) fn meter(&self) -> &QueueMeter {
        &self.shared.meter
    }

    /// A reader for metrics, which does not keep the queue alive.
    fn probe(&self) -> QueueProbe {
        let reader: Arc<dyn QueueReader> = self.shared.clone();
        Arc::downgrade(&reader)
    }

    /// The name of the queue.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Keys that are ready or delayed. Keys in a pass are not counted.
    pub fn waiting(&self) -> usize {
        self.shared.state.lock().len()
    }

    /// Keys that wait for a worker.
    pub fn ready(&self) -> usize {
        self.shared.state.lock().ready()
    }

    /// Whether no key is ready, delayed or in a pass.
    pub fn is_idle(&self) -> bool {
        self.shared.state.lock().is_idle()
    }

    /// Makes a key ready. Cancels a delay of the key.
    pub fn add(&self, key: K) {
        self.shared.meter.adds.inc();
        let place = (self.shared.place_of)(&key);
        let now = Instant::now();
        if self.shared.state.lock().add(key, place, now, origin(now)) {
            self.shared.wake.notify_one();
        }
    }

    /// Makes a key ready after `delay`. Of several delays of one key the shortest applies.
    pub fn add_after(&self, key: K, delay: Duration) {
        self.shared.meter.adds.inc();
        if self.shared.state.lock().add_at(key, Instant::now() + delay) {
            self.shared.wake.notify_one();
        }
    }

    /// Waits for the next key and starts its pass, which [`Queue::finish`] ends. `None` after the queue was closed.
    pub async fn next(&self) -> Option<K> {
        loop {
            let due = {
                let mut state = self.shared.state.lock();
                if state.is_closed() {
                    return None;
                }
                let now = Instant::now();
                state.wake_delayed(now, &self.shared.place_of);
                if let Some((key, waited)) = state.take(now) {
                    if state.has_more() {
                        // Another worker waits for ready keys and due times from here on.
                        self.shared.wake.notify_one();
                    }
                    self.shared.meter.waited.observe_duration(waited);
                    return Some(key);
                }
                state.next_due()
            };
            match due {
                Some(due) => {
                    let _ = tokio::time::timeout_at(due, self.shared.wake.notified()).await;
                }
                None => self.shared.wake.notified().await,
            }
        }
    }

    /// Ends the pass that [`Queue::next`] started.
    pub fn finish(&self, key: K, next: Next) {
        let meter = &self.shared.meter;
        let place = (self.shared.place_of)(&key);
        let now = Instant::now();
        let mut state = self.shared.state.lock();
        let delay = match next {
            Next::Forget => None,
            Next::After(delay) => Some(delay),
            Next::Soon => Some(RACE_BACKOFF.random_delay(state.count_failure(&key, now))),
            Next::Backoff => Some(self.shared.backoff.random_delay(state.count_failure(&key, now))),
            Next::BackoffUnreachable => {
                Some(UNREACHABLE_BACKOFF.random_delay(state.count_failure(&key, now)))
            }
            Next::BackoffAtLeast(least) => {
                Some(self.shared.backoff.random_delay(state.count_failure(&key, now)).max(least))
            }
        };
        if matches!(next, Next::Forget | Next::After(_)) {
            if let Some(latency) = state.succeed(&key, now) {
                meter.latency.observe_duration(latency.reconcile);
                meter.change_latency.observe_duration(latency.change);
            }
        } else {
            meter.retries.inc();
        }
        let worked = state.finish(key, place, now, delay.map(|delay| now + delay));
        drop(state);
        meter.worked.observe_duration(worked);
        self.shared.wake.notify_one();
    }

    /// The change that a pending key follows from.
    pub(crate) fn origin(&self, key: &K) -> Origin {
        self.shared.state.lock().origin(key).unwrap_or_else(|| Origin::at(Instant::now()))
    }

    /// Failures of a key since its last success.
    pub fn failures(&self, key: &K) -> u32 {
        self.shared.state.lock().failures(key)
    }

    /// Closes the queue: [`Queue::next`] returns `None` from now on.
    pub fn close(&self) {
        self.shared.state.lock().close();
        self.shared.wake.notify_waiters();
        self.shared.wake.notify_one();
    }
}

impl<K: Key> QueueReader for SharedQueue<K> {
    fn load(&self) -> QueueLoad {
        self.state.lock().load(Instant::now())
    }
}

#[cfg(test)]
mod tests;
