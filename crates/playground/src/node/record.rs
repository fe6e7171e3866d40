//! What a node remembers of a container, and whether it is to be started.
//!
//! Pure: time is a parameter. `lifecycle` keeps the records up to date and acts, `status` writes them down.

use std::time::Duration;

use jiff::Timestamp;

use crate::node::pod_spec::RestartPolicy;

/// The first and the longest wait before a restart, as kubelets have them.
const FIRST_BACKOFF: Duration = Duration::from_secs(10);
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);
/// A run of this length makes the next restart immediate again.
const GOOD_RUN: Duration = Duration::from_secs(600);

/// What is known of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) state: State,
    /// How the run before the current state ended.
    pub(crate) last: Option<Ended>,
    pub(crate) restarts: u32,
    /// Restarts without a good run in between.
    pub(crate) in_a_row: u32,
    /// Whether it answers requests.
    pub(crate) ready: bool,
    /// Whether its start-up is complete.
    pub(crate) started: bool,
}

/// Where a container is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Waiting { reason: String, message: String },
    Running { id: String, since: Timestamp },
    Ended(Ended),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) id: String,
    pub(crate) code: i32,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) started: Timestamp,
    pub(crate) finished: Timestamp,
}

/// What is to be done about a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Start it.
    Start,
    /// Start it after this time.
    Wait(Duration),
    /// Nothing: it runs, or has ended for good.
    Stay,
}

impl Record {
    /// A container that has never run.
    pub(crate) fn new() -> Self {
        Self {
            state: State::waiting("ContainerCreating", ""),
            last: None,
            restarts: 0,
            in_a_row: 0,
            ready: false,
            started: false,
        }
    }

    /// Decides about a container whose turn it is.
    pub(crate) fn next(&self, policy: RestartPolicy, now: Timestamp) -> Next {
        let ended = match (&self.state, &self.last) {
            (State::Running { .. }, _) => return Next::Stay,
            (State::Waiting { .. }, None) => return Next::Start,
            (State::Ended(ended), _) | (State::Waiting { .. }, Some(ended)) => ended,
        };
        if !policy.restarts(ended.code) {
            return Next::Stay;
        }
        let due = ended.finished.checked_add(self.backoff(ended)).unwrap_or(Timestamp::MAX);
        match Duration::try_from(due.duration_since(now)) {
            Ok(left) if !left.is_zero() => Next::Wait(left),
            _ => Next::Start,
        }
    }

    /// The run has ended.
    pub(crate) fn end(&mut self, ended: Ended) {
        self.state = State::Ended(ended);
        self.ready = false;
        self.started = false;
    }

    /// The container waits for its next run; what is known of the last one is kept.
    pub(crate) fn wait(&mut self, reason: &str, message: impl Into<String>) {
        let waiting = State::Waiting { reason: reason.to_owned(), message: message.into() };
        if let State::Ended(ended) = std::mem::replace(&mut self.state, waiting) {
            self.last = Some(ended);
        }
        self.ready = false;
        self.started = false;
    }

    /// A run has begun.
    pub(crate) fn run(&mut self, id: &str, since: Timestamp) {
        let running = State::Running { id: id.to_owned(), since };
        if let State::Ended(ended) = std::mem::replace(&mut self.state, running) {
            self.last = Some(ended);
        }
        if let Some(last) = &self.last {
            self.restarts += 1;
            self.in_a_row = if last.was_good() { 1 } else { self.in_a_row + 1 };
        }
    }

    /// The wait before the next restart: none, then 10 s, doubled each time up to 5 min.
    pub(crate) fn backoff(&self, ended: &Ended) -> Duration {
        match self.in_a_row {
            0 => Duration::ZERO,
            _ if ended.was_good() => Duration::ZERO,
            times => FIRST_BACKOFF.saturating_mul(1 << (times - 1).min(8)).min(LONGEST_BACKOFF),
        }
    }

    /// The code of a container that has ended, also while it waits for its next run.
    pub(crate) fn ended(&self) -> Option<&Ended> {
        match &self.state {
            State::Ended(ended) => Some(ended),
            State::Waiting { .. } => self.last.as_ref(),
            State::Running { .. } => None,
        }
    }
}

impl State {
    /// A container that waits.
    pub(crate) fn waiting(reason: &str, message: &str) -> Self {
        Self::Waiting { reason: reason.to_owned(), message: message.to_owned() }
    }
}

impl Ended {
    fn was_good(&self) -> bool {
        Duration::try_from(self.finished.duration_since(self.started)).is_ok_and(|ran| ran >= GOOD_RUN)
    }
}

impl RestartPolicy {
    /// Whether a container that ended with `code` is started again.
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

    fn ended(code: i32, started: i64, finished: i64) -> Ended {
        Ended {
            id: "portolan://1".to_owned(),
            code,
            reason: "Error".to_owned(),
            message: String::new(),
            started: at(started),
            finished: at(finished),
        }
    }

    #[test]
    fn containers_and_what_to_do_about_them() {
        let new = Record::new();
        let running = Record { state: State::Running { id: "a".to_owned(), since: at(0) }, ..new.clone() };
        let over = |code| Record { state: State::Ended(ended(code, 0, 5)), ..new.clone() };
        let crashing = |times, started| Record {
            state: State::waiting("CrashLoopBackOff", ""),
            last: Some(ended(1, started, 1000)),
            in_a_row: times,
            ..new.clone()
        };
        let wait = |seconds| Next::Wait(Duration::from_secs(seconds));
        let cases = [
            ("never run", &new, RestartPolicy::Never, 0, Next::Start),
            ("running", &running, RestartPolicy::Always, 0, Next::Stay),
            ("ended well, Never", &over(0), RestartPolicy::Never, 5, Next::Stay),
            ("failed, Never", &over(1), RestartPolicy::Never, 5, Next::Stay),
            ("ended well, OnFailure", &over(0), RestartPolicy::OnFailure, 5, Next::Stay),
            ("failed, OnFailure", &over(1), RestartPolicy::OnFailure, 5, Next::Start),
            ("ended well, Always", &over(0), RestartPolicy::Always, 5, Next::Start),
            ("second time", &crashing(1, 999), RestartPolicy::Always, 1003, wait(7)),
            ("second time, waited", &crashing(1, 999), RestartPolicy::Always, 1010, Next::Start),
            ("third time", &crashing(2, 999), RestartPolicy::Always, 1000, wait(20)),
            ("many times", &crashing(60, 999), RestartPolicy::Always, 1000, wait(300)),
            ("after a good run", &crashing(60, 400), RestartPolicy::Always, 1000, Next::Start),
            ("a clock that went back", &crashing(1, 999), RestartPolicy::Always, 0, wait(1010)),
        ];
        for (name, record, policy, now, want) in cases {
            assert_eq!(record.next(policy, at(now)), want, "{name}");
        }
    }

    #[test]
    fn runs_are_counted() {
        let mut record = Record::new();
        record.run("a", at(0));
        assert_eq!((record.restarts, record.in_a_row), (0, 0));
        record.end(ended(1, 0, 1));
        record.run("b", at(1));
        record.end(ended(1, 1, 2));
        record.wait("CrashLoopBackOff", "back-off");
        record.run("c", at(12));
        assert_eq!((record.restarts, record.in_a_row), (2, 2));
        assert_eq!(record.last, Some(ended(1, 1, 2)));
        record.end(ended(1, 12, 700));
        record.run("d", at(700));
        assert_eq!((record.restarts, record.in_a_row), (3, 1), "a good run starts the count again");
    }
}
