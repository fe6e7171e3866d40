//! How old the published state may be: when the API server was last known to be in contact.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use portolan_net::{Clock, Shutdown};
use portolan_runtime::scope::spawn_until_stop;

use super::source::Source;

/// The resolution of the age.
const LOOK: Duration = Duration::from_secs(1);

/// Remembers the last time that all sources were in contact.
pub(super) struct Contact {
    sources: Arc<[Arc<Source>]>,
    clock: Clock,
    last_millis: AtomicU64,
}

impl Contact {
    pub(super) fn start(sources: Arc<[Arc<Source>]>, clock: &Clock, scope: &Shutdown) -> Arc<Self> {
        let now = millis(clock.elapsed());
        let contact = Arc::new(Self { sources, clock: clock.clone(), last_millis: AtomicU64::new(now) });
        let looking = contact.clone();
        spawn_until_stop(scope, async move {
            loop {
                looking.look();
                tokio::time::sleep(LOOK).await;
            }
        });
        contact
    }

    fn look(&self) {
        if self.sources.iter().all(|source| source.is_in_contact()) {
            self.last_millis.store(millis(self.clock.elapsed()), Ordering::Relaxed);
        }
    }

    /// Time since the last contact; nothing while there is contact. Before the first one, time since the start.
    pub(super) fn age(&self) -> Duration {
        self.look();
        let last = Duration::from_millis(self.last_millis.load(Ordering::Relaxed));
        self.clock.elapsed().saturating_sub(last)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
