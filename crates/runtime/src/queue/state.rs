//! State of the work queue. Pure: no clock, no waiting.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use tokio::time::Instant;

pub(super) struct QueueState<K> {
    /// Ready keys by lane.
    lanes: HashMap<Arc<str>, VecDeque<K>>,
    /// Lanes with ready keys, in the order of their turns.
    turns: VecDeque<Arc<str>>,
    /// Ready keys, and since when they wait for a worker.
    ready: HashMap<K, Instant>,
    /// Keys in a pass, and whether they were added during it.
    running: HashMap<K, bool>,
    running_in_lane: HashMap<Arc<str>, usize>,
    lane_limit: usize,
    /// Delayed keys by due time. The number makes equal times distinct.
    delayed: BTreeMap<(Instant, u64), K>,
    due: HashMap<K, (Instant, u64)>,
    next_number: u64,
    failures: HashMap<K, u32>,
    closed: bool,
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
            failures: HashMap::new(),
            closed: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ready.len() + self.due.len()
    }

    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    pub(super) fn delayed(&self) -> usize {
        self.delayed.len()
    }

    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// Keys with at least one failure since their last success.
    pub(super) fn failing(&self) -> usize {
        self.failures.len()
    }

    /// Since when the ready key that waits longest waits for a worker.
    pub(super) fn oldest_ready(&self) -> Option<Instant> {
        self.ready.values().min().copied()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.len() == 0 && self.running.is_empty()
    }

    /// Makes a key ready at `now`. True if a worker must be woken.
    pub(super) fn add(&mut self, key: K, lane: Arc<str>, now: Instant) -> bool {
        if let Some(entry) = self.due.remove(&key) {
            self.delayed.remove(&entry);
        }
        if let Some(again) = self.running.get_mut(&key) {
            *again = true;
            return false;
        }
        if self.ready.contains_key(&key) {
            return false;
        }
        self.ready.insert(key.clone(), now);
        let keys = self.lanes.entry(lane.clone()).or_default();
        if keys.is_empty() {
            self.turns.push_back(lane);
        }
        keys.push_back(key);
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
    pub(super) fn wake_delayed(&mut self, now: Instant, lane_of: impl Fn(&K) -> Arc<str>) {
        while let Some(entry) = self.delayed.first_entry().filter(|entry| entry.key().0 <= now) {
            let key = entry.remove();
            self.due.remove(&key);
            let lane = lane_of(&key);
            self.add(key, lane, now);
        }
    }

    /// Takes the first key of the next lane that is below its limit.
    pub(super) fn take(&mut self) -> Option<K> {
        for _ in 0..self.turns.len() {
            let lane = self.turns.pop_front()?;
            let running = self.running_in_lane.get(&lane).copied().unwrap_or_default();
            if running >= self.lane_limit {
                self.turns.push_back(lane);
                continue;
            }
            let keys = self.lanes.get_mut(&lane)?;
            let key = keys.pop_front()?;
            if keys.is_empty() {
                self.lanes.remove(&lane);
            } else {
                self.turns.push_back(lane.clone());
            }
            self.ready.remove(&key);
            self.running.insert(key.clone(), false);
            *self.running_in_lane.entry(lane).or_default() += 1;
            return Some(key);
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

    /// Ends the pass over a key at `now`. The key is ready again if it was added during the pass, else at `at`, if given.
    pub(super) fn finish(&mut self, key: K, lane: Arc<str>, now: Instant, at: Option<Instant>) {
        if let Some(running) = self.running_in_lane.get_mut(&lane) {
            *running -= 1;
            if *running == 0 {
                self.running_in_lane.remove(&lane);
            }
        }
        match (self.running.remove(&key), at) {
            (Some(true), _) => {
                self.add(key, lane, now);
            }
            (_, Some(at)) => {
                self.add_at(key, at);
            }
            (_, None) => {}
        }
    }

    pub(super) fn count_failure(&mut self, key: &K) -> u32 {
        let failures = self.failures.entry(key.clone()).or_default();
        *failures = failures.saturating_add(1);
        *failures
    }

    pub(super) fn forget_failures(&mut self, key: &K) {
        self.failures.remove(key);
    }

    pub(super) fn failures(&self, key: &K) -> u32 {
        self.failures.get(key).copied().unwrap_or_default()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
    }
}
