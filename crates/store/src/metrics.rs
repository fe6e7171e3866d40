//! Counters of a store: commits, and the log on disk. The writer counts with atomics.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Seconds, from memory to a disk that takes its time.
const COMMIT_SECONDS: [f64; 10] = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0];
/// Batches; a transaction holds 512 at most.
const GROUP_BATCHES: [f64; 7] = [1.0, 2.0, 4.0, 16.0, 64.0, 256.0, 512.0];

/// Counters of one store; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// Writes that were committed.
    pub(crate) writes: Counter,
    /// Batches that a guard refused.
    pub(crate) conflicts: Counter,
    /// Batches that could not be made durable.
    pub(crate) failures: Counter,
    /// Checkpoints that failed.
    pub(crate) failed_checkpoints: Counter,
    /// Bytes of the write-ahead log that hold frames.
    pub(crate) log_bytes: Gauge<u64, AtomicU64>,
    group_batches: Histogram,
    commit_seconds: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            writes: Counter::default(),
            conflicts: Counter::default(),
            failures: Counter::default(),
            failed_checkpoints: Counter::default(),
            log_bytes: Gauge::default(),
            group_batches: Histogram::new(GROUP_BATCHES),
            commit_seconds: Histogram::new(COMMIT_SECONDS),
        }
    }
}

impl Metrics {
    /// Counts a transaction of `batches` batches with `writes` writes.
    pub(crate) fn committed(&self, batches: usize, writes: usize, duration: Duration) {
        self.writes.inc_by(writes as u64);
        self.group_batches.observe(batches as f64);
        self.commit_seconds.observe(duration.as_secs_f64());
    }

    /// Adds the counters to `registry`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "portolan_store_writes",
            "Objects that were written or deleted",
            self.writes.clone(),
        );
        let help = "Batches that were refused because an object had changed";
        registry.register("portolan_store_conflicts", help, self.conflicts.clone());
        let help = "Batches that could not be made durable";
        registry.register("portolan_store_failed_commits", help, self.failures.clone());
        let help = "Checkpoints of the write-ahead log that failed; they are tried again";
        registry.register("portolan_store_failed_checkpoints", help, self.failed_checkpoints.clone());
        let help = "Bytes of the write-ahead log that are not yet reused";
        registry.register("portolan_store_log_bytes", help, self.log_bytes.clone());
        let help = "Batches that were committed in one transaction";
        registry.register("portolan_store_commit_batches", help, self.group_batches.clone());
        let help = "Time to make a transaction durable";
        registry.register("portolan_store_commit_duration_seconds", help, self.commit_seconds.clone());
    }
}
