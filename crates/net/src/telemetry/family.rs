//! Metrics with the same name and different labels.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::RwLock;
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Metrics of one name by their labels; clones share them.
///
/// Two things differ from `prometheus_client`'s family: it is rendered, with help and type, even before its first
/// sample, so that every metric that the process can report is seen; and series can be removed by a condition, such as
/// those of a cluster that left.
pub struct Family<S, M> {
    series: Arc<RwLock<HashMap<S, M>>>,
    constructor: fn() -> M,
}

impl<S, M> Clone for Family<S, M> {
    fn clone(&self) -> Self {
        Self { series: Arc::clone(&self.series), constructor: self.constructor }
    }
}

impl<S, M: Default> Default for Family<S, M> {
    fn default() -> Self {
        Self::new(M::default)
    }
}

impl<S, M> Family<S, M> {
    /// A family that makes its metrics with `constructor`.
    pub fn new(constructor: fn() -> M) -> Self {
        Self { series: Arc::new(RwLock::new(HashMap::new())), constructor }
    }

    /// The number of series.
    pub fn len(&self) -> usize {
        self.series.read().len()
    }

    /// Whether there is no series yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps only the series with labels that satisfy `condition`.
    pub fn retain(&self, condition: impl Fn(&S) -> bool) {
        self.series.write().retain(|labels, _| condition(labels));
    }
}

impl<S: Clone + Eq + Hash, M: Clone> Family<S, M> {
    /// The metric with these labels, which is added at its first use. The result is a handle that hot paths keep, so
    /// that they need no look-up.
    pub fn get(&self, labels: &S) -> M {
        if let Some(metric) = self.series.read().get(labels) {
            return metric.clone();
        }
        self.series.write().entry(labels.clone()).or_insert_with(self.constructor).clone()
    }
}

impl<S, M> fmt::Debug for Family<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family").field("series", &self.len()).finish_non_exhaustive()
    }
}

impl<S: EncodeLabelSet, M: EncodeMetric + TypedMetric> EncodeMetric for Family<S, M> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        for (labels, metric) in self.series.read().iter() {
            metric.encode(encoder.encode_family(labels)?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        M::TYPE
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn series_come_and_go() {
        let family = Family::<[(&'static str, &'static str); 1], Counter>::default();
        let mut registry = Registry::default();
        registry.register("things", "Things", family.clone());
        let render = || {
            let mut text = String::new();
            text::encode(&mut text, &registry).unwrap();
            text.lines().skip(2).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(render(), ["# EOF"], "after help and type");
        let handle = family.get(&[("cluster", "eu")]);
        handle.inc();
        family.get(&[("cluster", "eu")]).inc();
        assert_eq!(render(), ["things_total{cluster=\"eu\"} 2", "# EOF"]);
        family.retain(|[(_, cluster)]| *cluster != "eu");
        handle.inc();
        assert_eq!(render(), ["# EOF"]);
    }
}
