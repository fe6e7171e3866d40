//! Caches: how many objects, how old, and whether they have contact with their server.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

/// The labels of a cache; `cluster` is empty for caches of the control plane.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
pub(crate) struct CacheLabels {
    pub(crate) cluster: String,
    pub(crate) resource: String,
}

/// A cache at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CacheStatus {
    /// Objects that it holds.
    pub(crate) objects: usize,
    /// Time since its server last sent a list, an event or a bookmark.
    pub(crate) age: Duration,
    /// Whether it has no contact with its server.
    pub(crate) is_failing: bool,
    /// Lists and watches that failed.
    pub(crate) failures: u64,
    /// Complete reads of the collection.
    pub(crate) lists: u64,
}

/// Reads the state of a cache that may be gone.
pub(crate) type CacheProbe = Weak<dyn CacheReader>;

/// What can be read of a cache, whatever it holds.
pub(crate) trait CacheReader: Send + Sync {
    /// The state at this moment.
    fn status(&self) -> CacheStatus;
}

#[derive(Clone, Default)]
pub(super) struct Caches {
    probes: Arc<Mutex<Vec<(CacheLabels, CacheProbe)>>>,
}

impl Caches {
    pub(super) fn add(&self, labels: CacheLabels, probe: CacheProbe) {
        let mut probes = self.probes.lock();
        probes.retain(|(_, probe)| probe.strong_count() > 0);
        probes.push((labels, probe));
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(self.clone()));
    }

    /// The states by label; caches that share a label are added up, and the oldest age is theirs.
    fn read(&self) -> BTreeMap<CacheLabels, CacheStatus> {
        let mut states = BTreeMap::<CacheLabels, CacheStatus>::new();
        for (labels, probe) in self.probes.lock().iter() {
            let Some(probe) = probe.upgrade() else { continue };
            let (state, read) = (states.entry(labels.clone()).or_default(), probe.status());
            state.objects += read.objects;
            state.age = state.age.max(read.age);
            state.is_failing |= read.is_failing;
            state.failures += read.failures;
            state.lists += read.lists;
        }
        states
    }
}

impl fmt::Debug for Caches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Caches")
    }
}

impl Collector for Caches {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let states = self.read();
        let mut gauge = |name: &str, help: &str, unit: Option<&Unit>, value: fn(&CacheStatus) -> f64| {
            let mut family = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
            for (labels, state) in &states {
                ConstGauge::new(value(state)).encode(family.encode_family(labels)?)?;
            }
            Ok::<_, fmt::Error>(())
        };
        gauge("portolan_cache_objects", "Objects in the cache.", None, |state| state.objects as f64)?;
        let help = "Time since the server last sent a list, an event or a bookmark.";
        gauge("portolan_cache_age", help, Some(&Unit::Seconds), |state| state.age.as_secs_f64())?;
        let help = "1 while the cache has no contact with its server, else 0.";
        gauge("portolan_cache_failing", help, None, |state| f64::from(u8::from(state.is_failing)))?;
        let mut counter = |name: &str, help: &str, value: fn(&CacheStatus) -> u64| {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (labels, state) in &states {
                ConstCounter::new(value(state)).encode(family.encode_family(labels)?)?;
            }
            Ok::<_, fmt::Error>(())
        };
        let help = "Lists and watches of the cache that failed.";
        counter("portolan_cache_failures", help, |state| state.failures)?;
        let help =
            "Complete reads of the collection; each after the first means that the watch lost its place.";
        counter("portolan_cache_lists", help, |state| state.lists)
    }
}
