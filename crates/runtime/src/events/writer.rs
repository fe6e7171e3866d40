//! Writes notes as Events, one at a time.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portolan_net::Clock;
use portolan_object::time::format_time;
use portolan_object::{Object, ObjectKey};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::backlog::{Shared, Urgency, Waiting};
use super::note::{Note, Regarding};
use crate::client::{Api, ClientError, Patch};
use crate::metrics::EventCounters;

/// Events that are kept in memory for their count.
const MAX_REMEMBERED: usize = 4096;
/// Smallest time between two Events of successes: 200 in a second, a small part of what the API server can write.
const SUCCESS_INTERVAL: Duration = Duration::from_millis(5);

struct WrittenEvent {
    key: ObjectKey,
    count: u64,
}

pub(super) struct EventWriter {
    shared: Arc<Shared>,
    counters: EventCounters,
    /// Dropped notes that were logged.
    reported_drops: u64,
    api: Api<Object>,
    component: String,
    clock: Clock,
    written: HashMap<Arc<Note>, WrittenEvent>,
    /// Remembered notes, oldest first.
    oldest: VecDeque<Arc<Note>>,
}

impl EventWriter {
    pub(super) fn new(
        shared: Arc<Shared>,
        counters: EventCounters,
        api: Api<Object>,
        component: &str,
        clock: Clock,
    ) -> Self {
        let (written, oldest) = (HashMap::new(), VecDeque::new());
        let component = component.to_owned();
        Self { shared, counters, reported_drops: 0, api, component, clock, written, oldest }
    }

    /// Writes until the task is dropped.
    pub(super) async fn run(mut self) {
        let mut next_success = Instant::now();
        loop {
            let may_succeed = Instant::now() >= next_success;
            let taken = self.shared.backlog.lock().take(may_succeed);
            let Some(waiting) = taken else {
                self.report_drops();
                let wait = async {
                    match may_succeed {
                        true => std::future::pending().await,
                        false => tokio::time::sleep_until(next_success).await,
                    }
                };
                tokio::select! {
                    () = self.shared.added.notified() => {}
                    () = wait => {}
                }
                continue;
            };
            if waiting.urgency == Urgency::Last {
                next_success = Instant::now() + SUCCESS_INTERVAL;
            }
            self.write_counted(&waiting).await;
        }
    }

    async fn write_counted(&mut self, waiting: &Waiting) {
        match self.write(waiting).await {
            Ok(()) => drop(self.counters.written.inc()),
            Err(error) => {
                self.counters.failed.inc();
                let (object, reason) = (&waiting.note.regarding.key, &waiting.note.reason);
                tracing::debug!(%object, reason, %error, "event not written");
            }
        }
    }

    /// Logs once, at the end of a burst, how many notes the burst cost.
    fn report_drops(&mut self) {
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        if dropped > self.reported_drops {
            let count = dropped - self.reported_drops;
            tracing::warn!(count, "events were dropped: more were recorded than the API server took");
            self.reported_drops = dropped;
        }
    }

    async fn write(&mut self, waiting: &Waiting) -> Result<(), ClientError> {
        let now = format_time(self.clock.now());
        let note = &waiting.note;
        if let Some(written) = self.written.get_mut(note) {
            written.count += waiting.count;
            let patch = Patch::Merge(json!({ "count": written.count, "lastTimestamp": now }));
            match self.api.patch(&written.key, &patch).await {
                // The API server has removed the Event by age: create it again.
                Err(ClientError::NotFound(_)) => {}
                result => return result.map(drop),
            }
        }
        let event = self.event(waiting, &now);
        self.api.create(&event).await?;
        self.remember(waiting, event.key());
        Ok(())
    }

    fn remember(&mut self, waiting: &Waiting, key: ObjectKey) {
        let event = WrittenEvent { key, count: waiting.count };
        if self.written.insert(waiting.note.clone(), event).is_none() {
            self.oldest.push_back(waiting.note.clone());
        }
        if self.oldest.len() > MAX_REMEMBERED
            && let Some(forgotten) = self.oldest.pop_front()
        {
            self.written.remove(&forgotten);
        }
    }

    fn event(&self, waiting: &Waiting, now: &str) -> Object {
        let note = &waiting.note;
        let Regarding { gvk, key, uid } = &note.regarding;
        // Events about cluster-scoped objects are in the namespace `default`.
        let namespace = if key.namespace.is_empty() { "default" } else { &key.namespace };
        let mut hasher = DefaultHasher::new();
        (note, now, self.clock.now().as_nanosecond()).hash(&mut hasher);
        let name = format!("{}.{:016x}", key.name.replace(':', "."), hasher.finish());
        let mut involved = json!({ "apiVersion": gvk.api_version(), "kind": gvk.kind, "name": key.name });
        for (field, value) in [("namespace", &key.namespace), ("uid", uid)] {
            if !value.is_empty() {
                involved[field] = Value::String(value.clone());
            }
        }
        Object(json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": { "namespace": namespace, "name": name },
            "involvedObject": involved,
            "type": note.severity.as_str(),
            "reason": note.reason,
            "message": note.message,
            "source": { "component": self.component },
            "reportingComponent": self.component,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": waiting.count,
        }))
    }
}
