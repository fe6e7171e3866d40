//! Objects that name clusters that do not exist say so by an event (`plan::propagation::effect`).

use std::collections::BTreeSet;

use portolan_plan::propagation::effect::{NamesClusters, unknown_clusters};
use portolan_runtime::cache::Change;
use portolan_runtime::events::{Regarding, Severity};

use crate::hub::Hub;

/// Emits the event of a change, if it changes the names. The clusters must be known.
pub(crate) fn report_unknown_clusters<T: NamesClusters>(hub: &Hub, change: &Change<T>) {
    let Some(object) = &change.new else { return };
    let names_before = change.old.as_ref().map(|old| old.names());
    if names_before.is_some_and(|before| before == object.names()) {
        return;
    }
    let clusters: BTreeSet<String> = hub.clusters.keys().into_iter().map(|key| key.name).collect();
    if let Some(fault) = unknown_clusters(&**object, &clusters) {
        hub.events.record(Regarding::kind(&**object), Severity::Warning, fault.reason(), fault.to_string());
    }
}
