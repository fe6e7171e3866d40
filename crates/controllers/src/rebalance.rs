//! WorkloadRebalancers: writes their requests to bindings, which are then scheduled again.
//!
//! The decisions are in `portolan_plan::rebalance`. A workload without a binding has failed for good; other errors are tried
//! again.

use std::sync::Arc;

use portolan_api::apps::{ObservedWorkload, WorkloadRebalancer};
use portolan_api::work::{ClusterResourceBinding, ResourceBinding, ResourceBindingSpec};
use portolan_object::ObjectKey;
use portolan_plan::rebalance::{binding_key, is_due, observed, record, status, time_left};
use portolan_runtime::client::{BoxError, Delete, Patch};
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, ClientError, Outcome, Reconciler, driver};
use serde_json::json;

use crate::hub::Hub;
use crate::merge::difference;
use crate::missing::ignore_missing;

const WORKERS: usize = 2;

struct Rebalancers {
    hub: Hub,
    rebalancers: Cache<WorkloadRebalancer>,
}

/// Starts the controller of WorkloadRebalancers.
pub(crate) fn start(hub: &Hub) {
    let rebalancers = Cache::<WorkloadRebalancer>::of_kind(&hub.client)
        .trim(|rebalancer| rebalancer.metadata.managed_fields.clear())
        .start(&hub.scope);
    let queue = hub.client.metrics().queue("rebalancers", None);
    let (hub, scope) = (hub.clone(), hub.scope.clone());
    spawn_until_stop(&scope, async move {
        if !rebalancers.synced().await {
            return;
        }
        let changed = queue.clone();
        rebalancers.observe(move |change| changed.add(change.key.clone()));
        let scope = hub.scope.clone();
        driver::run(Arc::new(Rebalancers { hub, rebalancers }), &queue, WORKERS, &scope);
    });
}

impl Reconciler for Rebalancers {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(rebalancer) = self.rebalancers.get(key) else { return Outcome::Done };
        if rebalancer.metadata.is_deleting() {
            return Outcome::Done;
        }
        self.rebalance(key, &rebalancer).await.into()
    }
}

impl Rebalancers {
    async fn rebalance(&self, key: &ObjectKey, rebalancer: &WorkloadRebalancer) -> Result<Outcome, BoxError> {
        let mut workloads = observed(rebalancer);
        let mut failure = None;
        for workload in workloads.iter_mut().filter(|workload| workload.result.is_none()) {
            if let Err(error) = self.request(rebalancer, workload).await {
                failure = Some(error);
            }
        }
        let rebalancer = self.write_status(key, rebalancer, workloads).await?;
        if let Some(error) = failure {
            return Err(error.into());
        }
        match time_left(&rebalancer, self.hub.clock.now()) {
            None => Ok(Outcome::Done),
            Some(left) if !left.is_zero() => Ok(Outcome::RequeueAfter(left)),
            Some(_) => {
                let version = Some(rebalancer.metadata.resource_version.clone());
                let options = Delete { resource_version: version, ..Delete::default() };
                ignore_missing(self.hub.client.kind::<WorkloadRebalancer>().delete(key, &options).await)?;
                Ok(Outcome::Done)
            }
        }
    }

    /// Writes the request to the binding of a workload, and records the result.
    async fn request(
        &self,
        rebalancer: &WorkloadRebalancer,
        workload: &mut ObservedWorkload,
    ) -> Result<(), ClientError> {
        let key = binding_key(&workload.workload);
        let client = &self.hub.client;
        let spec: Option<ResourceBindingSpec> = if key.namespace.is_empty() {
            let found = ignore_missing(client.kind::<ClusterResourceBinding>().get(&key).await)?;
            found.map(|binding| binding.spec)
        } else {
            ignore_missing(client.kind::<ResourceBinding>().get(&key).await)?.map(|binding| binding.spec)
        };
        let created = rebalancer.metadata.creation_timestamp.as_deref().unwrap_or_default();
        if let Some(spec) = &spec
            && is_due(created, spec.reschedule_triggered_at.as_deref())
        {
            let patch = Patch::Merge(json!({ "spec": { "rescheduleTriggeredAt": created } }));
            if key.namespace.is_empty() {
                client.kind::<ClusterResourceBinding>().patch(&key, &patch).await?;
            } else {
                client.kind::<ResourceBinding>().patch(&key, &patch).await?;
            }
        }
        record(workload, spec.is_some());
        Ok(())
    }

    /// Writes the status if it changed. Returns the rebalancer as it is stored.
    async fn write_status(
        &self,
        key: &ObjectKey,
        rebalancer: &WorkloadRebalancer,
        workloads: Vec<ObservedWorkload>,
    ) -> Result<WorkloadRebalancer, ClientError> {
        let status = status(rebalancer, workloads, &self.hub.now());
        if status == rebalancer.status {
            return Ok(rebalancer.clone());
        }
        let version = &rebalancer.metadata.resource_version;
        let patch = json!({ "metadata": { "resourceVersion": version },
            "status": difference(&json!(rebalancer.status), &json!(status)) });
        let api = self.hub.client.kind::<WorkloadRebalancer>();
        let written = api.patch_status(key, &Patch::Merge(patch)).await?;
        let version = written.metadata.resource_version.clone();
        self.rebalancers.written(key.clone(), &version, written.clone());
        Ok(written)
    }
}
