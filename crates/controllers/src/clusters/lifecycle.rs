//! One Cluster object: finalizer, execution namespace, health taints, and leaving.
//!
//! Leaving removes what Portolan put into the member only while the member answers. Objects in a member that cannot
//! be reached stay where they are: nobody asked for their deletion, and nobody could watch it.

use std::time::Duration;

use portolan_api::cluster::Cluster;
use portolan_api::resources;
use portolan_api::work::{ClusterResourceBinding, ResourceBinding, Work};
use portolan_api::{finalizers, labels, names};
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use portolan_plan::clusters::taints::health_taints;
use portolan_runtime::client::{Delete, Patch};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::members::Health;
use portolan_runtime::{ClientError, ClusterName, Outcome, Reconciler, Resource};
use serde_json::json;

use crate::hub::Hub;
use crate::missing::ignore_missing;

/// Between two looks at a cluster that is leaving; changes of its Works are seen at once.
const LEAVING_RECHECK: Duration = Duration::from_secs(1);

pub(super) struct Lifecycle {
    hub: Hub,
}

impl Reconciler for Lifecycle {
    type Key = ClusterName;

    async fn reconcile(&self, name: &ClusterName) -> Outcome {
        let Some(cluster) = self.hub.cluster(name) else { return Outcome::Done };
        if cluster.metadata.is_deleting() {
            return self.leave(name, &cluster).await.into();
        }
        self.settle(name, &cluster).await.into()
    }
}

impl Lifecycle {
    pub(super) fn new(hub: &Hub) -> Self {
        Self { hub: hub.clone() }
    }

    /// A cluster that is here to stay.
    async fn settle(&self, name: &ClusterName, cluster: &Cluster) -> Result<(), ClientError> {
        self.ensure_namespace(name, cluster).await?;
        let mut patch = json!({});
        let mut finalizers = cluster.metadata.finalizers.clone();
        if !finalizers.iter().any(|held| held == finalizers::CLUSTER) {
            finalizers.push(finalizers::CLUSTER.to_owned());
            patch["metadata"]["finalizers"] = json!(finalizers);
        }
        let taints = health_taints(&cluster.spec.taints, &cluster.status.conditions, &self.hub.now());
        if let Some(taints) = &taints {
            patch["spec"]["taints"] = json!(taints);
        }
        if patch == json!({}) {
            return Ok(());
        }
        patch["metadata"]["resourceVersion"] = json!(cluster.metadata.resource_version);
        let key = ObjectKey::cluster(name.as_str());
        self.hub.client.kind::<Cluster>().patch(&key, &Patch::Merge(patch)).await?;
        if let Some(taints) = taints {
            let keys: Vec<&str> = taints.iter().map(|taint| taint.key.as_str()).collect();
            tracing::info!(cluster = %name, taints = keys.join(","), "taints follow health");
        }
        Ok(())
    }

    async fn ensure_namespace(&self, name: &ClusterName, cluster: &Cluster) -> Result<(), ClientError> {
        let key = ObjectKey::cluster(names::execution_namespace(name.as_str()));
        if self.hub.namespaces.contains(&key) {
            return Ok(());
        }
        let mut namespace = Object::new(&GroupVersionKind::new("", "v1", "Namespace"), &key);
        namespace.set_label(labels::SYSTEM, labels::TRUE);
        match self.hub.client.resource(&namespaces()).create(&namespace).await {
            Ok(_) | Err(ClientError::AlreadyExists(_)) => Ok(()),
            Err(error) => {
                let message = format!("namespace {} cannot be created: {error}", key.name);
                let about = Regarding::kind(cluster);
                self.hub.events.record(about, Severity::Warning, "CreateExecutionSpaceFailed", message);
                Err(error)
            }
        }
    }

    /// A cluster that is leaving: its works first, then its namespace, then the object itself.
    async fn leave(&self, name: &ClusterName, cluster: &Cluster) -> Result<Outcome, ClientError> {
        if !cluster.metadata.finalizers.iter().any(|held| held == finalizers::CLUSTER) {
            return Ok(Outcome::Done);
        }
        let namespace = names::execution_namespace(name.as_str());
        let works = self.hub.client.kind::<Work>();
        let mut remaining = 0;
        for work in self.hub.works.list_namespace(&namespace) {
            remaining += 1;
            if !work.metadata.is_deleting() {
                let key = ObjectKey::namespaced(&*namespace, &*work.metadata.name);
                ignore_missing(works.delete(&key, &Delete::default()).await)?;
            }
        }
        if remaining > 0 {
            return Ok(Outcome::RequeueAfter(LEAVING_RECHECK));
        }
        let (api, key) = (self.hub.client.resource::<Object>(&namespaces()), ObjectKey::cluster(namespace));
        if ignore_missing(api.get(&key).await)?.is_some() {
            ignore_missing(api.delete(&key, &Delete::background()).await)?;
            return Ok(Outcome::RequeueAfter(LEAVING_RECHECK));
        }
        if self.is_target(name).await? || self.is_in_set(name) {
            return Ok(Outcome::RequeueAfter(LEAVING_RECHECK));
        }
        let mut finalizers = cluster.metadata.finalizers.clone();
        finalizers.retain(|held| held != finalizers::CLUSTER);
        let patch = json!({ "metadata": {
            "finalizers": finalizers, "resourceVersion": cluster.metadata.resource_version } });
        let key = ObjectKey::cluster(name.as_str());
        self.hub.client.kind::<Cluster>().patch(&key, &Patch::Merge(patch)).await?;
        tracing::info!(cluster = %name, "cluster left");
        Ok(Outcome::Done)
    }

    /// Whether a member that answers still has something of a cluster set. One that does not answer keeps it.
    fn is_in_set(&self, name: &ClusterName) -> bool {
        let answers = self.hub.members.get(name).is_some_and(|member| member.health() == Health::Ready);
        answers && self.hub.cluster_sets.is_known() && !self.hub.cluster_sets.has_left(name)
    }

    /// Whether a binding still wants the cluster; asked of the server, because it happens once in a cluster's life.
    async fn is_target(&self, name: &ClusterName) -> Result<bool, ClientError> {
        let everything = portolan_runtime::client::Selection::all();
        let wants = |clusters: &[portolan_api::work::TargetCluster]| {
            clusters.iter().any(|target| target.name == name.as_str())
        };
        let namespaced = self.hub.client.kind::<ResourceBinding>().list(&everything).await?;
        let cluster_wide = self.hub.client.kind::<ClusterResourceBinding>().list(&everything).await?;
        Ok(namespaced.items.iter().any(|binding| wants(&binding.object.spec.clusters))
            || cluster_wide.items.iter().any(|binding| wants(&binding.object.spec.clusters)))
    }
}

fn namespaces() -> Resource {
    resources::NAMESPACE.into()
}
