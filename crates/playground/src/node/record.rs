//! Record of a container: its state, its restarts, and the decision whether to start it.
//!
//! Pure: time is a parameter. `lifecycle` updates the records and acts on them, `status` writes them to the pod status.

use std::time::Duration;

use jiff::Timestamp;

use crate::node::pod_spec::RestartPolicy;

/// First and longest back-off before a restart, as in the kubelet.
const INITIAL_BACKOFF: Duration = Duration::from_secs(10);
const MAX_BACKOFF: Duration = Duration::from_secs(300);
/// A run of this length resets the back-off.
const STABLE_RUN: Duration = Duration::from_secs(600);

/// State of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContainerRecord {
    pub(crate) state: ContainerState,
    /// End of the previous run (`lastState`).
    pub(crate) last: Option<Termination>,
    pub(crate) restarts: u32,
    /// Restarts since the last stable run.
    pub(crate) consecutive_restarts: u32,
    /// Result of the readiness probe.
    pub(crate) ready: bool,
    /// Result of the startup probe.
    pub(crate) started: bool,
}

/// `ContainerState` of the pod status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ContainerState {
    Waiting { reason: String, message: String },
    Running { id: String, since: Timestamp },
    Terminated(Termination),
}

/// End of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Termination {
    pub(crate) id: String,
    pub(crate) code: i32,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) started: Timestamp,
    pub(crate) finished: Timestamp,
}

/// Next step for a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextStep {
    /// Start it.
    Start,
    /// Start it after this time.
    Wait(Duration),
    /// Do nothing: it runs, or is not restarted.
    None,
}

impl ContainerRecord {
    /// The record of a container that has never run.
    pub(crate) fn new() -> Self {
        Self {
            state: ContainerState::waiting("ContainerCreating", ""),
            last: None,
            restarts: 0,
            consecutive_restarts: 0,
            ready: false,
            started: false,
        }
    }

    /// The next step for a container after its predecessors are done.
    pub(crate) fn next_step(&self, policy: RestartPolicy, now: Timestamp) -> NextStep {
        let ended = match (&self.state, &self.last) {
            (ContainerState::Running { .. }, _) => return NextStep::None,
            (ContainerState::Waiting { .. }, None) => return NextStep::Start,
            (ContainerState::Terminated(ended), _) | (ContainerState::Waiting { .. }, Some(ended)) => ended,
        };
        if !policy.restarts(ended.code) {
            return NextStep::None;
        }
        let due = ended.finished.checked_add(self.backoff(ended)).unwrap_or(Timestamp::MAX);
        match Duration::try_from(due.duration_since(now)) {
            Ok(left) if !left.is_zero() => NextStep::Wait(left),
            _ => NextStep::Start,
        }
    }

    /// Records the end of a run.
    pub(crate) fn set_terminated(&mut self, ended: Termination) {
        self.state = ContainerState::Terminated(ended);
        self.ready = false;
        self.started = false;
    }

    /// Records that the container waits for its next run.
    pub(crate) fn set_waiting(&mut self, reason: &str, message: impl Into<String>) {
        let waiting = ContainerState::Waiting { reason: reason.to_owned(), message: message.into() };
        if let ContainerState::Terminated(ended) = std::mem::replace(&mut self.state, waiting) {
            self.last = Some(ended);
        }
        self.ready = false;
        self.started = false;
    }

    /// Records a new run.
    pub(crate) fn set_running(&mut self, id: &str, since: Timestamp) {
        let running = ContainerState::Running { id: id.to_owned(), since };
        if let ContainerState::Terminated(ended) = std::mem::replace(&mut self.state, running) {
            self.last = Some(ended);
        }
        if let Some(last) = &self.last {
            self.restarts += 1;
            self.consecutive_restarts = if last.was_stable() { 1 } else { self.consecutive_restarts + 1 };
        }
    }

    /// Back-off before the next restart: none, then 10 s, doubled each time up to 5 min.
    pub(crate) fn backoff(&self, ended: &Termination) -> Duration {
        match self.consecutive_restarts {
            0 => Duration::ZERO,
            _ if ended.was_stable() => Duration::ZERO,
            times => INITIAL_BACKOFF.saturating_mul(1 << (times - 1).min(8)).min(MAX_BACKOFF),
        }
    }

