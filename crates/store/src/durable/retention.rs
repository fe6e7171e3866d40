//! Decides how much history stays on disk. Pure: the time is a parameter.

use std::collections::VecDeque;
use std::time::Duration;

use crate::options::Options;
use crate::versioned::Revision;

/// Decides which revisions a restart does not need.
#[derive(Debug)]
pub(super) struct Retention {
    keep_age: Duration,
    keep_revisions: u64,
    /// (time, revision): all writes up to the revision are older than the time. At most one mark per second.
    marks: VecDeque<(Duration, Revision)>,
    /// Writes up to this revision are older than `keep_age`.
    aged: Revision,
}

impl Retention {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            keep_age: options.keep_age,
            keep_revisions: options.keep_revisions.max(1),
            marks: VecDeque::new(),
            aged: Revision::default(),
        }
    }

    /// Notes that `newest` was written at `now`.
    pub(super) fn note(&mut self, now: Duration, newest: Revision) {
        let before = Duration::from_secs(now.as_secs() + 1);
        match self.marks.back_mut() {
            // Also if the clock went backwards: history is then kept longer, never shorter.
            Some((last, revision)) if *last >= before => *revision = newest,
            _ => self.marks.push_back((before, newest)),
        }
    }

    /// The revision up to which history may be compacted: it is old enough and enough revisions follow, or memory has
    /// dropped it.
    ///
    /// `oldest` is the oldest revision in memory. The newest revision always stays.
    pub(super) fn horizon(&mut self, now: Duration, newest: Revision, oldest: Revision) -> Revision {
        while let Some((_, revision)) = self.marks.pop_front_if(|(before, _)| *before + self.keep_age <= now)
        {
            self.aged = revision;
        }
        let counted = Revision(newest.0.saturating_sub(self.keep_revisions));
        self.aged.min(counted).max(oldest).min(newest.previous())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn horizons() {
        struct Case {
            name: &'static str,
            /// (time, newest revision) of each write.
            writes: &'static [(u32, u64)],
            now: u32,
            oldest: u64,
            want: u64,
        }
        let cases = [
            Case { name: "young", writes: &[(0, 100)], now: 10, oldest: 0, want: 0 },
            Case { name: "old, but few", writes: &[(0, 9)], now: 999, oldest: 0, want: 0 },
            Case { name: "old and many", writes: &[(0, 100)], now: 999, oldest: 0, want: 90 },
            Case {
                name: "the age decides",
                writes: &[(0, 50), (9, 60), (20, 100)],
                now: 70,
                oldest: 0,
                want: 60,
            },
            Case {
                name: "not a second too early",
                writes: &[(9, 50), (20, 99)],
                now: 69,
                oldest: 0,
                want: 0,
            },
            Case { name: "what memory dropped", writes: &[(0, 100)], now: 1, oldest: 40, want: 40 },
            Case { name: "memory without history", writes: &[(0, 100)], now: 1, oldest: 100, want: 99 },
            Case {
                name: "one second, one mark",
                writes: &[(5, 40), (5, 80), (5, 90)],
                now: 70,
                oldest: 0,
                want: 80,
            },
            Case {
                name: "a clock that went back",
                writes: &[(90, 40), (5, 80)],
                now: 100,
                oldest: 0,
                want: 0,
            },
            Case { name: "nothing written", writes: &[], now: 100, oldest: 0, want: 0 },
        ];
        for case in cases {
            let options = Options { keep_age: SECOND * 60, keep_revisions: 10, ..Options::default() };
            let mut retention = Retention::new(&options);
            for (time, newest) in case.writes {
                retention.note(SECOND * *time, Revision(*newest));
            }
            let newest = Revision(case.writes.last().map_or(0, |write| write.1));
            let horizon = retention.horizon(SECOND * case.now, newest, Revision(case.oldest));
            assert_eq!(horizon.0, case.want, "{}", case.name);
        }
    }
}
