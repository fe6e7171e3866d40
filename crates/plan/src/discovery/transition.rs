//! Transitions: traffic that moves to and away from the endpoints of an exporter step by step, over the time of a TrafficPolicy.
//!
//! Endpoints that do not answer leave at once. What is known of a transition is in memory: after a restart of the control plane,
//! one that was under way is complete.

use std::collections::BTreeMap;
use std::time::Duration;

use super::usage::{Allotment, Usage};

/// Number of steps of a transition.
const STEPS: u32 = 10;

/// Transitions of one service in one importing cluster. Times are those of a monotonic clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transitions(BTreeMap<String, Transition>);

/// The traffic of one exporter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Transition {
    /// Whether its endpoints come into use.
    is_used: bool,
    /// Share of its endpoints that were in use at the start, in percent.
    from: u32,
    /// Time of the start; `None` if it is complete.
    since: Option<Duration>,
}

impl Transition {
    /// Time since the start of a transition that is not complete.
    fn passed(&self, time: Duration, now: Duration) -> Option<Duration> {
        let passed = now.saturating_sub(self.since?);
        (passed < time).then_some(passed)
    }

    /// Share of the endpoints that are in use, in percent.
    fn percent(&self, time: Duration, now: Duration) -> u32 {
        let to: u32 = if self.is_used { 100 } else { 0 };
        let Some(passed) = self.passed(time, now) else { return to };
        let steps = passed.as_millis() * u128::from(STEPS) / time.as_millis().max(1);
        let done = u32::try_from(steps).unwrap_or(STEPS) + 1;
        let done = done.min(STEPS);
        // The first step is taken at once.
        (self.from * (STEPS - done) + to * done) / STEPS
    }
}

impl Transitions {
    /// Notes what is to be done with each exporter at `now`, and returns the share of the endpoints of those that are on their way,
    /// in percent. An exporter that is new does not change: it is used as it is to be used.
    pub fn step(
        &mut self,
        allotted: &BTreeMap<String, Allotment>,
        time: Duration,
        now: Duration,
    ) -> BTreeMap<String, u32> {
        self.0.retain(|source, _| allotted.contains_key(source));
        let mut moving = BTreeMap::new();
        for (source, allotment) in allotted {
            let is_used = matches!(allotment.usage, Usage::Keep | Usage::Part);
            let (is_new, is_dead) = (!self.0.contains_key(source), allotment.usage == Usage::Withdraw);
            let known = self.0.entry(source.clone()).or_insert(Transition { is_used, from: 0, since: None });
            if is_new || is_dead {
                *known = Transition { is_used, from: 0, since: None };
                continue;
            }
            if known.is_used != is_used {
                *known = Transition { is_used, from: known.percent(time, now), since: Some(now) };
            }
            if known.passed(time, now).is_some() {
                moving.insert(source.clone(), known.percent(time, now));
            }
        }
        moving
    }

    /// Time until the next step; `None` if nothing is on its way.
    pub fn next_step(&self, time: Duration, now: Duration) -> Option<Duration> {
        let is_moving = |transition: &&Transition| transition.passed(time, now).is_some();
        self.0.values().find(is_moving).map(|_| time / STEPS)
    }
}

/// An allotment of which only a share is in use at present.
pub(super) fn on_its_way(allotment: Allotment, percent: u32) -> Allotment {
    let all = if allotment.usage == Usage::Part { allotment.part } else { allotment.ready };
    let part = (all * usize::try_from(percent.min(100)).unwrap_or(100)).div_ceil(100);
    match part {
        0 => allotment,
        part if part >= allotment.ready => Allotment { usage: Usage::Keep, part: 0, ..allotment },
        part => Allotment { usage: Usage::Part, part, ..allotment },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn allotted(usage: Usage) -> BTreeMap<String, Allotment> {
        BTreeMap::from([("east".to_owned(), Allotment { usage, part: 0, ready: 20 })])
    }

    /// The parts that are used at each of these seconds, after these usages.
    fn parts(usages: &[(u64, Usage)]) -> Vec<String> {
        let mut transitions = Transitions::default();
        let mut parts = Vec::new();
        for (second, usage) in usages {
            let (target, now) = (allotted(*usage), Duration::from_secs(*second));
            let moving = transitions.step(&target, MINUTE, now);
            let effective =
                moving.get("east").map_or(target["east"], |percent| on_its_way(target["east"], *percent));
            parts.push(match effective.usage {
                Usage::Part => effective.part.to_string(),
                usage => format!("{usage:?}"),
            });
        }
        parts
    }

    #[test]
    fn traffic_moves_in_steps_and_a_dead_cluster_leaves_at_once() {
        use Usage::{Drain, Keep, Standby, Withdraw};
        /// Name, wanted usages by second, and what is in effect then.
        type Case = (&'static str, &'static [(u64, Usage)], &'static [&'static str]);
        let cases: [Case; 6] = [
            ("new", &[(0, Keep), (5, Keep)], &["Keep", "Keep"]),
            ("drained from the start", &[(0, Drain), (5, Drain)], &["Drain", "Drain"]),
            (
                "drained",
                &[(0, Keep), (100, Drain), (107, Drain), (130, Drain), (160, Drain)],
                &["Keep", "18", "16", "8", "Drain"],
            ),
            ("back", &[(0, Standby), (100, Keep), (130, Keep), (154, Keep)], &["Standby", "2", "12", "Keep"]),
            (
                "turned around",
                &[(0, Keep), (100, Drain), (130, Drain), (130, Keep), (190, Keep)],
                &["Keep", "18", "8", "10", "Keep"],
            ),
            ("dead", &[(0, Keep), (100, Withdraw), (101, Withdraw)], &["Keep", "Withdraw", "Withdraw"]),
        ];
        for (name, usages, want) in cases {
            assert_eq!(parts(usages), want, "{name}");
        }
    }

    #[test]
    fn the_next_step_is_a_tenth_away_while_something_moves() {
        let mut transitions = Transitions::default();
        transitions.step(&allotted(Usage::Keep), MINUTE, MINUTE * 2);
        assert_eq!(transitions.next_step(MINUTE, MINUTE * 2), None);
        transitions.step(&allotted(Usage::Drain), MINUTE, MINUTE * 2);
        assert_eq!(transitions.next_step(MINUTE, MINUTE * 2), Some(MINUTE / 10));
        assert_eq!(transitions.next_step(MINUTE, MINUTE * 3), None);
    }
}
