//! Remedies: writes the actions in effect for a cluster into its status. The decision is in `portolan_plan::remedies`.

use std::sync::Arc;

use portolan_api::cluster::Cluster;
use portolan_api::remedy::Remedy;
use portolan_object::ObjectKey;
use portolan_plan::remedies::actions;
use portolan_runtime::client::Patch;
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, ClientError, Outcome, Reconciler, driver};
use serde_json::{Value, json};

use crate::hub::Hub;
use crate::named_clusters::report_unknown_clusters;

const WORKERS: usize = 2;

struct Clusters {
    hub: Hub,
    remedies: Cache<Remedy>,
}

/// Starts the controller of Remedies. Its keys are clusters.
pub(crate) fn start(hub: &Hub) {
    let remedies = Cache::<Remedy>::of_kind(&hub.client)
        .trim(|remedy| remedy.metadata.managed_fields.clear())
        .start(&hub.scope);
    let queue = hub.client.metrics().queue("remedies", None);
    let (hub, scope) = (hub.clone(), hub.scope.clone());
    spawn_until_stop(&scope, async move {
        if !(remedies.synced().await && hub.clusters.synced().await) {
            return;
        }
        let changed = queue.clone();
        hub.clusters.observe(move |change| changed.add(change.key.clone()));
        let (changed, clusters) = (queue.clone(), hub.clusters.clone());
        remedies.observe(move |_| clusters.keys().into_iter().for_each(|key| changed.add(key)));
        let reporting = hub.clone();
        remedies.observe(move |change| report_unknown_clusters(&reporting, change));
        let scope = hub.scope.clone();
        driver::run(Arc::new(Clusters { hub, remedies }), &queue, WORKERS, &scope);
    });
}

impl Reconciler for Clusters {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(cluster) = self.hub.clusters.get(key) else { return Outcome::Done };
        if cluster.metadata.is_deleting() {
            return Outcome::Done;
        }
        self.write_actions(key, &cluster).await.into()
    }
}

impl Clusters {
    async fn write_actions(&self, key: &ObjectKey, cluster: &Cluster) -> Result<(), ClientError> {
        let remedies = self.remedies.list();
        let actions = actions(remedies.iter().map(AsRef::as_ref), cluster);
        if actions == cluster.status.remedy_actions {
            return Ok(());
        }
        let value = if actions.is_empty() { Value::Null } else { json!(actions) };
        let version = &cluster.metadata.resource_version;
        let patch =
            json!({ "metadata": { "resourceVersion": version }, "status": { "remedyActions": value } });
        let written = self.hub.client.kind::<Cluster>().patch_status(key, &Patch::Merge(patch)).await?;
        let version = written.metadata.resource_version.clone();
        self.hub.clusters.written(key.clone(), &version, written);
        Ok(())
    }
}
