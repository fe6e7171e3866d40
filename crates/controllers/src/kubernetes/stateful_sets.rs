//! Runs `plan::kubernetes::stateful_set` over the StatefulSets of a cluster.
//!
//! The names of pods and revisions follow from the set, so that a second creation fails and changes nothing. Unlike the
//! controller of ReplicaSets it need not wait for its own creations. Never changes a pod of another owner.

use std::sync::Arc;
use std::time::Duration;

use portolan_api::resources;
use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubernetes::pods::is_controlled_by;
use portolan_plan::kubernetes::stateful_set::{StatefulSetAction, plan};
use portolan_runtime::client::{Delete, Patch};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{
    Api, Cache, Client, ClientError, EventRecorder, Outcome, Queue, Reconciler, Resource, driver,
};
use serde_json::json;

use super::WORKERS;
use super::controller::controller_of_kind;
use crate::merge::status_patch;

const COMPONENT: &str = "statefulset-controller";
/// Interval at which a name conflict with a pod of another owner is checked.
const FOREIGN_RECHECK: Duration = Duration::from_secs(10);

struct StatefulSets {
    api: Api<Object>,
    pods_api: Api<Object>,
    revisions_api: Api<Object>,
    sets: Cache<Object>,
    pods: Cache<Object>,
    revisions: Cache<Object>,
    events: EventRecorder,
    clock: Clock,
}

/// A change was not made.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("pod {pod} exists and does not belong to the set: delete or rename it")]
    Foreign { pod: ObjectKey },
}

pub(super) fn start(client: &Client, pods: &Cache<Object>, clock: &Clock, scope: &Shutdown) {
    let resource = Resource::from(resources::STATEFUL_SET);
    let sets = Cache::of_objects(client, resource.clone()).start(scope);
    let revision_resource = Resource::from(resources::CONTROLLER_REVISION);
    let revisions = Cache::of_objects(client, revision_resource.clone())
        .index("controller", |_, revision| super::controller_uid(revision))
        .start(scope);
    let queue = Queue::new("stateful sets");
    let adder = queue.clone();
    sets.observe(move |change| adder.add(change.key.clone()));
    for owned in [pods, &revisions] {
        let adder = queue.clone();
        owned.observe(move |change| {
            let owners = change
                .old
                .iter()
                .chain(&change.new)
                .filter_map(|object| controller_of_kind(object, "StatefulSet"));
            owners.for_each(|owner| adder.add(owner));
        });
    }
    let controller = StatefulSets {
        api: client.resource(&resource),
        pods_api: client.resource(pods.resource()),
        revisions_api: client.resource(&revision_resource),
        sets,
        pods: pods.clone(),
        revisions,
        events: EventRecorder::new(client, COMPONENT, clock.clone(), scope),
        clock: clock.clone(),
    };
    driver::run(Arc::new(controller), &queue, WORKERS, scope);
}

impl Reconciler for StatefulSets {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !(self.sets.synced().await && self.pods.synced().await && self.revisions.synced().await) {
            return Outcome::Done;
        }
        let Some(set) = self.sets.get(key) else { return Outcome::Done };
        let pods = self.pods.by_index("controller", set.uid());
        let revisions = self.revisions.by_index("controller", set.uid());
        let pods: Vec<&Object> = pods.iter().map(|pod| &**pod).collect();
        let revisions: Vec<&Object> = revisions.iter().map(|revision| &**revision).collect();
        let now = crate::time::rfc3339(&self.clock);
        for action in plan(&set, &pods, &revisions, &now) {
            match self.take(&set, action).await {
                Ok(()) => {}
                Err(StepError::Client(error)) => return Outcome::retry(error),
                Err(error @ StepError::Foreign { .. }) => {
                    self.warn(&set, "FailedCreate", error.to_string());
                    return Outcome::RequeueAfter(FOREIGN_RECHECK);
                }
            }
        }
        Outcome::Done
    }
}

impl StatefulSets {
    async fn take(&self, set: &Object, action: StatefulSetAction) -> Result<(), StepError> {
        match action {
            StatefulSetAction::CreateRevision(revision) => match self.revisions_api.create(&revision).await {
                // Made by the pass before, which this cache does not show yet.
                Err(ClientError::AlreadyExists(_)) => {}
                result => drop(result?),
            },
            StatefulSetAction::RenumberRevision(key, number) => {
                self.revisions_api.patch(&key, &Patch::Merge(json!({ "revision": number }))).await?;
            }
            StatefulSetAction::DeleteRevision(key) => {
                gone(self.revisions_api.delete(&key, &Delete::background()).await)?
            }
            StatefulSetAction::Create(pod) => self.create(set, &pod).await?,
            StatefulSetAction::Delete(key, uid) => {
                gone(self.pods_api.delete(&key, &Delete::background().uid(uid)).await)?;
                self.note(set, "SuccessfulDelete", format!("delete Pod {} successful", key.name));
            }
            StatefulSetAction::Refuse(message) => self.warn(set, "VolumesNotProvided", message),
            StatefulSetAction::Status(status) => {
                self.api.patch_status(&set.key(), &status_patch(set, &status)).await?;
            }
        }
        Ok(())
    }

    async fn create(&self, set: &Object, pod: &Object) -> Result<(), StepError> {
        match self.pods_api.create(pod).await {
            Ok(_) => self.note(set, "SuccessfulCreate", format!("create Pod {} successful", pod.name())),
            Err(ClientError::AlreadyExists(_)) => {
                let present = self.pods_api.get(&pod.key()).await?;
                if !is_controlled_by(&present, set) {
                    return Err(StepError::Foreign { pod: pod.key() });
                }
            }
            Err(error) => {
                if let ClientError::Invalid(_) | ClientError::Forbidden(_) = &error {
                    let reason = format!("create Pod {} failed: {error}", pod.name());
                    self.warn(set, "FailedCreate", reason);
                }
                return Err(error.into());
            }
        }
        Ok(())
    }

    fn note(&self, set: &Object, reason: &str, message: String) {
        self.events.record(Regarding::object(set), Severity::Normal, reason, message);
    }

    fn warn(&self, set: &Object, reason: &str, message: String) {
        self.events.record(Regarding::object(set), Severity::Warning, reason, message);
    }
}

/// What is gone, or has been replaced by another object of its name, need not be deleted.
fn gone(result: Result<(), ClientError>) -> Result<(), ClientError> {
    match result {
        Err(ClientError::NotFound(_) | ClientError::Conflict(_)) => Ok(()),
        result => result,
    }
}
