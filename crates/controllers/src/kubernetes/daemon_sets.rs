//! Runs `plan::kubernetes::daemon_set` over the DaemonSets of a cluster.

use std::sync::Arc;
use std::time::Duration;

use portolan_api::resources;
use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubernetes::daemon_set::{DaemonSetAction, plan};
use portolan_runtime::cache::Caches;
use portolan_runtime::client::Delete;
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{
    Api, Cache, ClientError, EventRecorder, Outcome, Queue, Reconciler, Resource, driver,
};

use super::controller::controller_of_kind;
use super::expectations::{CREATION_TIMEOUT, Expectations};
use super::slow_start::slow_start;
use super::{WORKERS, claims, revisions};
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
    revisions: Cache<Object>,
    revisions_api: Api<Object>,
    expectations: Arc<Expectations>,
    events: EventRecorder,
}

pub(super) fn start(
    caches: &Caches,
    pods: &Cache<Object>,
    revisions: &Cache<Object>,
    clock: &Clock,
    scope: &Shutdown,
) {
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
    claims::observe(revisions, &sets, "DaemonSet", &queue);
    claims::observe_orphans(pods, &sets, &queue);
    expectations.observe(pods, &queue, |pod| controller_of_kind(pod, "DaemonSet"));
    let controller = DaemonSets {
        api: client.resource(&resource),
        pods_api: client.resource(pods.resource()),
        sets,
        pods: pods.clone(),
        nodes,
        revisions: revisions.clone(),
        revisions_api: client.resource(revisions.resource()),
        expectations,
        events: EventRecorder::new(client, "daemonset-controller", clock.clone(), scope),
    };
    driver::run(Arc::new(controller), &queue, WORKERS, scope);
}

impl Reconciler for DaemonSets {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !(self.sets.synced().await && self.pods.synced().await) {
            return Outcome::Done;
        }
        if !(self.nodes.synced().await && self.revisions.synced().await) {
            return Outcome::Done;
        }
        let Some(set) = self.sets.get(key) else {
            self.expectations.forget(key);
            return Outcome::Done;
        };
        if self.expectations.must_wait(key, &self.pods) {
            return Outcome::RequeueAfter(CREATION_TIMEOUT);
        }
        let (pods, revisions) = match self.owned(&set).await {
            Ok(Some(owned)) => owned,
            Ok(None) => return Outcome::Done,
            Err(error) => return Outcome::retry(error),
        };
        let nodes = self.nodes.list();
        let pods: Vec<&Object> = pods.iter().map(|pod| &**pod).collect();
        let nodes: Vec<&Object> = nodes.iter().map(|node| &**node).collect();
        let revisions: Vec<&Object> = revisions.iter().map(|revision| &**revision).collect();
        let is_creation = |action: &DaemonSetAction| matches!(action, DaemonSetAction::Create(_));
        let (creations, others): (Vec<_>, Vec<_>) =
            plan(&set, &nodes, &pods, &revisions).into_iter().partition(is_creation);
        let mut failures = slow_start(creations.into_iter().map(|action| self.take(&set, action))).await;
        failures.append(Failures::of_all(others.into_iter().map(|action| self.take(&set, action))).await);
        failures.into_result().into()
    }
}

/// Pods and ControllerRevisions of a set.
type Owned = (Vec<Arc<Object>>, Vec<Arc<Object>>);

impl DaemonSets {
    /// What the set has; `None` if owners were changed, which leads to another pass.
    async fn owned(&self, set: &Object) -> Result<Option<Owned>, ClientError> {
        let pods = claims::owned(set, &self.api, &self.pods, &self.pods_api).await?;
        let revisions = claims::owned(set, &self.api, &self.revisions, &self.revisions_api).await?;
        Ok(pods.zip(revisions))
    }

    async fn take(&self, set: &Object, action: DaemonSetAction) -> Result<(), ClientError> {
        let key = set.key();
        match action {
            DaemonSetAction::Create(pod) => {
                let created = self.pods_api.create(&pod).await?;
                self.expectations.created(&key, &created, &self.pods);
                self.note(set, "SuccessfulCreate", format!("Created pod: {}", created.name()));
            }
            DaemonSetAction::Delete(pod) => {
                ignore_missing(self.pods_api.delete(&pod, &Delete::background()).await).map(drop)?;
                self.note(set, "SuccessfulDelete", format!("Deleted pod: {}", pod.name));
            }
            DaemonSetAction::Revision(step) => revisions::write(&self.revisions_api, step).await?,
            DaemonSetAction::Status(status) => {
                ignore_missing(self.api.patch_status(&key, &status_patch(set, &status)).await).map(drop)?;
            }
        }
        Ok(())
    }

    fn note(&self, set: &Object, reason: &str, message: String) {
        self.events.record(Regarding::object(set), Severity::Normal, reason, message);
    }
}
