//! Durations and sizes in buckets, updated without a lock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// The sum is kept in billionths, so that durations keep their nanoseconds. It wraps after 584 years.
const SUM_SCALE: f64 = 1e9;

/// A histogram. One observation is three atomic additions; clones share state.
///
/// A scrape that runs beside observations can see one in the count and not yet in the sum, as in other clients.
#[derive(Clone)]
pub struct Histogram {
    cells: Arc<Cells>,
}

struct Cells {
    /// Upper bounds, ascending, without infinity.
    bounds: &'static [f64],
    /// Observations in each bucket, not cumulative; the last one is that of infinity.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    /// A histogram with these ascending upper bounds, to which infinity is added.
    pub fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { cells: Arc::new(Cells { bounds, counts, sum: AtomicU64::new(0) }) }
    }

    /// Adds a value, which must not be negative.
    pub fn observe(&self, value: f64) {
        let Cells { bounds, counts, sum } = &*self.cells;
        let bucket = bounds.iter().position(|bound| value <= *bound).unwrap_or(bounds.len());
        counts[bucket].fetch_add(1, Ordering::Relaxed);
        // A cast from f64 saturates; values of metrics are far below 2^64 billionths.
        sum.fetch_add((value * SUM_SCALE) as u64, Ordering::Relaxed);
    }

    /// Adds a duration, in seconds.
    pub fn observe_duration(&self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }

    /// The number of observations.
    pub fn count(&self) -> u64 {
        self.cells.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram").field("count", &self.count()).finish_non_exhaustive()
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let bounds = self.cells.bounds.iter().copied().chain([f64::INFINITY]);
        let counts = self.cells.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.cells.sum.load(Ordering::Relaxed) as f64 / SUM_SCALE;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn observations_fall_into_the_first_bucket_that_holds_them() {
        let histogram = Histogram::new(&[0.1, 1.0]);
        for value in [0.1, 0.5, 1.0, 7.0] {
            histogram.observe(value);
        }
        let mut registry = Registry::default();
        registry.register("wait_seconds", "Waits", histogram);
        let mut text = String::new();
        text::encode(&mut text, &registry).unwrap();
        let want = "# HELP wait_seconds Waits.\n# TYPE wait_seconds histogram\n\
            wait_seconds_sum 8.6\nwait_seconds_count 4\nwait_seconds_bucket{le=\"0.1\"} 1\n\
            wait_seconds_bucket{le=\"1.0\"} 3\nwait_seconds_bucket{le=\"+Inf\"} 4\n# EOF\n";
        assert_eq!(text, want);
    }
}
