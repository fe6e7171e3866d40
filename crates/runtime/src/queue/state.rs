//! State of the work queue. Pure: no clock, no waiting.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use portolan_net::TraceContext;
use tokio::time::Instant;

use crate::metrics::QueueLoad;

/// Keys for which an idle queue keeps room.
const KEPT_CAPACITY: usize = 1024;

/// Where a ready key waits.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Lanes take turns.
    pub(super) lane: Arc<str>,
    /// In a lane, keys of a higher priority are first; equal ones wait in the order of their addition.
    pub(super) priority: i32,
}

pub(super) struct QueueState<K> {
    /// Ready keys by lane and priority. No queue in it is empty.
    lanes: HashMap<Arc<str>, BTreeMap<Reverse<i32>, VecDeque<K>>>,
    /// Lanes with ready keys, in the order of their turns.
    turns: VecDeque<Arc<str>>,
    /// Ready keys, and since when they wait for a worker.
    ready: HashMap<K, Instant>,
    /// Keys in a pass.
    running: HashMap<K, Running>,
    running_in_lane: HashMap<Arc<str>, usize>,
    lane_limit: usize,
    /// Delayed keys by due time. The number makes equal times distinct.
    delayed: BTreeMap<(Instant, u64), K>,
    due: HashMap<K, (Instant, u64)>,
    next_number: u64,
    /// Keys that were added and have not been reconciled with success since.
    pending: HashMap<K, Pending>,
    closed: bool,
}

/// The change that led to the addition of a key, perhaps through other controllers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    /// When it happened.
    pub(crate) at: Instant,
    /// The trace that it belongs to.
    pub(crate) trace: Option<TraceContext>,
}

impl Origin {
    /// A change outside of traces.
    pub(crate) fn at(at: Instant) -> Self {
        Self { at, trace: None }
    }
}

/// A key in a pass.
struct Running {
    since: Instant,
    /// When it was added during the pass, and the origin of that.
    again: Option<(Instant, Origin)>,
}

/// A key from its first addition to the pass that succeeds.
struct Pending {
    since: Instant,
    origin: Origin,
    failures: u32,
}

impl Pending {
    fn new(since: Instant, origin: Origin) -> Self {
        Self { since, origin, failures: 0 }
    }
}

/// How long it took until a key was reconciled with success.
pub(super) struct Latency {
    /// Since the key was first added.
    pub(super) reconcile: Duration,
    /// Since the change that led to the addition.
    pub(super) change: Duration,
}

