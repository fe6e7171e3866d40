//! Works that are in the member and whose first report waits.
//!
//! While many Works wait for their member, objects go first and reports follow: what users wait for is the object, and a
//! report is as much work for the control plane as another Work. No report waits longer than a few seconds.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::work::Work;
use portolan_object::ObjectKey;
use tokio::time::Instant;

/// So many Works that only wait for a worker make reports wait.
const BACKLOG: usize = 64;
/// The longest time that a report waits.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is in the member without a report.
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
    /// Whether this generation of a Work is in the member already.
    pub(super) fn has(&self, work: &Work) -> bool {
        self.applied.lock().get(&work.metadata.key()).is_some_and(|applied| applied.is_of(work))
    }

    /// Whether a Work that is known to be in the member is to be left alone for now. `ready` Works wait for a worker.
    pub(super) fn waits(&self, work: &Work, ready: usize) -> bool {
        let applied = self.applied.lock();
        let applied = applied.get(&work.metadata.key()).filter(|applied| applied.is_of(work));
        applied.is_some_and(|applied| is_early(applied.since, ready))
    }

    /// Notes that a Work is in the member. True when its report is to wait; only a first report ever does.
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

    /// The Work is reported on, or gone.
    pub(super) fn forget(&self, work: &ObjectKey) {
        self.applied.lock().remove(work);
    }
}

fn is_early(since: Instant, ready: usize) -> bool {
    ready >= BACKLOG && since.elapsed() < PATIENCE
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
        assert!(!unreported.note(&work(1), BACKLOG - 1), "few wait");
        assert!(!unreported.has(&work(1)));
        assert!(unreported.note(&work(1), BACKLOG), "many wait");
        assert!(unreported.has(&work(1)) && !unreported.has(&work(2)));
        assert!(unreported.waits(&work(1), BACKLOG));
        assert!(!unreported.waits(&work(1), 0), "the others are done");
        assert!(!unreported.waits(&work(2), BACKLOG), "a newer generation is not in the member");
        tokio::time::advance(PATIENCE).await;
        assert!(!unreported.waits(&work(1), BACKLOG) && !unreported.note(&work(1), BACKLOG), "long enough");
        unreported.forget(&work(1).metadata.key());
        assert!(!unreported.has(&work(1)));
    }

    #[test]
    fn later_reports_do_not_wait() {
        let mut reported = work(1);
        reported.status.conditions.push(Condition::new("Applied", true, "", "", "t"));
        assert!(!Unreported::default().note(&reported, BACKLOG));
    }
}
