//! The rate of evictions because of taints: each binding that waits has a turn.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_object::ObjectKey;

#[derive(Debug, Default)]
struct State {
    /// Times of the turns, on a monotonic clock.
    turns: HashMap<ObjectKey, Duration>,
    /// The first time that is free.
    free: Duration,
}

/// Turns of bindings; clones share state.
#[derive(Debug, Clone)]
pub(super) struct Turns {
    /// Time between two turns; `None` if nothing is ever evicted.
    interval: Option<Duration>,
    state: Arc<Mutex<State>>,
}

impl Turns {
    pub(super) fn new(per_second: f64) -> Self {
        let interval = Duration::try_from_secs_f64(1.0 / per_second).ok();
        Self { interval, state: Arc::default() }
    }

    /// Whether it is the turn of a binding at the time `now`. The first call gives it a turn.
    pub(super) fn is_due(&self, key: &ObjectKey, now: Duration) -> bool {
        let Some(interval) = self.interval else { return false };
        let State { turns, free } = &mut *self.state.lock();
        let turn = *turns.entry(key.clone()).or_insert_with(|| {
            let turn = now.max(*free);
            *free = turn + interval;
            turn
        });
        turn <= now
    }

    /// The time until the turn of a binding.
    pub(super) fn wait(&self, key: &ObjectKey, now: Duration) -> Option<Duration> {
        self.state.lock().turns.get(key).map(|turn| turn.saturating_sub(now))
    }

    /// The binding has used its turn, or needs none.
    pub(super) fn give_up(&self, key: &ObjectKey) {
        self.state.lock().turns.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_apart() {
        let turns = Turns::new(0.5);
        let (a, b) = (ObjectKey::cluster("a"), ObjectKey::cluster("b"));
        let seconds = Duration::from_secs;
        assert!(turns.is_due(&a, seconds(10)));
        assert!(!turns.is_due(&b, seconds(10)));
        assert_eq!(turns.wait(&b, seconds(11)), Some(seconds(1)));
        assert!(turns.is_due(&b, seconds(12)));
        turns.give_up(&a);
        assert!(!turns.is_due(&a, seconds(13)), "behind b");
        assert!(turns.is_due(&a, seconds(14)));
    }

    #[test]
    fn a_rate_of_zero_holds_everything() {
        let turns = Turns::new(0.0);
        let key = ObjectKey::cluster("a");
        assert!(!turns.is_due(&key, Duration::from_secs(1_000_000)));
        assert_eq!(turns.wait(&key, Duration::ZERO), None);
    }
}
