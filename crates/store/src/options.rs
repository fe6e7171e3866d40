//! Bounds of the history, in memory and on disk.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How much history memory holds. Whichever bound is met first drops the oldest events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Number of events.
    pub events: usize,
    /// Bytes of the values that only the history still holds.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { events: 100_000, bytes: 64 << 20 }
    }
}

/// Settings of a durable store; the default is what production runs with.
#[derive(Clone)]
pub struct Options {
    /// History in memory, and so the most that a restart can bring back.
    pub limits: Limits,
    /// History younger than this survives a restart, within `limits`.
    pub keep_age: Duration,
    /// This many of the newest revisions survive a restart whatever their age, within `limits`. At least 1.
    pub keep_revisions: u64,
    /// Largest size of the database file in bytes, for those who share a disk; `None` leaves it to the disk.
    pub max_bytes: Option<u64>,
    /// Time since the Unix epoch. Only the age of history depends on it.
    pub clock: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            keep_age: Duration::from_secs(300),
            keep_revisions: 1000,
            max_bytes: None,
            clock: Arc::new(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
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