impl<K: Clone + Eq + Hash> QueueState<K> {
    pub(super) fn new(lane_limit: usize) -> Self {
        Self {
            lanes: HashMap::new(),
            turns: VecDeque::new(),
            ready: HashMap::new(),
            running: HashMap::new(),
            running_in_lane: HashMap::new(),
            lane_limit,
            delayed: BTreeMap::new(),
            due: HashMap::new(),
            next_number: 0,
            pending: HashMap::new(),
            closed: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ready.len() + self.due.len()
    }

    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Since when the ready key that waits longest waits for a worker.
    pub(super) fn oldest_ready(&self) -> Option<Instant> {
        self.ready.values().min().copied()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.len() == 0 && self.running.is_empty()
    }

    /// Makes a key ready at `now`, because of the change `origin`. True if a worker must be woken.
    pub(super) fn add(&mut self, key: K, place: Place, now: Instant, origin: Origin) -> bool {
        if let Some(entry) = self.due.remove(&key) {
            self.delayed.remove(&entry);
        }
        if let Some(running) = self.running.get_mut(&key) {
            running.again.get_or_insert((now, origin));
            return false;
        }
        if self.ready.contains_key(&key) {
            return false;
        }
        self.ready.insert(key.clone(), now);
        self.pending.entry(key.clone()).or_insert(Pending::new(now, origin));
        let keys = self.lanes.entry(place.lane.clone()).or_default();
        if keys.is_empty() {
            self.turns.push_back(place.lane);
        }
        keys.entry(Reverse(place.priority)).or_default().push_back(key);
        true
    }

    /// Makes a key ready at a later time. True if a worker must be woken to wait for that time.
    pub(super) fn add_at(&mut self, key: K, at: Instant) -> bool {
        if self.ready.contains_key(&key) {
            return false;
        }
        if let Some(entry) = self.due.get(&key).copied() {
            if entry.0 <= at {
                return false;
            }
            self.delayed.remove(&entry);
        }
        let entry = (at, self.next_number);
        self.next_number += 1;
        self.delayed.insert(entry, key.clone());
        self.due.insert(key, entry);
        true
    }

    /// Makes the delayed keys ready that are due at `now`.
    pub(super) fn wake_delayed(&mut self, now: Instant, place_of: impl Fn(&K) -> Place) {
        while let Some(entry) = self.delayed.first_entry().filter(|entry| entry.key().0 <= now) {
            let key = entry.remove();
            self.due.remove(&key);
            let place = place_of(&key);
            self.add(key, place, now, Origin::at(now));
        }
    }

    /// Takes the first key of the highest priority from the next lane that is below its limit, with the time that it was
    /// ready.
    pub(super) fn take(&mut self, now: Instant) -> Option<(K, Duration)> {
        for _ in 0..self.turns.len() {
            let lane = self.turns.pop_front()?;
            let running = self.running_in_lane.get(&lane).copied().unwrap_or_default();
            if running >= self.lane_limit {
                self.turns.push_back(lane);
                continue;
            }
            let keys = self.lanes.get_mut(&lane)?;
            let mut first = keys.first_entry()?;
            let key = first.get_mut().pop_front()?;
            if first.get().is_empty() {
                first.remove();
            }
            if keys.is_empty() {
                self.lanes.remove(&lane);
            } else {
                self.turns.push_back(lane.clone());
            }
            let since = self.ready.remove(&key).unwrap_or(now);
            self.running.insert(key.clone(), Running { since: now, again: None });
            *self.running_in_lane.entry(lane).or_default() += 1;
            return Some((key, now.duration_since(since)));
        }
        None
    }

    /// Whether another worker has a key to take or a due time to wait for.
    pub(super) fn has_more(&self) -> bool {
        !self.ready.is_empty() || !self.delayed.is_empty()
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.delayed.first_key_value().map(|((at, _), _)| *at)
    }

    /// Ends the pass over a key at `now`. The key is ready again if it was added during the pass, else at `at`, if
    /// given. Returns the duration of the pass.
    pub(super) fn finish(&mut self, key: K, place: Place, now: Instant, at: Option<Instant>) -> Duration {
        if let Some(running) = self.running_in_lane.get_mut(&place.lane) {
            *running -= 1;
            if *running == 0 {
                self.running_in_lane.remove(&place.lane);
            }
        }
        let Some(running) = self.running.remove(&key) else { return Duration::ZERO };
        match (running.again, at) {
            (Some((added, origin)), _) => {
                self.pending.entry(key.clone()).or_insert(Pending::new(added, origin));
                self.add(key, place, now, origin);
            }
            (None, Some(at)) => {
                self.add_at(key, at);
            }
            (None, None) => {}
        }
        now.duration_since(running.since)
    }

    pub(super) fn count_failure(&mut self, key: &K, now: Instant) -> u32 {
        let pending = self.pending.entry(key.clone()).or_insert(Pending::new(now, Origin::at(now)));
        pending.failures = pending.failures.saturating_add(1);
        pending.failures
    }

    /// Notes that the pass over a key succeeded. Returns how long that took.
    pub(super) fn succeed(&mut self, key: &K, now: Instant) -> Option<Latency> {
        let pending = self.pending.remove(key)?;
        self.shrink();
        let since = |instant: Instant| now.duration_since(instant);
        Some(Latency { reconcile: since(pending.since), change: since(pending.origin.at) })
    }

    /// Gives back the memory of a backlog once all of it is done.
    fn shrink(&mut self) {
        if self.pending.is_empty() && self.pending.capacity() > KEPT_CAPACITY {
            self.pending.shrink_to(KEPT_CAPACITY);
            self.ready.shrink_to(KEPT_CAPACITY);
            self.due.shrink_to(KEPT_CAPACITY);
        }
    }

    /// The change that led to the addition of a key.
    pub(super) fn origin(&self, key: &K) -> Option<Origin> {
        self.pending.get(key).map(|pending| pending.origin)
    }

    pub(super) fn failures(&self, key: &K) -> u32 {
        self.pending.get(key).map_or(0, |pending| pending.failures)
    }

    /// What metrics report of this moment.
    pub(super) fn load(&self, now: Instant) -> QueueLoad {
        let passes = || self.running.values().map(|running| now.duration_since(running.since));
        QueueLoad {
            ready: self.ready.len(),
            oldest: self.oldest_ready().map(|since| now.duration_since(since)).unwrap_or_default(),
            unfinished: passes().sum(),
            longest: passes().max().unwrap_or_default(),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
    }
}
