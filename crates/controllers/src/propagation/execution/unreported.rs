//! Works that are applied and not reported yet.
//!
//! While many Works are queued, objects are applied first and reported later: users wait for the object, and a report
//! costs the control plane as much as another Work. A report is deferred by a few seconds at most.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::work::Work;
use portolan_object::ObjectKey;
use tokio::time::Instant;

/// Status reports are deferred while at least this number of Works is queued.
const DEFER_BACKLOG: usize = 64;
/// Upper bound for a deferred report.
const MAX_REPORT_DELAY: Duration = Duration::from_secs(3);

/// The applied Works without a report.
#[derive(Default)]
pub(super) struct Unreported {
    applied: Mutex<HashMap<ObjectKey, Applied>>,
}

struct Applied {
    uid: String,
    generation: i64,
    since: Instant,
}

impl Applied {
    fn is_of(&self, work: &Work) -> bool {
        self.uid == work.metadata.uid && self.generation == work.metadata.generation
    }
}

impl Unreported {
    /// Whether this generation of a Work is applied.
    pub(super) fn has(&self, work: &Work) -> bool {
        self.applied.lock().get(&work.metadata.key()).is_some_and(|applied| applied.is_of(work))
    }

    /// Whether the report of an applied Work is still deferred. `ready` is the number of queued Works.
    pub(super) fn waits(&self, work: &Work, ready: usize) -> bool {
        let applied = self.applied.lock();
        let applied = applied.get(&work.metadata.key()).filter(|applied| applied.is_of(work));
        applied.is_some_and(|applied| is_early(applied.since, ready))
    }

    /// Notes that a Work is applied. True if its report is deferred, which only a first report is.
    pub(super) fn note(&self, work: &Work, ready: usize) -> bool {
        if !work.status.conditions.is_empty() {
            return false;
        }
        let now = Instant::now();
        let mut applied = self.applied.lock();
        let known = applied.get(&work.metadata.key()).filter(|applied| applied.is_of(work));
        let since = known.map_or(now, |applied| applied.since);
        let waits = is_early(since, ready);
        if waits {
            let (uid, generation) = (work.metadata.uid.clone(), work.metadata.generation);
            applied.insert(work.metadata.key(), Applied { uid, generation, since });
        }
        waits
    }

    /// Forgets a Work that is reported or deleted.
    pub(super) fn forget(&self, work: &ObjectKey) {
        self.applied.lock().remove(work);
    }
}

fn is_early(since: Instant, ready: usize) -> bool {
    ready >= DEFER_BACKLOG && since.elapsed() < MAX_REPORT_DELAY
}

#[cfg(test)]
mod tests {
    use portolan_api::meta::Condition;

    use super::*;

    fn work(generation: i64) -> Work {
        let mut work = Work::default();
        work.metadata.name = "a".to_owned();
        work.metadata.uid = "u".to_owned();
        work.metadata.generation = generation;
        work
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_report_waits_while_others_wait_for_a_worker() {
        let unreported = Unreported::default();
        assert!(!unreported.note(&work(1), DEFER_BACKLOG - 1), "few wait");
        assert!(!unreported.has(&work(1)));
        assert!(unreported.note(&work(1), DEFER_BACKLOG), "many wait");
        assert!(unreported.has(&work(1)) && !unreported.has(&work(2)));
        assert!(unreported.waits(&work(1), DEFER_BACKLOG));
        assert!(!unreported.waits(&work(1), 0), "the others are done");
        assert!(!unreported.waits(&work(2), DEFER_BACKLOG), "a newer generation is not in the member");
        tokio::time::advance(MAX_REPORT_DELAY).await;
        assert!(
            !unreported.waits(&work(1), DEFER_BACKLOG) && !unreported.note(&work(1), DEFER_BACKLOG),
            "long enough"
        );
        unreported.forget(&work(1).metadata.key());
        assert!(!unreported.has(&work(1)));
    }

    #[test]
    fn later_reports_do_not_wait() {
        let mut reported = work(1);
        reported.status.conditions.push(Condition::new("Applied", true, "", "", "t"));
        assert!(!Unreported::default().note(&reported, DEFER_BACKLOG));
    }
}
