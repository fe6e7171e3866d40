//! Figures of the control plane itself: when its certificates expire.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::certificates::Certificates;

/// Adds the expiry of the certificates to `registry`.
pub(crate) fn register(certificates: &Certificates, registry: &mut Registry) {
    registry.register_collector(Box::new(ExpiryReader(certificates.clone())));
}

/// Reads the certificates when it is scraped.
struct ExpiryReader(Certificates);

impl fmt::Debug for ExpiryReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExpiryReader")
    }
}

impl Collector for ExpiryReader {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Last instant at which the certificate is valid, in seconds since the Unix epoch.";
        let (name, unit) = ("portolan_certificate_expiry_timestamp", Some(&Unit::Seconds));
        let mut family = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for expiry in self.0.expiries() {
            let labels = [("certificate", expiry.certificate)];
            ConstGauge::new(expiry.not_after.as_second()).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
