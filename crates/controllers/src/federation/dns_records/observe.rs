//! What queues the records: changes of records, domains, clusters and bindings.

use std::sync::Arc;

use portolan_api::cluster::Cluster as ClusterObject;
use portolan_api::conditions::cluster::READY;
use portolan_api::meta::condition;
use portolan_plan::kubefed::dns_records::RecordKind;
use portolan_runtime::Queue;

use super::{BATCH, RecordId, Records};
use crate::hub::Hub;
use crate::propagation::Pipeline;

/// Queues records for everything that they depend on, except endpoints.
pub(super) fn observe(hub: &Hub, pipeline: &Pipeline, records: &Records, queue: &Queue<RecordId>) {
    let changed = queue.clone();
    records.services.observe(move |change| {
        if !change.is_own {
            changed.add(RecordId { kind: RecordKind::Service, key: change.key.clone() });
        }
    });
    let changed = queue.clone();
    records.ingresses.observe(move |change| {
        if !change.is_own {
            changed.add(RecordId { kind: RecordKind::Ingress, key: change.key.clone() });
        }
    });
    let queue_all = {
        let (records, queue) = (records.clone(), queue.clone());
        move || {
            for key in records.services.keys() {
                queue.add_after(RecordId { kind: RecordKind::Service, key }, BATCH);
            }
            for key in records.ingresses.keys() {
                queue.add_after(RecordId { kind: RecordKind::Ingress, key }, BATCH);
            }
        }
    };
    let changed = queue_all.clone();
    records.domains.observe(move |_| changed());
    hub.clusters.observe(move |change| {
        let decides = |cluster: &Arc<ClusterObject>| {
            let ready = condition(&cluster.status.conditions, READY).cloned();
            (cluster.spec.region.clone(), cluster.spec.zones.clone(), ready)
        };
        if change.old.as_ref().map(decides) != change.new.as_ref().map(decides) {
            queue_all();
        }
    });
    let changed = queue.clone();
    pipeline.observe_binding_changes(move |change| {
        for binding in change.old.iter().chain(&change.new) {
            for kind in [RecordKind::Service, RecordKind::Ingress] {
                if binding.template_kind().kind.trim_start_matches("Federated") == kind.target() {
                    changed.add_after(RecordId { kind, key: binding.template_key() }, BATCH);
                }
            }
        }
    });
}
