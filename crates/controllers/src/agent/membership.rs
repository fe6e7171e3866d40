//! Connects the agent's own cluster while the control plane has its Cluster object, and gives it up when it leaves.

use std::sync::Arc;

use portolan_object::ObjectKey;
use portolan_runtime::client::BoxError;
use portolan_runtime::{ClusterName, Endpoint, Outcome, Queue, Reconciler, driver};

use crate::clusters::give_up;
use crate::hub::{Hub, WORKS_OF_CLUSTER};

struct Membership {
    hub: Hub,
}

/// Starts the controller.
pub(super) fn start(hub: &Hub, cluster: &ClusterName) {
    let queue: Queue<ClusterName> = hub.client.metrics().queue("membership", None);
    let (changed, own) = (queue.clone(), cluster.clone());
    hub.clusters.observe(move |_| changed.add(own.clone()));
    let (emptied, own, known) = (queue.clone(), cluster.clone(), hub.clone());
    hub.works.observe(move |change| {
        let is_leaving = || known.cluster(&own).is_some_and(|cluster| cluster.metadata.is_deleting());
        if change.new.is_none() && is_leaving() {
            emptied.add(own.clone());
        }
    });
    queue.add(cluster.clone());
    driver::run(Arc::new(Membership { hub: hub.clone() }), &queue, 1, &hub.scope);
}

impl Reconciler for Membership {
    type Key = ClusterName;

    async fn reconcile(&self, name: &ClusterName) -> Outcome {
        if !self.hub.clusters.synced().await || !self.hub.works.synced().await {
            return Outcome::Done;
        }
        self.sync(name).await.into()
    }
}

impl Membership {
    async fn sync(&self, name: &ClusterName) -> Result<(), BoxError> {
        let Some(cluster) = self.hub.clusters.get(&ObjectKey::cluster(name.as_str())) else {
            if self.hub.members.get(name).is_some() {
                tracing::warn!(cluster = %name, "the cluster has left the federation");
            } else {
                tracing::warn!(
                    cluster = %name,
                    "the control plane has no such cluster: register it with `portolan register`"
                );
            }
            self.hub.members.remove(name);
            return Ok(());
        };
        // The client is the agent's own. A cluster that has left and registered again is another member.
        let endpoint = Endpoint { url: cluster.metadata.uid.clone(), ..Endpoint::default() };
        let member = self.hub.members.put(name, endpoint)?;
        let space = portolan_api::names::execution_namespace(name.as_str());
        if cluster.metadata.is_deleting() && self.hub.works.count_by_index(WORKS_OF_CLUSTER, &space) == 0 {
            // Before the control plane deletes the Lease: this process must not make it again.
            give_up(&member).await?;
        }
        Ok(())
    }
}
