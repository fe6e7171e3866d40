//! Runs `plan::kubernetes::resource_quota` over the ResourceQuotas of a cluster.

use std::sync::Arc;
use std::time::Duration;

use portolan_api::resources;
use portolan_net::Shutdown;
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubernetes::resource_quota::status;
use portolan_runtime::cache::Caches;
use portolan_runtime::{Api, Cache, ClientError, Outcome, Queue, Reconciler, driver};

use crate::merge::status_patch;
use crate::missing::ignore_missing;

const WORKERS: usize = 2;
/// Time for which changes of pods are batched.
const BATCH: Duration = Duration::from_millis(100);

struct ResourceQuotas {
    api: Api<Object>,
    quotas: Cache<Object>,
    pods: Cache<Object>,
}

pub(super) fn start(caches: &Caches, pods: &Cache<Object>, scope: &Shutdown) {
    let queue = Queue::new("resource quotas");
    let quotas = caches.of(&resources::RESOURCE_QUOTA.into());
    let adder = queue.clone();
    quotas.observe(move |change| adder.add(change.key.clone()));
    let (adder, concerned) = (queue.clone(), quotas.clone());
    pods.observe(move |change| {
        for quota in concerned.list_namespace(&change.key.namespace) {
            adder.add_after(quota.key(), BATCH);
        }
    });
    let api = caches.client().resource(quotas.resource());
    let controller = ResourceQuotas { api, quotas, pods: pods.clone() };
    driver::run(Arc::new(controller), &queue, WORKERS, scope);
}

impl Reconciler for ResourceQuotas {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !self.pods.synced().await {
            return Outcome::Done;
        }
        let Some(quota) = self.quotas.get(key).filter(|quota| !quota.is_deleting()) else {
            return Outcome::Done;
        };
        self.write_status(&quota).await.into()
    }
}

impl ResourceQuotas {
    async fn write_status(&self, quota: &Object) -> Result<(), ClientError> {
        let pods = self.pods.list_namespace(quota.namespace());
        let Some(status) = status(quota, pods.iter().map(AsRef::as_ref)) else { return Ok(()) };
        if quota.0.get("status") == Some(&status) {
            return Ok(());
        }
        ignore_missing(self.api.patch_status(&quota.key(), &status_patch(quota, &status)).await).map(drop)
    }
}
