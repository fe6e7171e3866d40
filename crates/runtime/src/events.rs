//! Kubernetes Events for people: what happened to an object, and how often.
//!
//! Recording puts a note into a bounded buffer and returns; a task writes them. A full buffer drops notes and counts
//! them, because an Event is never worth delaying a reconcile for. The same note about the same object becomes one
//! Event with a count.

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
use crate::resource::Resource;
use crate::scope::spawn_until_stop;

/// Notes that wait to be written.
const BUFFER: usize = 1024;
/// Notes remembered for their count.
const REMEMBERED: usize = 4096;
/// `message` may not be longer (events validation of Kubernetes).
const LONGEST_MESSAGE: usize = 1024;

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

/// What a note is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Regarding {
    /// Its kind.
    pub gvk: GroupVersionKind,
    /// Its name.
    pub key: ObjectKey,
    /// Its identity; empty when not known.
    pub uid: String,
}

impl Regarding {
    /// About this object.
    pub fn object(object: &Object) -> Self {
        Self { gvk: object.group_version_kind(), key: object.key(), uid: object.uid().to_owned() }
    }

    /// About an object of a typed kind.
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

/// Records Events; a clone is the same recorder.
#[derive(Debug, Clone)]
pub struct EventRecorder {
    notes: mpsc::Sender<Note>,
    dropped: Arc<AtomicU64>,
}

impl EventRecorder {
    /// A recorder that writes to `client` as `component`, until `scope` stops.
    pub fn new(client: &Client, component: &str, clock: Clock, scope: &Shutdown) -> Self {
        let (notes, waiting) = mpsc::channel(BUFFER);
        let events = Resource::from(resources::EVENT);
        let writer = Writer {
            api: client.resource(&events),
            component: component.to_owned(),
            clock,
            written: HashMap::new(),
            oldest: VecDeque::new(),
        };
        spawn_until_stop(scope, writer.run(waiting));
        Self { notes, dropped: Arc::new(AtomicU64::new(0)) }
    }

    /// Notes that something happened. Never waits.
    pub fn record(&self, regarding: Regarding, severity: Severity, reason: &str, message: impl Into<String>) {
        let mut message = message.into();
        if message.len() > LONGEST_MESSAGE {
            let cut = (0..=LONGEST_MESSAGE).rev().find(|&end| message.is_char_boundary(end));
            message.truncate(cut.unwrap_or_default());
        }
        let note = Note { regarding, severity, reason: reason.to_owned(), message };
        if self.notes.try_send(note).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many notes were dropped because the buffer was full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

struct Written {
    key: ObjectKey,
    count: u64,
}

struct Writer {
    api: Api<Object>,
    component: String,
    clock: Clock,
    written: HashMap<Note, Written>,
    /// Remembered notes, oldest first.
    oldest: VecDeque<Note>,
}

impl Writer {
    async fn run(mut self, mut waiting: mpsc::Receiver<Note>) {
        while let Some(note) = waiting.recv().await {
            if let Err(error) = self.write(&note).await {
                let (object, reason) = (&note.regarding.key, &note.reason);
                tracing::debug!(%object, reason, %error, "event not written");
            }
        }
    }

    async fn write(&mut self, note: &Note) -> Result<(), ClientError> {
        let now = timestamp(&self.clock);
        if let Some(written) = self.written.get_mut(note) {
            written.count += 1;
            let patch = Patch::Merge(json!({ "count": written.count, "lastTimestamp": now }));
            match self.api.patch(&written.key, &patch).await {
                // Expired in the meantime: written anew below.
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
        if self.written.insert(note.clone(), Written { key, count: 1 }).is_none() {
            self.oldest.push_back(note);
        }
        if self.oldest.len() > REMEMBERED
            && let Some(forgotten) = self.oldest.pop_front()
        {
            self.written.remove(&forgotten);
        }
    }

    fn event(&self, note: &Note, now: &str) -> Object {
        let Regarding { gvk, key, uid } = &note.regarding;
        // Events about objects without namespace live in `default`.
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

/// The time as `metav1.Time` has it: whole seconds.
pub fn timestamp(clock: &Clock) -> String {
    portolan_object::time::format_time(clock.now())
}

#[cfg(test)]
mod tests;
