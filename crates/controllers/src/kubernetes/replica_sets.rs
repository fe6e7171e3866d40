//! Runs `plan::kubernetes::replica_set` over the ReplicaSets of a cluster.

use std::sync::Arc;

use parking_lot::Mutex;
use portolan_api::kubernetes::controller;
use portolan_net::Shutdown;
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubernetes::replica_set::{ReplicaSetAction, plan};
use portolan_runtime::client::Delete;
use portolan_runtime::{Api, Cache, Client, ClientError, Outcome, Queue, Reconciler, driver};

use super::WORKERS;
use super::expectations::{CREATION_TIMEOUT, Expectations};
use crate::failures::Failures;
use crate::merge::status_patch;
use crate::missing::ignore_missing;

struct ReplicaSets {
    api: Api<Object>,
    pods_api: Api<Object>,
    sets: Cache<Object>,
    pods: Cache<Object>,
    expectations: Arc<Expectations>,
    /// ReplicaSets that have waited once for their creations. The second time they run with the cache as it is.
    waited: Mutex<std::collections::BTreeSet<ObjectKey>>,
}

pub(super) fn start(client: &Client, sets: &Cache<Object>, pods: &Cache<Object>, scope: &Shutdown) {
    let queue = Queue::new("replica sets");
    let expectations = Arc::new(Expectations::default());
    let adder = queue.clone();
    sets.observe(move |change| adder.add(change.key.clone()));
    let (adder, seen) = (queue.clone(), expectations.clone());
    pods.observe(move |change| {
        for pod in change.old.iter().chain(&change.new) {
            if let Some(owner) = owner(pod) {
                seen.seen(&owner, &change.key);
                adder.add(owner);
            }
        }
    });
    let controller = ReplicaSets {
        api: client.resource(sets.resource()),
        pods_api: client.resource(pods.resource()),
        sets: sets.clone(),
        pods: pods.clone(),
        expectations,
        waited: Mutex::default(),
    };
    driver::run(Arc::new(controller), &queue, WORKERS, scope);
}

/// The ReplicaSet that controls a pod.
fn owner(pod: &Object) -> Option<ObjectKey> {
    let controller = controller(pod).filter(|owner| owner.kind == "ReplicaSet")?;
    Some(ObjectKey::namespaced(pod.namespace(), controller.name))
}

impl Reconciler for ReplicaSets {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !(self.sets.synced().await && self.pods.synced().await) {
            return Outcome::Done;
        }
        let Some(set) = self.sets.get(key) else {
            self.expectations.forget(key);
            return Outcome::Done;
        };
        if self.expectations.are_pending(key, &self.pods) && self.waited.lock().insert(key.clone()) {
            return Outcome::RequeueAfter(CREATION_TIMEOUT);
        }
        self.waited.lock().remove(key);
        let pods = self.pods.by_index("controller", set.uid());
        let pods: Vec<&Object> = pods.iter().map(|pod| &**pod).collect();
        let writes = plan(&set, &pods).into_iter().map(|action| self.take(&set, action));
        Failures::of_all(writes).await.into_result().into()
    }
}

impl ReplicaSets {
    async fn take(&self, set: &Object, action: ReplicaSetAction) -> Result<(), ClientError> {
        let key = set.key();
        match action {
            ReplicaSetAction::Create(pod) => {
                let created = self.pods_api.create(&pod).await?;
                self.expectations.created(&key, &created, &self.pods);
            }
            ReplicaSetAction::Delete(pod) => {
                ignore_missing(self.pods_api.delete(&pod, &Delete::background()).await).map(drop)?
            }
            ReplicaSetAction::Status(status) => {
                self.api.patch_status(&key, &status_patch(set, &status)).await?;
            }
        }
        Ok(())
    }
}
