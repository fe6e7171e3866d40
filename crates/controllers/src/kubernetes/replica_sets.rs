//! Runs `plan::kubernetes::replica_set` over the ReplicaSets of a cluster.

use std::sync::Arc;

use portolan_net::Shutdown;
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubernetes::replica_set::{ReplicaSetAction, plan};
use portolan_runtime::client::Delete;
use portolan_runtime::{Api, Cache, Client, ClientError, Outcome, Queue, Reconciler, driver};

use super::WORKERS;
use super::controller::controller_of_kind;
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
}

pub(super) fn start(client: &Client, sets: &Cache<Object>, pods: &Cache<Object>, scope: &Shutdown) {
    let queue = Queue::new("replica sets");
    let expectations = Arc::new(Expectations::default());
    let adder = queue.clone();
    sets.observe(move |change| adder.add(change.key.clone()));
    expectations.observe(pods, &queue, |pod| controller_of_kind(pod, "ReplicaSet"));
    let controller = ReplicaSets {
        api: client.resource(sets.resource()),
        pods_api: client.resource(pods.resource()),
        sets: sets.clone(),
        pods: pods.clone(),
        expectations,
    };
    driver::run(Arc::new(controller), &queue, WORKERS, scope);
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
        if self.expectations.must_wait(key, &self.pods) {
            return Outcome::RequeueAfter(CREATION_TIMEOUT);
        }
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
