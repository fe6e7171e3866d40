//! Runs `plan::kubernetes::daemon_set` over the DaemonSets of a cluster.

use std::sync::Arc;
use std::time::Duration;

use portolan_api::resources;
use portolan_net::Shutdown;
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubernetes::daemon_set::{DaemonSetAction, plan};
use portolan_runtime::cache::Caches;
use portolan_runtime::client::Delete;
use portolan_runtime::{Api, Cache, ClientError, Outcome, Queue, Reconciler, Resource, driver};

use super::WORKERS;
use super::controller::controller_of_kind;
use super::expectations::{CREATION_TIMEOUT, Expectations};
use crate::failures::Failures;
use crate::merge::status_patch;
use crate::missing::ignore_missing;

/// Time for which changes of nodes are batched.
const BATCH: Duration = Duration::from_millis(200);

struct DaemonSets {
    api: Api<Object>,
    pods_api: Api<Object>,
    sets: Cache<Object>,
    pods: Cache<Object>,
    nodes: Cache<Object>,
    expectations: Arc<Expectations>,
}

pub(super) fn start(caches: &Caches, pods: &Cache<Object>, scope: &Shutdown) {
    let client = caches.client();
    let resource = Resource::from(resources::DAEMON_SET);
    let sets = Cache::of_objects(client, resource.clone()).start(scope);
    let nodes = caches.of(&resources::NODE.into());
    let queue = Queue::new("daemon sets");
    let expectations = Arc::new(Expectations::default());
    let adder = queue.clone();
    sets.observe(move |change| adder.add(change.key.clone()));
    let (adder, all) = (queue.clone(), sets.clone());
    nodes.observe(move |change| {
        // The status of a node is written often, and does not decide where pods run.
        let decisive = |node: &Option<Arc<Object>>| {
            node.as_ref().map(|node| (node.labels(), node.at(&["spec"]).cloned()))
        };
        if decisive(&change.old) != decisive(&change.new) {
            all.list().iter().for_each(|set| adder.add_after(set.key(), BATCH));
        }
    });
    expectations.observe(pods, &queue, |pod| controller_of_kind(pod, "DaemonSet"));
    let controller = DaemonSets {
        api: client.resource(&resource),
        pods_api: client.resource(pods.resource()),
        sets,
        pods: pods.clone(),
        nodes,
        expectations,
    };
    driver::run(Arc::new(controller), &queue, WORKERS, scope);
}

impl Reconciler for DaemonSets {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !(self.sets.synced().await && self.pods.synced().await && self.nodes.synced().await) {
            return Outcome::Done;
        }
        let Some(set) = self.sets.get(key) else {
            self.expectations.forget(key);
            return Outcome::Done;
        };
        if self.expectations.must_wait(key, &self.pods) {
            return Outcome::RequeueAfter(CREATION_TIMEOUT);
        }
        let (pods, nodes) = (self.pods.by_index("controller", set.uid()), self.nodes.list());
        let pods: Vec<&Object> = pods.iter().map(|pod| &**pod).collect();
        let nodes: Vec<&Object> = nodes.iter().map(|node| &**node).collect();
        let writes = plan(&set, &nodes, &pods).into_iter().map(|action| self.take(&set, action));
        Failures::of_all(writes).await.into_result().into()
    }
}

impl DaemonSets {
    async fn take(&self, set: &Object, action: DaemonSetAction) -> Result<(), ClientError> {
        let key = set.key();
        match action {
            DaemonSetAction::Create(pod) => {
                let created = self.pods_api.create(&pod).await?;
                self.expectations.created(&key, &created, &self.pods);
            }
            DaemonSetAction::Delete(pod) => {
                ignore_missing(self.pods_api.delete(&pod, &Delete::background()).await).map(drop)?;
            }
            DaemonSetAction::Status(status) => {
                ignore_missing(self.api.patch_status(&key, &status_patch(set, &status)).await).map(drop)?;
            }
        }
        Ok(())
    }
}