    /// End of the latest run; `None` while the container runs or if it never ran.
    pub(crate) fn last_termination(&self) -> Option<&Termination> {
        match &self.state {
            ContainerState::Terminated(ended) => Some(ended),
            ContainerState::Waiting { .. } => self.last.as_ref(),
            ContainerState::Running { .. } => None,
        }
    }
}

impl ContainerState {
    /// The waiting state.
    pub(crate) fn waiting(reason: &str, message: &str) -> Self {
        Self::Waiting { reason: reason.to_owned(), message: message.to_owned() }
    }
}

impl Termination {
    fn was_stable(&self) -> bool {
        Duration::try_from(self.finished.duration_since(self.started)).is_ok_and(|ran| ran >= STABLE_RUN)
    }
}

impl RestartPolicy {
    /// Whether a container that ended with `code` is restarted.
    pub(crate) fn restarts(self, code: i32) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => code != 0,
            Self::Never => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn ended(code: i32, started: i64, finished: i64) -> Termination {
        Termination {
            id: "portolan://1".to_owned(),
            code,
            reason: "Error".to_owned(),
            message: String::new(),
            started: at(started),
            finished: at(finished),
        }
    }

    #[test]
    fn next_steps() {
        let new = ContainerRecord::new();
        let running = ContainerRecord {
            state: ContainerState::Running { id: "a".to_owned(), since: at(0) },
            ..new.clone()
        };
        let over =
            |code| ContainerRecord { state: ContainerState::Terminated(ended(code, 0, 5)), ..new.clone() };
        let crashing = |times, started| ContainerRecord {
            state: ContainerState::waiting("CrashLoopBackOff", ""),
            last: Some(ended(1, started, 1000)),
            consecutive_restarts: times,
            ..new.clone()
        };
        let wait = |seconds| NextStep::Wait(Duration::from_secs(seconds));
        let cases = [
            ("never run", &new, RestartPolicy::Never, 0, NextStep::Start),
            ("running", &running, RestartPolicy::Always, 0, NextStep::None),
            ("ended well, Never", &over(0), RestartPolicy::Never, 5, NextStep::None),
            ("failed, Never", &over(1), RestartPolicy::Never, 5, NextStep::None),
            ("ended well, OnFailure", &over(0), RestartPolicy::OnFailure, 5, NextStep::None),
            ("failed, OnFailure", &over(1), RestartPolicy::OnFailure, 5, NextStep::Start),
            ("ended well, Always", &over(0), RestartPolicy::Always, 5, NextStep::Start),
            ("second time", &crashing(1, 999), RestartPolicy::Always, 1003, wait(7)),
            ("second time, waited", &crashing(1, 999), RestartPolicy::Always, 1010, NextStep::Start),
            ("third time", &crashing(2, 999), RestartPolicy::Always, 1000, wait(20)),
            ("many times", &crashing(60, 999), RestartPolicy::Always, 1000, wait(300)),
            ("after a stable run", &crashing(60, 400), RestartPolicy::Always, 1000, NextStep::Start),
            ("a clock that went back", &crashing(1, 999), RestartPolicy::Always, 0, wait(1010)),
        ];
        for (name, record, policy, now, want) in cases {
            assert_eq!(record.next_step(policy, at(now)), want, "{name}");
        }
    }

    #[test]
    fn runs_are_counted() {
        let mut record = ContainerRecord::new();
        record.set_running("a", at(0));
        assert_eq!((record.restarts, record.consecutive_restarts), (0, 0));
        record.set_terminated(ended(1, 0, 1));
        record.set_running("b", at(1));
        record.set_terminated(ended(1, 1, 2));
        record.set_waiting("CrashLoopBackOff", "back-off");
        record.set_running("c", at(12));
        assert_eq!((record.restarts, record.consecutive_restarts), (2, 2));
        assert_eq!(record.last, Some(ended(1, 1, 2)));
        record.set_terminated(ended(1, 12, 700));
        record.set_running("d", at(700));
        assert_eq!((record.restarts, record.consecutive_restarts), (3, 1), "a stable run resets the count");
    }
}
