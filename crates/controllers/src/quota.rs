//! FederatedResourceQuotas: a ResourceQuota in each assigned cluster, and the status from these and from the bindings.
//!
//! The limit itself is enforced where bindings are written: `hub/quotas.rs`.

use std::collections::BTreeSet;
use std::sync::Arc;

use portolan_api::policy::FederatedResourceQuota;
use portolan_api::work::Work;
use portolan_api::{labels, names};
use portolan_object::ObjectKey;
use portolan_plan::propagation::removal::Cause;
use portolan_plan::propagation::work::is_current;
use portolan_plan::quota;
use portolan_runtime::client::{BoxError, Patch};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{ClientError, Outcome, Reconciler, driver};
use serde_json::json;

use crate::failures::Failures;
use crate::hub::Hub;
use crate::merge::difference;
use crate::missing::ignore_missing;
use crate::named_clusters::report_unknown_clusters;
use crate::removal::remove;

const WORKERS: usize = 4;
/// Index of Works by the quota that they were made for; values are `namespace/name`.
const BY_QUOTA: &str = "quota";

struct QuotaController {
    hub: Hub,
}

/// Starts the controller. The bindings must have been read, so that what they use is known.
pub(crate) fn start(hub: &Hub) {
    let queue = hub.quotas.queue.clone();
    hub.works.add_index(BY_QUOTA, |_, work| quota_of(work).map(|key| key.to_string()).into_iter().collect());
    let changed = queue.clone();
    hub.quotas.cache.observe(move |change| changed.add(change.key.clone()));
    let reporting = hub.clone();
    hub.quotas.cache.observe(move |change| report_unknown_clusters(&reporting, change));
    let reported = queue.clone();
    hub.works.observe(move |change| {
        if let Some(quota) = change.latest().and_then(|work| quota_of(work)) {
            reported.add(quota);
        }
    });
    let (joined, quotas) = (queue.clone(), hub.quotas.cache.clone());
    hub.clusters.observe(move |change| {
        if change.old.is_none() || change.new.is_none() {
            let concerned = quotas.list();
            let concerned = concerned.iter().filter(|one| quota::is_assigned(one, &change.key.name));
            concerned.for_each(|one| joined.add(one.metadata.key()));
        }
    });
    driver::run(Arc::new(QuotaController { hub: hub.clone() }), &queue, WORKERS, &hub.scope);
}

/// The quota that a Work was made for.
fn quota_of(work: &Work) -> Option<ObjectKey> {
    let namespace = work.metadata.label(labels::federated_resource_quota::NAMESPACE)?;
    Some(ObjectKey::namespaced(namespace, work.metadata.label(labels::federated_resource_quota::NAME)?))
}

impl Reconciler for QuotaController {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !self.hub.quotas.cache.synced().await || !self.hub.works.synced().await {
            return Outcome::Done;
        }
        let works = self.hub.works.by_index(BY_QUOTA, &key.to_string());
        match self.hub.quotas.cache.get(key).filter(|quota| !quota.metadata.is_deleting()) {
            Some(quota) => self.reconcile_quota(&quota, &works).await.into(),
            None => self.remove(works.iter(), Cause::TemplateDeleted).await.into(),
        }
    }
}

impl QuotaController {
    async fn reconcile_quota(
        &self,
        quota: &FederatedResourceQuota,
        works: &[Arc<Work>],
    ) -> Result<(), BoxError> {
        match self.sync_works(quota, works).await {
            Ok(0) => {}
            Ok(_) => {
                let message =
                    format!("Sync works for FederatedResourceQuota({}) succeed.", quota.metadata.key());
                self.hub.events.success(Regarding::kind(quota), "SyncWorkSucceed", message);
            }
            Err(error) => {
                let (about, message) = (Regarding::kind(quota), error.to_string());
                self.hub.events.record(about, Severity::Warning, "SyncWorkFailed", message);
                return Err(error);
            }
        }
        Ok(self.write_status(quota, works).await?)
    }

