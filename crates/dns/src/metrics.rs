//! Figures of the DNS server: queries and records.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::{Statistics, Zones};

/// Adds the figures of a server and its zones to `registry`.
pub fn register(zones: &Arc<Zones>, statistics: &Statistics, registry: &mut Registry) {
    registry.register_collector(Box::new(ServerReader {
        zones: Arc::clone(zones),
        statistics: statistics.clone(),
    }));
}

/// Adds up the counters of the workers when it is scraped.
struct ServerReader {
    zones: Arc<Zones>,
    statistics: Statistics,
}

impl fmt::Debug for ServerReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerReader")
    }
}

impl Collector for ServerReader {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Answered queries by type and response code; NODATA is an empty NOERROR.";
        let mut queries =
            encoder.encode_descriptor("portolan_dns_queries", help, None, MetricType::Counter)?;
        for query in self.statistics.queries() {
            let labels = [("type", query.kind), ("rcode", query.outcome)];
            ConstCounter::new(query.count).encode(queries.encode_family(&labels)?)?;
        }
        let help = "Packets without an answer, because they are not queries.";
        let ignored =
            encoder.encode_descriptor("portolan_dns_ignored_packets", help, None, MetricType::Counter)?;
        ConstCounter::new(self.statistics.ignored()).encode(ignored)?;
        let help = "Open connections of DNS over TCP.";
        let open =
            encoder.encode_descriptor("portolan_dns_tcp_connections", help, None, MetricType::Gauge)?;
        ConstGauge::new(self.statistics.tcp_connections()).encode(open)?;
        let help = "Connections of DNS over TCP that were closed to make room for those of other clients.";
        let evicted =
            encoder.encode_descriptor("portolan_dns_tcp_evictions", help, None, MetricType::Counter)?;
        ConstCounter::new(self.statistics.evicted_tcp_connections()).encode(evicted)?;
        let help = "Records that are served, by zone.";
        let mut records = encoder.encode_descriptor("portolan_dns_records", help, None, MetricType::Gauge)?;
        for (zone, count) in self.zones.records() {
            let labels = [("zone", zone)];
            ConstGauge::new(count as u64).encode(records.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
