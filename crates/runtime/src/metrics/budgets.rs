//! Memory that the caches and answers of each member use.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::limits::Budget;

/// The budget of each member, by name.
#[derive(Clone, Default)]
pub(super) struct Budgets {
    budgets: Arc<Mutex<BTreeMap<String, Weak<Budget>>>>,
}

impl Budgets {
    /// Reports a budget instead of an earlier one of the same member.
    pub(super) fn add(&self, cluster: &str, budget: &Arc<Budget>) {
        self.budgets.lock().insert(cluster.to_owned(), Arc::downgrade(budget));
    }

    pub(super) fn forget(&self, cluster: &str) {
        self.budgets.lock().remove(cluster);
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(self.clone()));
    }
}

impl fmt::Debug for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Budgets")
    }
}

impl Collector for Budgets {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Estimated memory of the objects and answers of a cluster.";
        let name = "portolan_cluster_memory";
        let mut family = encoder.encode_descriptor(name, help, Some(&Unit::Bytes), MetricType::Gauge)?;
        for (cluster, budget) in self.budgets.lock().iter() {
            let bytes = budget.upgrade().map_or(0, |budget| budget.bytes());
            ConstGauge::new(bytes).encode(family.encode_family(&[("cluster", cluster.as_str())])?)?;
        }
        Ok(())
    }
}
