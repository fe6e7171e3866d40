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
use portolan_plan::kubernetes::stateful_set::{StatefulSetAction, is_name_of, plan};
use portolan_runtime::cache::Caches;
use portolan_runtime::client::{Delete, Patch};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{
    Api, Cache, ClientError, EventRecorder, Outcome, Queue, Reconciler, Resource, driver,
};
use serde_json::json;

use super::{WORKERS, claims, revisions};
use crate::merge::status_patch;

const COMPONENT: &str = "statefulset-controller";
/// Interval at which a name conflict with a pod of another owner is checked.
const FOREIGN_RECHECK: Duration = Duration::from_secs(10);

struct StatefulSets {
    api: Api<Object>,
    pods_api: Api<Object>,
    revisions_api: Api<Object>,
    claims_api: Api<Object>,
    sets: Cache<Object>,
    pods: Cache<Object>,
    revisions: Cache<Object>,
    claims: Cache<Object>,
    events: EventRecorder,
}

/// A change was not made.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("pod {pod} exists and does not belong to the set: delete or rename it")]
    Foreign { pod: ObjectKey },
}

pub(super) fn start(
    caches: &Caches,
    pods: &Cache<Object>,
    revisions: &Cache<Object>,
    clock: &Clock,
    scope: &Shutdown,
) {
    let client = caches.client();
    let claims = caches.of(&resources::PERSISTENT_VOLUME_CLAIM.into());
    let resource = Resource::from(resources::STATEFUL_SET);
    let sets = Cache::of_objects(client, resource.clone()).start(scope);
    let queue = Queue::new("stateful sets");
    let adder = queue.clone();
    sets.observe(move |change| adder.add(change.key.clone()));
    for owned in [pods, revisions] {
        claims::observe(owned, &sets, "StatefulSet", &queue);
    }
    let controller = StatefulSets {
        api: client.resource(&resource),
        pods_api: client.resource(pods.resource()),
        revisions_api: client.resource(revisions.resource()),
        claims_api: client.resource(claims.resource()),
        sets,
        pods: pods.clone(),
        revisions: revisions.clone(),
        claims,
        events: EventRecorder::new(client, COMPONENT, clock.clone(), scope),
    };
    driver::run(Arc::new(controller), &queue, WORKERS, scope);
}

impl Reconciler for StatefulSets {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !(self.sets.synced().await && self.pods.synced().await) {
            return Outcome::Done;
        }
        if !(self.revisions.synced().await && self.claims.synced().await) {
            return Outcome::Done;
        }
        let Some(set) = self.sets.get(key) else { return Outcome::Done };
        let (pods, revisions) = match self.owned(&set).await {
            Ok(Some(owned)) => owned,
            Ok(None) => return Outcome::Done,
            Err(error) => return Outcome::retry(error),
        };
        let pods: Vec<&Object> = pods.iter().map(|pod| &**pod).collect();
        let revisions: Vec<&Object> = revisions.iter().map(|revision| &**revision).collect();
        let claims = self.claims.list_namespace(&key.namespace);
        let claims: Vec<&Object> = claims.iter().map(|claim| &**claim).collect();
        for action in plan(&set, &pods, &revisions, &claims) {
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

/// Pods and ControllerRevisions of a set.
type Owned = (Vec<Arc<Object>>, Vec<Arc<Object>>);

impl StatefulSets {
    /// What the set has; `None` if owners were changed, which leads to another pass.
    async fn owned(&self, set: &Object) -> Result<Option<Owned>, ClientError> {
        let is_own_name = |pod: &Object| is_name_of(set, pod);
        let pods = claims::owned_with(set, &self.api, &self.pods, &self.pods_api, is_own_name).await?;
        let revisions = claims::owned(set, &self.api, &self.revisions, &self.revisions_api).await?;
        Ok(pods.zip(revisions))
    }

    async fn take(&self, set: &Object, action: StatefulSetAction) -> Result<(), StepError> {
        match action {
            StatefulSetAction::Revision(step) => revisions::write(&self.revisions_api, step).await?,
            StatefulSetAction::Claim(claim) => self.create_claim(set, &claim).await?,
            StatefulSetAction::ClaimOwners(key, uid, owners) => {
                let change = json!({ "metadata": { "uid": uid, "ownerReferences": owners } });
                gone(self.claims_api.patch(&key, &Patch::Merge(change)).await.map(drop))?;
            }
            StatefulSetAction::Create(pod) => self.create(set, &pod).await?,
            StatefulSetAction::Delete(key, uid) => {
                gone(self.pods_api.delete(&key, &Delete::background().uid(uid)).await)?;
                self.note(set, "SuccessfulDelete", format!("delete Pod {} successful", key.name));
            }
            StatefulSetAction::Status(status) => {
                self.api.patch_status(&set.key(), &status_patch(set, &status)).await?;
            }
        }
        Ok(())
    }

    async fn create_claim(&self, set: &Object, claim: &Object) -> Result<(), ClientError> {
        match self.claims_api.create(claim).await {
            Ok(_) => {
                let message =
                    format!("create Claim {} Pod in StatefulSet {} success", claim.name(), set.name());
                self.note(set, "SuccessfulCreate", message);
                Ok(())
            }
            // One of an earlier pod of the ordinal, with its volume.
            Err(ClientError::AlreadyExists(_)) => Ok(()),
            Err(error) => {
                self.warn(set, "FailedCreate", format!("create Claim {} failed: {error}", claim.name()));
                Err(error)
            }
        }
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
