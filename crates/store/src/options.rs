//! Bounds of the history, in memory and on disk.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::transformer::{Unchanged, ValueTransformer};

/// Bounds of the history in memory. Beyond either one, the oldest events are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Number of events.
    pub events: usize,
    /// Bytes of the values that only the history holds.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { events: 100_000, bytes: 64 << 20 }
    }
}

/// Settings of a durable store. The defaults are those of production.
#[derive(Clone)]
pub struct Options {
    /// Bounds of the history in memory, which also bound the history after a restart.
    pub limits: Limits,
    /// History younger than this stays, in memory and over a restart, within `limits`.
    pub keep_age: Duration,
    /// This many of the newest revisions stay regardless of age, within `limits`. At least 1.
    pub keep_revisions: u64,
    /// Largest size of the database file in bytes; `None` for no limit but the disk.
    pub max_bytes: Option<u64>,
    /// Time since the Unix epoch. Only the age of history depends on it.
    pub clock: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// Form of the values on disk, such as encrypted.
    pub transformer: Arc<dyn ValueTransformer>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            keep_age: Duration::from_secs(300),
            keep_revisions: 1000,
            max_bytes: None,
            clock: Arc::new(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
            transformer: Arc::new(Unchanged),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("limits", &self.limits)
            .field("keep_age", &self.keep_age)
            .field("keep_revisions", &self.keep_revisions)
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}
