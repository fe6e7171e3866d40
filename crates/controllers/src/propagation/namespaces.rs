//! One namespace of the hub: its Work in every cluster.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use portolan_api::{labels, names};
use portolan_object::ObjectKey;
use portolan_plan::propagation::{namespace, work};
use portolan_runtime::client::BoxError;
use portolan_runtime::{Outcome, Reconciler};

use crate::propagation::Pipeline;
use crate::propagation::works::{difference, put, remove, views};

pub(super) struct Namespaces(pub(super) Pipeline);

impl Reconciler for Namespaces {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        self.settle(key).await.into()
    }
}

impl Namespaces {
    async fn settle(&self, key: &ObjectKey) -> Result<(), BoxError> {
        let hub = &self.0.hub;
        // One that vanished unseen takes its Works along as their owner; nothing is concluded from absence here.
        let Some(object) = hub.namespaces.get(key) else { return Ok(()) };
        if object.is_deleting() {
            return self.withdraw(key).await;
        }
        if !namespace::is_propagated(&object) {
            // A label that stops propagation takes nothing away that is there.
            return Ok(());
        }
        let policies = self.0.overrides.cluster.list();
        let policies = views(&policies);
        let mut writes = Vec::new();
        for cluster in hub.clusters.list() {
            if cluster.metadata.is_deleting() {
                continue;
            }
            let old = hub.works.get(&work::key(&object, &cluster.metadata.name));
            let id = old.as_ref().and_then(|old| old.metadata.label(labels::work::PERMANENT_ID));
            let id = id.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned);
            let new = namespace::work(&object, &cluster, &policies, &id)?;
            writes.extend(difference(old.as_deref(), new).map(|write| put(hub, write)));
        }
        try_join_all(writes).await?;
        Ok(())
    }

    /// The namespace is being deleted on the hub: its copies go, where they are ours.
    async fn withdraw(&self, key: &ObjectKey) -> Result<(), BoxError> {
        let hub = &self.0.hub;
        let name = names::work("Namespace", &key.name, "");
        let clusters: BTreeSet<String> =
            hub.clusters.keys().into_iter().map(|cluster| cluster.name).collect();
        for cluster in clusters {
            let work_key = ObjectKey::namespaced(names::execution_namespace(&cluster), &*name);
            if let Some(work) = hub.works.get(&work_key).filter(|work| !work.metadata.is_deleting()) {
                remove(hub, &work).await?;
            }
        }
        Ok(())
    }
}
