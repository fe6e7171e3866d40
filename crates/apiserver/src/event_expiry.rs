//! Deletes Events an hour after their last write, as kube-apiserver does with its default `--event-ttl`.
//!
//! The store keeps no times of writes, so the task notes the store's revision every minute: all that was not written since
//! the revision of an hour ago is older. After a start nothing is noted yet; the times that the Events have themselves
//! decide then.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portolan_store::{Batch, Query, Revision};
use serde_json::Value;
use tokio::time::Instant;

use crate::background::{PassError, commit};
use crate::record::Record;
use crate::server::Server;
use crate::tree;

/// Prefix of the keys of Events; both groups of the kind are stored here.
const PREFIX: &str = "core/events/";
/// Time from the last write of an Event to its deletion.
const LIFE: Duration = Duration::from_secs(3600);
/// Time between two passes.
const INTERVAL: Duration = Duration::from_secs(60);

/// Deletes old Events until the server stops.
pub(crate) async fn run(server: Arc<Server>) {
    let stopping = server.stopping.clone();
    let mut marks = Marks::default();
    let look = async {
        if let Err(error) = pass(&server, |item| is_past(&item.value.value(), server.clock.now())).await {
            tracing::warn!(%error, "old events cannot be deleted, trying again");
        }
        loop {
            let now = Instant::now();
            marks.note(now, server.store.revision());
            if let Some(newest) = marks.expired(now)
                && let Err(error) = pass(&server, |item| item.modified <= newest).await
            {
                tracing::warn!(%error, "old events cannot be deleted, trying again");
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    stopping.run_until_cancelled(look).await;
}

/// Deletes the Events that are `expired`, unless another write changes them first.
async fn pass(
    server: &Server,
    expired: impl Fn(&portolan_store::Versioned<Record>) -> bool,
) -> Result<(), PassError> {
    let page = server.store.range(&Query::prefix(PREFIX))?;
    for item in page.items.iter().filter(|item| expired(item)) {
        commit(server, Batch::delete(Arc::clone(&item.key), item.modified)).await?;
    }
    Ok(())
}

/// Revisions of the store at earlier times, oldest first.
#[derive(Debug, Default)]
struct Marks(VecDeque<(Instant, Revision)>);

impl Marks {
    fn note(&mut self, now: Instant, revision: Revision) {
        self.0.push_back((now, revision));
    }

    /// The newest revision that is [`LIFE`] ago; forgets older ones.
    fn expired(&mut self, now: Instant) -> Option<Revision> {
        let mut newest = None;
        while let Some(&(at, revision)) = self.0.front()
            && now.saturating_duration_since(at) >= LIFE
        {
            newest = Some(revision);
            self.0.pop_front();
        }
        newest
    }
}

/// Whether the newest time in an Event is [`LIFE`] ago. An Event without any time is not past.
fn is_past(event: &Value, now: Timestamp) -> bool {
    let fields = ["/metadata/creationTimestamp", "/lastTimestamp", "/eventTime", "/series/lastObservedTime"];
    let times = fields.iter().filter_map(|field| tree::str_at(event, field).parse::<Timestamp>().ok());
    times.max().is_some_and(|newest| now.duration_since(newest) >= SignedDuration::from_secs(3600))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_revision_expires_after_an_hour() {
        let (mut marks, start) = (Marks::default(), Instant::now());
        let minute = |number: u32| start + INTERVAL * number;
        for number in 0..=60 {
            marks.note(minute(number), Revision(u64::from(number) + 10));
        }
        assert_eq!(marks.expired(minute(59)), None);
        assert_eq!(marks.expired(minute(61)), Some(Revision(11)));
        assert_eq!(marks.expired(minute(61)), None, "each once");
    }

    #[test]
    fn after_a_start_the_newest_time_of_an_event_decides() {
        let now = "2026-01-01T12:00:00Z".parse().unwrap();
        let cases = [
            ("no time", json!({}), false),
            (
                "created long ago",
                json!({ "metadata": { "creationTimestamp": "2026-01-01T11:00:00Z" } }),
                true,
            ),
            (
                "seen again lately",
                json!({ "metadata": { "creationTimestamp": "2026-01-01T01:00:00Z" },
                        "lastTimestamp": "2026-01-01T11:30:00Z" }),
                false,
            ),
            (
                "a series that goes on",
                json!({ "eventTime": "2026-01-01T01:00:00.000000Z",
                        "series": { "lastObservedTime": "2026-01-01T11:59:59.000000Z" } }),
                false,
            ),
        ];
        for (name, event, want) in cases {
            assert_eq!(is_past(&event, now), want, "{name}");
        }
    }
}
