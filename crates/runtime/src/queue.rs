//! The work queue: which key is reconciled next, and when.
//!
//! Each key is in the queue once however often it is added, and is never handed out while it is being worked on; an
//! addition meanwhile makes it run once more afterwards. Lanes (clusters) take turns, so that a lane with ten thousand
//! keys delays another lane's single key by one key. The queue never drops a key, and holds at most one entry per
//! existing key.

mod state;

use std::fmt::Display;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::backoff::Backoff;
use state::State;

/// Something that can be queued.
pub trait Key: Clone + Eq + Hash + Display + Send + Sync + 'static {}

impl<K: Clone + Eq + Hash + Display + Send + Sync + 'static> Key for K {}

/// Names the lane of a key.
type LaneOf<K> = Box<dyn Fn(&K) -> Arc<str> + Send + Sync>;

/// How many of what happened since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Keys added, merged ones included.
    pub added: AtomicU64,
    /// Passes started.
    pub started: AtomicU64,
    /// Passes that ended well.
    pub succeeded: AtomicU64,
    /// Passes that lost a race and run again.
    pub raced: AtomicU64,
    /// Passes that failed and run again later.
    pub failed: AtomicU64,
}

impl Counters {
    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// How a pass over a key ended, as far as the queue is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing to do until somebody adds the key.
    Forget,
    /// Once more after this time.
    After(Duration),
    /// Once more soon: a race was lost.
    Soon,
    /// Once more, later each time.
    Backoff,
}

struct Inner<K> {
    name: String,
    state: Mutex<State<K>>,
    wake: Notify,
    lane_of: LaneOf<K>,
    backoff: Backoff,
    counters: Counters,
}

/// A queue of keys; a clone is the same queue.
pub struct Queue<K> {
    inner: Arc<Inner<K>>,
}

impl<K> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

/// Failures back off from here to there; members come back within half a minute of recovery.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(30));
/// Lost races are retried from here to there: the cache needs a moment to see the winner.
const RACE_BACKOFF: Backoff = Backoff::new(Duration::from_millis(2), Duration::from_secs(1));

impl<K: Key> Queue<K> {
    /// A queue without lanes; `name` appears in logs and metrics.
    pub fn new(name: impl Into<String>) -> Self {
        let single: Arc<str> = Arc::from("");
        Self::with_lanes(name, usize::MAX, move |_| single.clone())
    }

    /// A queue whose lanes take turns; of one lane, at most `lane_limit` keys are worked on at once.
    pub fn with_lanes(
        name: impl Into<String>,
        lane_limit: usize,
        lane_of: impl Fn(&K) -> Arc<str> + Send + Sync + 'static,
    ) -> Self {
        let inner = Inner {
            name: name.into(),
            state: Mutex::new(State::new(lane_limit.max(1))),
            wake: Notify::new(),
            lane_of: Box::new(lane_of),
            backoff: BACKOFF,
            counters: Counters::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The name given.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// What happened so far.
    pub fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    /// Keys that are ready or waiting for their time; keys being worked on are not counted.
    pub fn waiting(&self) -> usize {
        self.inner.state.lock().len()
    }

    /// Keys that only wait for a worker.
    pub fn ready(&self) -> usize {
        self.inner.state.lock().ready()
    }

    /// Whether nothing is ready, waiting or being worked on.
    pub fn is_idle(&self) -> bool {
        self.inner.state.lock().is_idle()
    }

    /// Adds a key, to be worked on as soon as possible; a waiting delay of the key is forgotten.
    pub fn add(&self, key: K) {
        Counters::count(&self.inner.counters.added);
        let lane = (self.inner.lane_of)(&key);
        if self.inner.state.lock().add(key, lane) {
            self.inner.wake.notify_one();
        }
    }

    /// Adds a key after `delay`; of several delays of one key the shortest holds.
    pub fn add_after(&self, key: K, delay: Duration) {
        Counters::count(&self.inner.counters.added);
        if self.inner.state.lock().add_at(key, Instant::now() + delay) {
            self.inner.wake.notify_one();
        }
    }

    /// The next key, which counts as being worked on until [`Queue::finish`]. `None` once the queue is closed.
    pub async fn next(&self) -> Option<K> {
        loop {
            let due = {
                let mut state = self.inner.state.lock();
                if state.is_closed() {
                    return None;
                }
                state.wake_delayed(Instant::now(), &self.inner.lane_of);
                if let Some(key) = state.take() {
                    if state.has_more() {
                        // Another worker takes over the watch for ready keys and for the clock.
                        self.inner.wake.notify_one();
                    }
                    Counters::count(&self.inner.counters.started);
                    return Some(key);
                }
                state.next_due()
            };
            match due {
                Some(due) => {
                    let _ = tokio::time::timeout_at(due, self.inner.wake.notified()).await;
                }
                None => self.inner.wake.notified().await,
            }
        }
    }

    /// Ends the pass that [`Queue::next`] began.
    pub fn finish(&self, key: K, next: Next) {
        let counters = &self.inner.counters;
        Counters::count(match next {
            Next::Forget | Next::After(_) => &counters.succeeded,
            Next::Soon => &counters.raced,
            Next::Backoff => &counters.failed,
        });
        let lane = (self.inner.lane_of)(&key);
        let mut state = self.inner.state.lock();
        let delay = match next {
            Next::Forget => None,
            Next::After(delay) => Some(delay),
            Next::Soon => Some(RACE_BACKOFF.random_delay(state.count_failure(&key))),
            Next::Backoff => Some(self.inner.backoff.random_delay(state.count_failure(&key))),
        };
        if matches!(next, Next::Forget | Next::After(_)) {
            state.forget_failures(&key);
        }
        state.finish(key, lane, delay.map(|delay| Instant::now() + delay));
        drop(state);
        self.inner.wake.notify_one();
    }

    /// Failures in a row of a key.
    pub fn failures(&self, key: &K) -> u32 {
        self.inner.state.lock().failures(key)
    }

    /// Ends the queue: every [`Queue::next`] answers `None` from now on.
    pub fn close(&self) {
        self.inner.state.lock().close();
        self.inner.wake.notify_waiters();
        self.inner.wake.notify_one();
    }
}

#[cfg(test)]
mod tests;
