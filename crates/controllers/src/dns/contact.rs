//! Age of the published records: time since all caches were last connected to the API server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use portolan_net::{Clock, Shutdown};
use portolan_runtime::scope::spawn_until_stop;

use super::source::ZoneSource;

/// Interval at which the connection is checked; the resolution of the age.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Time of the last check at which all sources were connected.
pub(super) struct Contact {
    sources: Arc<[Arc<ZoneSource>]>,
    clock: Clock,
    last_millis: AtomicU64,
}

impl Contact {
    pub(super) fn start(sources: Arc<[Arc<ZoneSource>]>, clock: &Clock, scope: &Shutdown) -> Arc<Self> {
        let now = millis(clock.elapsed());
        let contact = Arc::new(Self { sources, clock: clock.clone(), last_millis: AtomicU64::new(now) });
        let checked = contact.clone();
        spawn_until_stop(scope, async move {
            loop {
                checked.check();
                tokio::time::sleep(CHECK_INTERVAL).await;
            }
        });
        contact
    }

    fn check(&self) {
        if self.sources.iter().all(|source| source.is_in_contact()) {
            self.last_millis.store(millis(self.clock.elapsed()), Ordering::Relaxed);
        }
    }

    /// Time since the last successful check, or since the start before the first one; zero while connected.
    pub(super) fn age(&self) -> Duration {
        self.check();
        let last = Duration::from_millis(self.last_millis.load(Ordering::Relaxed));
        self.clock.elapsed().saturating_sub(last)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
