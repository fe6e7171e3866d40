//! Federated objects with clusters that have not answered yet, and since when.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::propagation::TemplateKey;

/// The begins of the waits. A restart starts them again.
#[derive(Default)]
pub(super) struct Waiting(Mutex<HashMap<TemplateKey, Instant>>);

impl Waiting {
    /// How long answers have been awaited; zero if none are.
    pub(super) fn lasted(&self, key: &TemplateKey) -> Duration {
        self.0.lock().get(key).map(Instant::elapsed).unwrap_or_default()
    }

    /// Notes whether answers are awaited.
    pub(super) fn note(&self, key: &TemplateKey, is_waiting: bool) {
        let mut waiting = self.0.lock();
        if is_waiting {
            waiting.entry(key.clone()).or_insert_with(Instant::now);
        } else {
            waiting.remove(key);
        }
    }
}
