//! ClusterTaintPolicies: taints clusters by their conditions. The decision is in `portolan_plan::taint_policies`.

use std::sync::Arc;

use portolan_api::cluster::Cluster;
use portolan_api::policy::ClusterTaintPolicy;
use portolan_object::ObjectKey;
use portolan_plan::taint_policies::{message, taints};
use portolan_runtime::client::Patch;
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, ClientError, Outcome, Reconciler, driver};
use serde_json::json;

use crate::hub::Hub;
use crate::named_clusters::report_unknown_clusters;

const WORKERS: usize = 2;

struct Clusters {
    hub: Hub,
    policies: Cache<ClusterTaintPolicy>,
}

/// Starts the controller of ClusterTaintPolicies. Its keys are clusters.
pub(crate) fn start(hub: &Hub) {
    let policies = Cache::<ClusterTaintPolicy>::of_kind(&hub.client)
        .trim(|policy| policy.metadata.managed_fields.clear())
        .start(&hub.scope);
    let queue = hub.client.metrics().queue("taint-policies", None);
    let (hub, scope) = (hub.clone(), hub.scope.clone());
    spawn_until_stop(&scope, async move {
        if !(policies.synced().await && hub.clusters.synced().await) {
            return;
        }
        let changed = queue.clone();
        hub.clusters.observe(move |change| changed.add(change.key.clone()));
        let (changed, clusters) = (queue.clone(), hub.clusters.clone());
        policies.observe(move |_| clusters.keys().into_iter().for_each(|key| changed.add(key)));
        let reporting = hub.clone();
        policies.observe(move |change| report_unknown_clusters(&reporting, change));
        let scope = hub.scope.clone();
        driver::run(Arc::new(Clusters { hub, policies }), &queue, WORKERS, &scope);
    });
}

impl Reconciler for Clusters {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(cluster) = self.hub.clusters.get(key) else { return Outcome::Done };
        if cluster.metadata.is_deleting() {
            return Outcome::Done;
        }
        self.taint(key, &cluster).await.into()
    }
}

impl Clusters {
    /// Writes the taints of a cluster if the policies change them.
    async fn taint(&self, key: &ObjectKey, cluster: &Cluster) -> Result<(), ClientError> {
        let policies = self.policies.list();
        let wanted = taints(cluster, policies.iter().map(AsRef::as_ref), &self.hub.now());
        let Some(taints) = wanted else { return Ok(()) };
        let version = &cluster.metadata.resource_version;
        let patch = json!({ "metadata": { "resourceVersion": version }, "spec": { "taints": taints } });
        let written = self.hub.client.kind::<Cluster>().patch(key, &Patch::Merge(patch)).await;
        let about = Regarding::kind(cluster);
        match written {
            Ok(written) => {
                let version = written.metadata.resource_version.clone();
                self.hub.events.success(about, "TaintClusterSucceed", message(&key.name, &taints));
                self.hub.clusters.written(key.clone(), &version, written);
                Ok(())
            }
            Err(error) if error.is_race() => Err(error),
            Err(error) => {
                let message = format!("the taints of cluster {} cannot be written: {error}", key.name);
                self.hub.events.record(about, Severity::Warning, "TaintClusterFailed", message);
                Err(error)
            }
        }
    }
}
