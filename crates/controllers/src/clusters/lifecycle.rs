//! The lifecycle of one Cluster object: finalizer, execution namespace, health taints, and removal.
//!
//! When a cluster is removed, the objects that Portolan created in the member are deleted only while the member
//! answers. Objects in a member that cannot be reached stay, because their deletion could not be observed.

use std::collections::HashSet;
use std::time::Duration;

use portolan_api::cluster::Cluster;
use portolan_api::resources;
use portolan_api::work::{ClusterResourceBinding, ResourceBinding};
use portolan_api::{finalizers, labels, names};
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::taints::health_taints;
use portolan_plan::failover::set_times;
use portolan_plan::propagation::removal::Cause;
use portolan_runtime::client::{Delete, Patch};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::members::Health;
use portolan_runtime::{ClientError, ClusterName, Outcome, Reconciler};
use serde_json::json;

use crate::clusters::ownership;
use crate::hub::{Hub, UNJOINED_WORKS};
use crate::missing::ignore_missing;
use crate::removal::remove;

/// Interval at which the removal of a cluster is checked.
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
        self.reconcile_cluster(name, &cluster).await.into()
    }
}

impl Lifecycle {
    pub(super) fn new(hub: &Hub) -> Self {
        Self { hub: hub.clone() }
    }

    /// Keeps finalizer, execution namespace and taints of a cluster that is not being deleted.
    async fn reconcile_cluster(&self, name: &ClusterName, cluster: &Cluster) -> Result<(), ClientError> {
        self.ensure_namespace(name, cluster).await?;
        let mut patch = json!({});
        if let Some(finalizers) = cluster.metadata.with_finalizer(finalizers::CLUSTER) {
            patch["metadata"]["finalizers"] = json!(finalizers);
        }
        let now = self.hub.now();
        let taints = health_taints(&cluster.spec.taints, &cluster.status.conditions, &now);
        let taints = set_times(taints.as_ref().unwrap_or(&cluster.spec.taints), &now).or(taints);
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
        let mut namespace = Object::new(&resources::NAMESPACE.gvk(), &key);
        namespace.set_label(labels::SYSTEM, labels::TRUE);
        match self.hub.client.resource(&resources::NAMESPACE.into()).create(&namespace).await {
            Ok(_) | Err(ClientError::AlreadyExists(_)) => Ok(()),
            Err(error) => {
                let message = format!("namespace {} cannot be created: {error}", key.name);
                let about = Regarding::kind(cluster);
                self.hub.events.record(about, Severity::Warning, "CreateExecutionSpaceFailed", message);
                Err(error)
            }
        }
    }

    /// Removes a cluster: its Works first, then its execution namespace, then its finalizer.
    async fn leave(&self, name: &ClusterName, cluster: &Cluster) -> Result<Outcome, ClientError> {
        let Some(finalizers) = cluster.metadata.without_finalizers(&[finalizers::CLUSTER]) else {
            return Ok(Outcome::Done);
        };
        let namespace = names::execution_namespace(name.as_str());
        let works = self.hub.works.keys_of_namespace(&namespace);
        let asked: HashSet<ObjectKey> =
            self.hub.works.keys_by_index(UNJOINED_WORKS, &namespace).into_iter().collect();
        for key in works.iter().filter(|key| !asked.contains(key)) {
            if let Some(work) = self.hub.works.get(key) {
                remove(&self.hub, &work, Cause::ClusterUnjoined).await?;
            }
        }
        if !works.is_empty() {
            return Ok(Outcome::RequeueAfter(LEAVING_RECHECK));
        }
        let api = self.hub.client.resource::<Object>(&resources::NAMESPACE.into());
        let key = ObjectKey::cluster(namespace);
        if ignore_missing(api.get(&key).await)?.is_some() {
            ignore_missing(api.delete(&key, &Delete::background()).await)?;
            return Ok(Outcome::RequeueAfter(LEAVING_RECHECK));
        }
        if self.is_target(name).await? || self.is_in_set(name) {
            return Ok(Outcome::RequeueAfter(LEAVING_RECHECK));
        }
        if let Some(member) = self.hub.members.get(name)
            && let Err(error) = ownership::release(&member).await
        {
            // The next control plane that joins the cluster asks before it takes it over.
            tracing::warn!(cluster = %name, %error, "the lease of this control plane stays in the cluster");
        }
        let patch = json!({ "metadata": {
            "finalizers": finalizers, "resourceVersion": cluster.metadata.resource_version } });
        let key = ObjectKey::cluster(name.as_str());
        self.hub.client.kind::<Cluster>().patch(&key, &Patch::Merge(patch)).await?;
        tracing::info!(cluster = %name, "cluster left");
        Ok(Outcome::Done)
    }

    /// Whether a member that answers still has objects of a cluster set. A member that does not answer keeps them.
    fn is_in_set(&self, name: &ClusterName) -> bool {
        let answers = self.hub.members.get(name).is_some_and(|member| member.health() == Health::Ready);
        answers && self.hub.cluster_sets.is_known() && !self.hub.cluster_sets.has_left(name)
    }

    /// Whether a binding still has the cluster as target. Lists from the server, because it runs once per cluster.
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
