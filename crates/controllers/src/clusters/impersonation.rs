//! Gives the impersonator of each cluster the right to impersonate those who may use the cluster's proxy.
//!
//! `portolan_plan::clusters::impersonation` decides. The role and its binding are Works, so that they are written, kept and
//! removed as everything else in the cluster. Upstream: karmada pkg/controllers/unifiedauth.

use std::sync::Arc;

use portolan_api::cluster::Cluster;
use portolan_api::work::Work;
use portolan_api::{labels, names, resources};
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::impersonation::{subjects, works};
use portolan_plan::propagation::work::is_current;
use portolan_runtime::cache::drop_managed_fields;
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{Cache, ClientError, ClusterName, Outcome, Queue, Reconciler, driver};

use crate::hub::Hub;

const WORKERS: usize = 2;

struct Impersonation {
    hub: Hub,
    roles: Cache<Object>,
    bindings: Cache<Object>,
}

/// Starts the controller.
pub(super) fn start(hub: &Hub) {
    let cache =
        |resource| Cache::of_objects(&hub.client, resource).trim(drop_managed_fields).start(&hub.scope);
    let roles = cache(resources::CLUSTER_ROLE.into());
    let bindings = cache(resources::CLUSTER_ROLE_BINDING.into());
    let queue: Queue<ClusterName> = hub.client.metrics().queue("impersonation", None);
    for changes in [&roles, &bindings] {
        let (queue, clusters) = (queue.clone(), hub.clusters.clone());
        changes.observe(move |_| {
            for key in clusters.keys() {
                queue.add(ClusterName::new(key.name.as_str()));
            }
        });
    }
    let changed = queue.clone();
    hub.clusters.observe(move |change| {
        // The status changes often.
        let reference = |cluster: &Cluster| cluster.spec.impersonator_secret_ref.clone();
        if change.old.as_deref().map(reference) != change.new.as_deref().map(reference) {
            changed.add(ClusterName::new(change.key.name.as_str()));
        }
    });
    let own = ["ClusterRole", "ClusterRoleBinding"].map(|kind| names::work(kind, names::IMPERSONATOR, ""));
    let gone = queue.clone();
    hub.works.observe(move |change| {
        let is_own = own.contains(&change.key.name);
        let cluster = names::cluster_of_execution_namespace(&change.key.namespace);
        if let Some(cluster) = cluster.filter(|_| is_own && change.new.is_none()) {
            gone.add(ClusterName::new(cluster));
        }
    });
    // The execution namespace of a new cluster is made after the Cluster object.
    let spaces = queue.clone();
    hub.namespaces.observe(move |change| {
        let cluster = names::cluster_of_execution_namespace(&change.key.name);
        if let Some(cluster) = cluster.filter(|_| change.old.is_none()) {
            spaces.add(ClusterName::new(cluster));
        }
    });
    driver::run(Arc::new(Impersonation { hub: hub.clone(), roles, bindings }), &queue, WORKERS, &hub.scope);
}

impl Reconciler for Impersonation {
    type Key = ClusterName;

    async fn reconcile(&self, name: &ClusterName) -> Outcome {
        let are_known = self.roles.synced().await
            && self.bindings.synced().await
            && self.hub.works.synced().await
            && self.hub.namespaces.synced().await;
        let Some(cluster) = self.hub.cluster(name).filter(|cluster| !cluster.metadata.is_deleting()) else {
            return Outcome::Done;
        };
        let space = ObjectKey::cluster(names::execution_namespace(name.as_str()));
        if !are_known
            || cluster.spec.impersonator_secret_ref.is_none()
            || !self.hub.namespaces.contains(&space)
        {
            return Outcome::Done;
        }
        self.sync(name, &cluster).await.into()
    }
}

impl Impersonation {
    async fn sync(&self, name: &ClusterName, cluster: &Cluster) -> Result<(), ClientError> {
        let (roles, bindings) = (self.roles.list(), self.bindings.list());
        let found =
            subjects(name.as_str(), roles.iter().map(AsRef::as_ref), bindings.iter().map(AsRef::as_ref));
        let id = |key: &ObjectKey| {
            let old = self.hub.works.get(key);
            let known = old.and_then(|old| old.metadata.label(labels::work::PERMANENT_ID).map(str::to_owned));
            known.unwrap_or_else(|| uuid::Uuid::new_v4().to_string())
        };
        for wanted in works(name.as_str(), &found, id) {
            if let Err(error) = self.put(wanted).await {
                let message = format!("the rights of the impersonator cannot be written: {error}");
                let about = Regarding::kind(cluster);
                self.hub.events.record(about, Severity::Warning, "SyncImpersonationConfigFailed", message);
                return Err(error);
            }
        }
        let message = "Sync impersonation config succeed.".to_owned();
        self.hub.events.success(Regarding::kind(cluster), "SyncImpersonationConfigSucceed", message);
        Ok(())
    }

    async fn put(&self, wanted: Work) -> Result<(), ClientError> {
        let api = self.hub.client.kind::<Work>();
        let Some(old) = self.hub.works.get(&wanted.metadata.key()) else {
            self.hub.work_written(api.create(&wanted).await?);
            return Ok(());
        };
        if old.metadata.is_deleting() || is_current(&old, &wanted) {
            return Ok(());
        }
        let mut changed = Work::clone(&old);
        changed.metadata.labels.extend(wanted.metadata.labels);
        changed.metadata.annotations.extend(wanted.metadata.annotations);
        changed.spec = wanted.spec;
        self.hub.work_written(api.replace(&changed).await?);
        Ok(())
    }
}
