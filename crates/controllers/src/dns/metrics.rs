//! How complete and how old the published records are.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::Follower;

pub(super) fn register(follower: &Follower, registry: &mut Registry) {
    registry.register_collector(Box::new(FollowerReader(follower.clone())));
}

/// Reads the state of a follower when it is scraped.
struct FollowerReader(Follower);

impl fmt::Debug for FollowerReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FollowerReader")
    }
}

impl Collector for FollowerReader {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (state, problems) = (self.0.state(), self.0.problems().len());
        let mut gauge = |name: &str, help: &str, unit: Option<&Unit>, value: f64| {
            let value = ConstGauge::new(value);
            value.encode(encoder.encode_descriptor(name, help, unit, value.metric_type())?)
        };
        let help = "Records that cannot be published; the log has the reasons.";
        gauge("portolan_dns_problems", help, None, problems as f64)?;
        let help = "1 once the first complete state has been read, else 0.";
        let is_synced = u8::from(state.waiting_for.is_none());
        gauge("portolan_dns_synced", help, None, f64::from(is_synced))?;
        let help = "Time since the state was last known to be the newest.";
        gauge("portolan_dns_state_age", help, Some(&Unit::Seconds), state.age.as_secs_f64())
    }
}
