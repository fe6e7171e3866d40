//! Work queues and the passes that empty them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use portolan_net::telemetry::{Family, Histogram};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::cluster_name::ClusterName;

/// Seconds, from a pass that only reads caches to one that waits for a slow member.
const SECONDS: &[f64] = &[0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0];

/// What a queue holds at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct QueueLoad {
    /// Keys that wait for a worker.
    pub(crate) ready: usize,
    /// How long the oldest of them waits.
    pub(crate) oldest: Duration,
    /// Time spent so far on the passes that run.
    pub(crate) unfinished: Duration,
    /// The longest of them.
    pub(crate) longest: Duration,
}

/// Reads the state of a queue that may be gone.
pub(crate) type QueueProbe = Weak<dyn QueueReader>;

/// What can be read of a queue, whatever its keys are.
pub(crate) trait QueueReader: Send + Sync {
    /// The state at this moment.
    fn load(&self) -> QueueLoad;
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PassResult {
    Done,
    Requeued,
    Raced,
    Failed,
    Panicked,
}

impl PassResult {
    const ALL: [Self; 5] = [Self::Done, Self::Requeued, Self::Raced, Self::Failed, Self::Panicked];

    /// The value of the label `outcome`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Requeued => "requeued",
            Self::Raced => "raced",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
        }
    }
}

/// The handles of one queue.
#[derive(Debug, Clone)]
pub(crate) struct QueueMeter {
    pub(crate) adds: Counter,
    pub(crate) retries: Counter,
    pub(crate) waited: Histogram,
    pub(crate) worked: Histogram,
    /// From the first addition of a key to the end of the pass that succeeds, retries included.
    pub(crate) latency: Histogram,
    /// The same from the change that led to the addition, perhaps through other controllers.
    pub(crate) change_latency: Histogram,
    passes: [Counter; PassResult::ALL.len()],
}

impl QueueMeter {
    /// A meter that nothing reports.
    pub(crate) fn unreported() -> Self {
        Queues::default().meter("", None)
    }

