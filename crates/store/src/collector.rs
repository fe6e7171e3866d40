//! Figures of the state of a store: objects, the history and its watchers. They are read when the metrics are scraped.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::state::SharedState;
use crate::versioned::Payload;

/// Adds the metrics of a store to `registry`.
pub(crate) fn register<P: Payload>(shared: &Arc<SharedState<P>>, registry: &mut Registry) {
    shared.metrics.register(registry);
    registry.register_collector(Box::new(StateReader(Arc::clone(shared))));
}

/// Reads the state when it is scraped.
struct StateReader<P>(Arc<SharedState<P>>);

impl<P> fmt::Debug for StateReader<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StateReader")
    }
}

impl<P: Payload> Collector for StateReader<P> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (revision, oldest, objects, watches, bytes, damaged, stale) = {
            let state = self.0.state.read();
            let (revision, oldest) = (state.revision.0, state.oldest().0);
            let (objects, watches) = (state.index.len(), state.interest.len());
            (revision, oldest, objects, watches, state.tail.bytes(), state.damaged.len(), state.stale.len())
        };
        let mut gauge = |name: &str, help: &str, unit: Option<&Unit>, value: u64| {
            let value = ConstGauge::new(value);
            value.encode(encoder.encode_descriptor(name, help, unit, value.metric_type())?)
        };
        gauge("portolan_store_revision", "Newest revision.", None, revision)?;
        let help = "Oldest revision from which a watch can start.";
        gauge("portolan_store_oldest_revision", help, None, oldest)?;
        gauge("portolan_store_objects", "Objects in the store.", None, objects as u64)?;
        let help = "Stored objects that cannot be read, and are left out until they are restored or deleted.";
        gauge("portolan_store_damaged_values", help, None, damaged as u64)?;
        let help = "Stored objects that are not encrypted as new ones are; writing them again does it.";
        gauge("portolan_store_stale_values", help, None, stale as u64)?;
        gauge("portolan_store_watches", "Open watches of the store.", None, watches as u64)?;
        let help = "Memory that only the history of writes holds.";
        gauge("portolan_store_history", help, Some(&Unit::Bytes), bytes as u64)
    }
}