    /// Creates, changes and deletes Works until each assigned cluster has its own. Returns the number of writes.
    async fn sync_works(
        &self,
        quota: &FederatedResourceQuota,
        works: &[Arc<Work>],
    ) -> Result<usize, BoxError> {
        let mut failures = Failures::default();
        let mut written = 0;
        let assigned: BTreeSet<&str> =
            quota.spec.static_assignments.iter().map(|one| one.cluster_name.as_str()).collect();
        for cluster in &assigned {
            // A cluster that joins later is assigned then.
            let joined = self.hub.clusters.get(&ObjectKey::cluster(*cluster));
            if joined.is_none_or(|joined| joined.metadata.is_deleting()) {
                continue;
            }
            match self.sync_work(quota, cluster).await {
                Ok(has_written) => written += usize::from(has_written),
                Err(error) => failures.push(error),
            }
        }
        let is_orphan = |work: &&Arc<Work>| {
            let cluster = names::cluster_of_execution_namespace(&work.metadata.namespace);
            cluster.is_none_or(|cluster| !assigned.contains(cluster))
        };
        if let Err(error) = self.remove(works.iter().filter(is_orphan), Cause::Withdrawn).await {
            failures.push(error);
        }
        failures.into_result().map(|()| written)
    }

    /// True if the Work was written.
    async fn sync_work(&self, quota: &FederatedResourceQuota, cluster: &str) -> Result<bool, ClientError> {
        let new_id = uuid::Uuid::new_v4().to_string();
        let Some(wanted) = quota::work(quota, cluster, &new_id) else { return Ok(false) };
        let api = self.hub.client.kind::<Work>();
        let Some(old) = self.hub.works.get(&wanted.metadata.key()) else {
            self.hub.work_written(api.create(&wanted).await?);
            return Ok(true);
        };
        let id = old.metadata.label(labels::work::PERMANENT_ID).unwrap_or(&new_id);
        let Some(wanted) = quota::work(quota, cluster, id) else { return Ok(false) };
        if old.metadata.is_deleting() || is_current(&old, &wanted) {
            return Ok(false);
        }
        let mut changed = Work::clone(&old);
        changed.metadata.labels.extend(wanted.metadata.labels);
        changed.spec = wanted.spec;
        self.hub.work_written(api.replace(&changed).await?);
        Ok(true)
    }

    /// Deletes Works; `execution` deletes the ResourceQuota in the member first.
    async fn remove(&self, works: impl Iterator<Item = &Arc<Work>>, cause: Cause) -> Result<(), ClientError> {
        for work in works.filter(|work| !work.metadata.is_deleting()) {
            remove(&self.hub, work, cause).await?;
        }
        Ok(())
    }

    async fn write_status(
        &self,
        quota: &FederatedResourceQuota,
        works: &[Arc<Work>],
    ) -> Result<(), ClientError> {
        let mut status = quota.status.clone();
        status.overall.clone_from(&quota.spec.overall);
        status.overall_used = self.hub.quotas.used(&quota.metadata.namespace, &quota.spec.overall);
        status.aggregated_status = quota::aggregated_status(works.iter().map(AsRef::as_ref));
        if status == quota.status {
            return Ok(());
        }
        let patch = Patch::Merge(json!({
            "metadata": { "resourceVersion": quota.metadata.resource_version },
            "status": difference(&json!(quota.status), &json!(status)),
        }));
        let key = quota.metadata.key();
        let api = self.hub.client.kind::<FederatedResourceQuota>();
        if ignore_missing(api.patch_status(&key, &patch).await)?.is_none() {
            return Ok(());
        }
        let message = format!("Collect status of FederatedResourceQuota({key}) succeed.");
        let about = || Regarding::kind(quota);
        if status.aggregated_status != quota.status.aggregated_status {
            let reason = "AggregateStatusSucceed";
            self.hub.events.success(about(), reason, message.clone());
        }
        if status.overall_used != quota.status.overall_used || status.overall != quota.status.overall {
            let reason = "CollectOverallStatusSucceed";
            self.hub.events.success(about(), reason, message);
        }
        Ok(())
    }
}
