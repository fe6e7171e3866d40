//! Records Kubernetes Events.
//!
//! [`EventRecorder::record`] and [`EventRecorder::success`] put a note into a bounded queue in memory and return; a task
//! writes the Events. If the queue is full, notes are dropped and counted, so that Events never delay a pass. Equal notes
//! about one object become one Event with a count. Successes are written last and at a limited pace, so that they do not
//! slow what they report.
//!
//! Record a change, not a state: a pass that finds everything as it should be records nothing.

mod backlog;
mod note;
mod writer;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use portolan_api::resources;
use portolan_net::{Clock, Shutdown};

use crate::client::Client;
use crate::metrics::EventCounters;
use crate::resource::Resource;
use crate::scope::spawn_until_stop;
use backlog::{Shared, Urgency};
use note::Note;
use writer::EventWriter;

pub use note::{Regarding, Severity};

/// Whether Events of successes are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SuccessEvents {
    /// They are written.
    #[default]
    On,
    /// They are not written.
    Off,
}

/// Records Events; clones share the queue.
#[derive(Debug, Clone)]
pub struct EventRecorder {
    shared: Arc<Shared>,
    counters: EventCounters,
    successes: SuccessEvents,
}

impl EventRecorder {
    /// A recorder that writes to `client` as `component` until `scope` stops.
    pub fn new(client: &Client, component: &str, clock: Clock, scope: &Shutdown) -> Self {
        let (counters, shared) = (client.metrics().events(), Arc::<Shared>::default());
        let api = client.resource(&Resource::from(resources::EVENT));
        let writer = EventWriter::new(shared.clone(), counters.clone(), api, component, clock);
        spawn_until_stop(scope, writer.run());
        Self { shared, counters, successes: SuccessEvents::On }
    }

    /// The same recorder with successes on or off.
    pub fn with_successes(self, successes: SuccessEvents) -> Self {
        Self { successes, ..self }
    }

    /// Records a problem, or a change of state. Never waits.
    pub fn record(&self, regarding: Regarding, severity: Severity, reason: &str, message: impl Into<String>) {
        if !self.add(Note::new(regarding, severity, reason, message.into()), Urgency::First) {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Records that something was done, as an Event of type Normal; does nothing if successes are off. Never waits.
    pub fn success(&self, regarding: Regarding, reason: &str, message: impl Into<String>) {
        if self.successes == SuccessEvents::On {
            // Lost successes are counted by the metric and not logged.
            self.add(Note::new(regarding, Severity::Normal, reason, message.into()), Urgency::Last);
        }
    }

    fn add(&self, note: Note, urgency: Urgency) -> bool {
        let added = self.shared.backlog.lock().add(note, urgency).is_ok();
        if added {
            self.shared.added.notify_one();
        } else {
            self.counters.dropped.inc();
        }
        added
    }
}

/// The present in `metav1.Time` format (whole seconds).
pub fn timestamp(clock: &Clock) -> String {
    portolan_object::time::format_time(clock.now())
}

#[cfg(test)]
mod tests;