    pub(crate) fn passed(&self, result: PassResult) {
        let index = PassResult::ALL.iter().position(|known| *known == result);
        if let Some(counter) = index.and_then(|index| self.passes.get(index)) {
            counter.inc();
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
struct QueueLabels {
    name: &'static str,
    cluster: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NameLabel {
    name: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ControllerLabel {
    controller: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PassLabels {
    controller: &'static str,
    outcome: &'static str,
}

/// The families of all queues.
pub(super) struct Queues {
    adds: Family<QueueLabels, Counter>,
    retries: Family<QueueLabels, Counter>,
    waited: Family<NameLabel, Histogram>,
    worked: Family<NameLabel, Histogram>,
    latency: Family<ControllerLabel, Histogram>,
    change_latency: Family<ControllerLabel, Histogram>,
    passes: Family<PassLabels, Counter>,
    probes: Arc<Mutex<Vec<(QueueLabels, QueueProbe)>>>,
}

impl Default for Queues {
    fn default() -> Self {
        Self {
            adds: Family::default(),
            retries: Family::default(),
            waited: Family::new(|| Histogram::new(SECONDS)),
            worked: Family::new(|| Histogram::new(SECONDS)),
            latency: Family::new(|| Histogram::new(SECONDS)),
            change_latency: Family::new(|| Histogram::new(SECONDS)),
            passes: Family::default(),
            probes: Arc::default(),
        }
    }
}

impl Queues {
    pub(super) fn meter(&self, name: &'static str, cluster: Option<&ClusterName>) -> QueueMeter {
        let labels = labels(name, cluster);
        let passes = PassResult::ALL
            .map(|result| self.passes.get(&PassLabels { controller: name, outcome: result.as_str() }));
        QueueMeter {
            adds: self.adds.get(&labels),
            retries: self.retries.get(&labels),
            waited: self.waited.get(&NameLabel { name }),
            worked: self.worked.get(&NameLabel { name }),
            latency: self.latency.get(&ControllerLabel { controller: name }),
            change_latency: self.change_latency.get(&ControllerLabel { controller: name }),
            passes,
        }
    }

    pub(super) fn add(&self, name: &'static str, cluster: Option<&ClusterName>, probe: QueueProbe) {
        let mut probes = self.probes.lock();
        probes.retain(|(_, probe)| probe.strong_count() > 0);
        probes.push((labels(name, cluster), probe));
    }

    pub(super) fn forget(&self, cluster: &str) {
        self.adds.retain(|labels| labels.cluster != cluster);
        self.retries.retain(|labels| labels.cluster != cluster);
        self.probes.lock().retain(|(labels, _)| labels.cluster != cluster);
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("workqueue_adds", "Keys added to the queue", self.adds.clone());
        let help = "Keys added again after a pass that failed or lost a race";
        registry.register("workqueue_retries", help, self.retries.clone());
        let help = "Time that a key waits in the queue for a worker";
        registry.register("workqueue_queue_duration_seconds", help, self.waited.clone());
        registry.register("workqueue_work_duration_seconds", "Duration of a pass", self.worked.clone());
        let help = "Time from the change that queued an object to the end of the pass that succeeded, with all retries";
        registry.register("portolan_reconcile_latency_seconds", help, self.latency.clone());
        let help =
            "Time from the first change of a chain of controllers to the end of the pass that succeeded";
        registry.register("portolan_change_latency_seconds", help, self.change_latency.clone());
        registry.register("portolan_reconciles", "Passes by how they ended", self.passes.clone());
        registry.register_collector(Box::new(QueueReaders(Arc::clone(&self.probes))));
    }
}

fn labels(name: &'static str, cluster: Option<&ClusterName>) -> QueueLabels {
    QueueLabels { name, cluster: cluster.map(ToString::to_string).unwrap_or_default() }
}

/// Reads the queues when they are scraped.
struct QueueReaders(Arc<Mutex<Vec<(QueueLabels, QueueProbe)>>>);

impl fmt::Debug for QueueReaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueueReaders")
    }
}

impl QueueReaders {
    /// The states by label. While a member gets a new client it has two queues of one name; they are added up.
    fn read(&self) -> BTreeMap<QueueLabels, QueueLoad> {
        let mut states = BTreeMap::<QueueLabels, QueueLoad>::new();
        for (labels, probe) in self.0.lock().iter() {
            let Some(probe) = probe.upgrade() else { continue };
            let (state, read) = (states.entry(labels.clone()).or_default(), probe.load());
            state.ready += read.ready;
            state.oldest = state.oldest.max(read.oldest);
            state.unfinished += read.unfinished;
            state.longest = state.longest.max(read.longest);
        }
        states
    }
}

impl Collector for QueueReaders {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let states = self.read();
        let mut gauge = |name: &str, help: &str, unit: Option<&Unit>, value: fn(&QueueLoad) -> f64| {
            let mut family = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
            for (labels, state) in &states {
                ConstGauge::new(value(state)).encode(family.encode_family(labels)?)?;
            }
            Ok::<_, fmt::Error>(())
        };
        let seconds = Some(&Unit::Seconds);
        gauge("workqueue_depth", "Keys that wait for a worker.", None, |state| state.ready as f64)?;
        let help = "How long the oldest key waits for a worker.";
        gauge("portolan_workqueue_oldest", help, seconds, |state| state.oldest.as_secs_f64())?;
        let help = "Time spent so far on the passes that run now.";
        gauge("workqueue_unfinished_work", help, seconds, |state| state.unfinished.as_secs_f64())?;
        let help = "Time spent so far on the longest pass that runs now.";
        gauge("workqueue_longest_running_processor", help, seconds, |state| state.longest.as_secs_f64())
    }
}
