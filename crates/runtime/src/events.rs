//! Records Kubernetes Events.
//!
//! [`EventRecorder::record`] puts a note into a bounded buffer and returns; a task writes the Events. If the buffer is full,
//! notes are dropped and counted, so that Events never delay a pass. Equal notes about one object become one Event with a
//! count.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use portolan_api::resources;
use portolan_net::{Clock, Shutdown};
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::client::{Api, Client, ClientError, Patch};
use crate::metrics::EventCounters;
use crate::resource::Resource;
use crate::scope::spawn_until_stop;

/// Notes in the buffer.
const BUFFER: usize = 1024;
/// Events that are kept in memory for their count.
const MAX_REMEMBERED: usize = 4096;
/// Largest `message`, in bytes (kubernetes pkg/apis/core/validation/events.go).
const MAX_MESSAGE_BYTES: usize = 1024;

/// The type of an Event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Information only.
    Normal,
    /// A problem.
    Warning,
}

impl Severity {
    /// The value of the Event's `type` (core/v1 `EventTypeNormal`, `EventTypeWarning`).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// The object of an Event (`involvedObject`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Regarding {
    /// Kind.
    pub gvk: GroupVersionKind,
    /// Namespace and name.
    pub key: ObjectKey,
    /// `metadata.uid`; empty if unknown.
    pub uid: String,
}

impl Regarding {
    /// The reference to an object.
    pub fn object(object: &Object) -> Self {
        Self { gvk: object.group_version_kind(), key: object.key(), uid: object.uid().to_owned() }
    }

    /// The reference to an object of a typed kind.
    pub fn kind<T: portolan_api::Kind>(object: &T) -> Self {
        Self { gvk: T::gvk(), key: object.key(), uid: object.metadata().uid.clone() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Note {
    regarding: Regarding,
    severity: Severity,
    reason: String,
    message: String,
}

/// Records Events; clones share the buffer.
#[derive(Debug, Clone)]
pub struct EventRecorder {
    notes: mpsc::Sender<Note>,
    counters: EventCounters,
    /// Notes that this recorder has dropped.
    dropped: Arc<AtomicU64>,
}

impl EventRecorder {
    /// A recorder that writes to `client` as `component` until `scope` stops.
    pub fn new(client: &Client, component: &str, clock: Clock, scope: &Shutdown) -> Self {
        let (notes, waiting) = mpsc::channel(BUFFER);
        let events = Resource::from(resources::EVENT);
        let (counters, dropped) = (client.metrics().events(), Arc::<AtomicU64>::default());
        let writer = EventWriter {
            counters: counters.clone(),
            dropped: dropped.clone(),
            reported_drops: 0,
            api: client.resource(&events),
            component: component.to_owned(),
            clock,
            written: HashMap::new(),
            oldest: VecDeque::new(),
        };
        spawn_until_stop(scope, writer.run(waiting));
        Self { notes, counters, dropped }
    }

    /// Records an Event. Never waits.
    pub fn record(&self, regarding: Regarding, severity: Severity, reason: &str, message: impl Into<String>) {
        let mut message = message.into();
        if message.len() > MAX_MESSAGE_BYTES {
            let cut = (0..=MAX_MESSAGE_BYTES).rev().find(|&end| message.is_char_boundary(end));
            message.truncate(cut.unwrap_or_default());
        }
        let note = Note { regarding, severity, reason: reason.to_owned(), message };
        if self.notes.try_send(note).is_err() {
            self.counters.dropped.inc();
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct WrittenEvent {
    key: ObjectKey,
    count: u64,
}

struct EventWriter {
    counters: EventCounters,
    dropped: Arc<AtomicU64>,
    /// Dropped notes that were logged.
    reported_drops: u64,
    api: Api<Object>,
    component: String,
    clock: Clock,
    written: HashMap<Note, WrittenEvent>,
    /// Remembered notes, oldest first.
    oldest: VecDeque<Note>,
}

impl EventWriter {
    async fn run(mut self, mut waiting: mpsc::Receiver<Note>) {
        while let Some(note) = waiting.recv().await {
            if let Err(error) = self.write(&note).await {
                self.counters.failed.inc();
                let (object, reason) = (&note.regarding.key, &note.reason);
                tracing::debug!(%object, reason, %error, "event not written");
            } else {
                self.counters.written.inc();
            }
            if waiting.is_empty() {
                self.report_drops();
            }
        }
    }

    /// Logs once, at the end of a burst, how many notes the burst cost.
    fn report_drops(&mut self) {
        let dropped = self.dropped.load(Ordering::Relaxed);
        if dropped > self.reported_drops {
            let count = dropped - self.reported_drops;
            tracing::warn!(count, "events were dropped: more were recorded than the API server took");
            self.reported_drops = dropped;
        }
    }

    async fn write(&mut self, note: &Note) -> Result<(), ClientError> {
        let now = timestamp(&self.clock);
        if let Some(written) = self.written.get_mut(note) {
            written.count += 1;
            let patch = Patch::Merge(json!({ "count": written.count, "lastTimestamp": now }));
            match self.api.patch(&written.key, &patch).await {
                // The API server has removed the Event by age: create it again.
                Err(ClientError::NotFound(_)) => {}
                result => return result.map(drop),
            }
        }
        let event = self.event(note, &now);
        self.api.create(&event).await?;
        self.remember(note.clone(), event.key());
        Ok(())
    }

    fn remember(&mut self, note: Note, key: ObjectKey) {
        if self.written.insert(note.clone(), WrittenEvent { key, count: 1 }).is_none() {
            self.oldest.push_back(note);
        }
        if self.oldest.len() > MAX_REMEMBERED
            && let Some(forgotten) = self.oldest.pop_front()
        {
            self.written.remove(&forgotten);
        }
    }

    fn event(&self, note: &Note, now: &str) -> Object {
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
            "count": 1,
        }))
    }
}

/// The present in `metav1.Time` format (whole seconds).
pub fn timestamp(clock: &Clock) -> String {
    portolan_object::time::format_time(clock.now())
}

#[cfg(test)]
mod tests;
