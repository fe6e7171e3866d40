//! Metrics of an agent, in the text format of OpenMetrics.

use std::fmt;
use std::sync::Arc;

use portolan_controllers::dns::Follower;
use portolan_dns::{Statistics, Zones};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

/// Content type of the rendered text.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Sources of the metrics.
pub(super) struct Observed {
    pub(super) zones: Arc<Zones>,
    pub(super) statistics: Statistics,
    pub(super) follower: Follower,
}

impl Observed {
    /// Renders the current values.
    pub(super) fn render(self: &Arc<Self>) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("portolan_dns");
        registry.register_collector(Box::new(Now(self.clone())));
        let mut rendered = String::new();
        text::encode(&mut rendered, &registry)?;
        Ok(rendered)
    }
}

struct Now(Arc<Observed>);

impl fmt::Debug for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Now")
    }
}

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Observed { zones, statistics, follower } = &*self.0;
        let help = "Answered queries by type and response code; NODATA is an empty NOERROR";
        let mut queries = encoder.encode_descriptor("queries", help, None, MetricType::Counter)?;
        for query in statistics.queries() {
            let labels = [("type", query.kind), ("rcode", query.outcome)];
            ConstCounter::new(query.count).encode(queries.encode_family(&labels)?)?;
        }
        let help = "Packets that got no answer because they are no queries";
        let ignored = encoder.encode_descriptor("ignored_packets", help, None, MetricType::Counter)?;
        ConstCounter::new(statistics.ignored()).encode(ignored)?;

        let help = "Records that are answered, by zone";
        let mut records = encoder.encode_descriptor("records", help, None, MetricType::Gauge)?;
        for (zone, count) in zones.records() {
            let labels = [("zone", zone)];
            gauge(count).encode(records.encode_family(&labels)?)?;
        }
        let help = "Records that cannot be answered; the log has the reasons";
        let problems = encoder.encode_descriptor("problems", help, None, MetricType::Gauge)?;
        gauge(follower.problems().len()).encode(problems)?;

        let state = follower.state();
        let help = "1 once the first complete state has been read";
        let synced = encoder.encode_descriptor("synced", help, None, MetricType::Gauge)?;
        gauge(usize::from(state.waiting_for.is_none())).encode(synced)?;
        let help = "Time since the state was last known to be the newest";
        let age = encoder.encode_descriptor("state_age", help, Some(&Unit::Seconds), MetricType::Gauge)?;
        ConstGauge::new(state.age.as_secs_f64()).encode(age)
    }
}

/// Counts stay far below what a gauge can hold.
fn gauge(count: usize) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX))
}
