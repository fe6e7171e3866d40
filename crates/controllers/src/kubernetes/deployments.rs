//! Runs `plan::kubernetes::deployment` over the Deployments of a cluster.

use std::sync::Arc;
use std::time::Duration;

use portolan_api::resources;
use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubernetes::deployment::{DeploymentAction, REVISION, after_collision, is_same_set, plan};
use portolan_plan::kubernetes::pods;
use portolan_runtime::client::{Delete, Patch};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{
    Api, Cache, Client, ClientError, EventRecorder, Outcome, Queue, Reconciler, Resource, driver,
};
use serde_json::{Value, json};

use super::controller::controller_of_kind;
use super::{WORKERS, claims};
use crate::merge::difference;
use crate::missing::ignore_missing;

const KIND: &str = "Deployment";

struct Deployments {
    api: Api<Object>,
    sets_api: Api<Object>,
    deployments: Cache<Object>,
    sets: Cache<Object>,
    pods: Cache<Object>,
    events: EventRecorder,
    clock: Clock,
}

pub(super) fn start(
    client: &Client,
    sets: &Cache<Object>,
    pods: &Cache<Object>,
    clock: &Clock,
    scope: &Shutdown,
) {
    let resource = Resource::from(resources::DEPLOYMENT);
    let deployments = Cache::of_objects(client, resource.clone()).start(scope);
    let queue = Queue::new("deployments");
    let adder = queue.clone();
    deployments.observe(move |change| adder.add(change.key.clone()));
    claims::observe(sets, &deployments, KIND, &queue);
    let (adder, owners) = (queue.clone(), sets.clone());
    pods.observe(move |change| {
        // A strategy may wait until the last pod of an old template is gone.
        let gone = change.old.as_ref().filter(|_| change.new.is_none());
        let set = gone.and_then(|pod| controller_of_kind(pod, "ReplicaSet"));
        let set = set.and_then(|set| owners.get(&set));
        set.and_then(|set| controller_of_kind(&set, KIND)).into_iter().for_each(|owner| adder.add(owner));
    });
    let controller = Deployments {
        api: client.resource(&resource),
        sets_api: client.resource(sets.resource()),
        deployments,
        sets: sets.clone(),
        pods: pods.clone(),
        events: EventRecorder::new(client, "deployment-controller", clock.clone(), scope),
        clock: clock.clone(),
    };
    driver::run(Arc::new(controller), &queue, WORKERS, scope);
}

impl Reconciler for Deployments {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !(self.deployments.synced().await && self.sets.synced().await && self.pods.synced().await) {
            return Outcome::Done;
        }
        let Some(deployment) = self.deployments.get(key) else { return Outcome::Done };
        let sets = match claims::owned(&deployment, &self.api, &self.sets, &self.sets_api).await {
            Ok(Some(sets)) => sets,
            Ok(None) => return Outcome::Done,
            Err(error) => return Outcome::retry(error),
        };
        let sets: Vec<&Object> = sets.iter().map(|set| &**set).collect();
        let now = self.clock.now();
        let planned = plan(&deployment, &sets, self.has_old_pods(&deployment, &sets), now);
        for action in planned.actions {
            if let Err(error) = self.take(&deployment, action).await {
                return Outcome::retry(error);
            }
        }
        planned.next.map_or(Outcome::Done, |next| {
            Outcome::RequeueAfter(Duration::try_from(next.duration_since(now)).unwrap_or_default())
        })
    }
}

impl Deployments {
    /// Whether pods of other templates exist that have not finished.
    fn has_old_pods(&self, deployment: &Object, sets: &[&Object]) -> bool {
        let old = sets.iter().filter(|set| !is_same_set(deployment, deployment, set));
        let mut pods = old.flat_map(|set| self.pods.by_index(claims::BY_CONTROLLER, set.uid()));
        pods.any(|pod| !pods::status(&pod).is_finished())
    }

    async fn take(&self, deployment: &Object, action: DeploymentAction) -> Result<(), ClientError> {
        match action {
            DeploymentAction::Create(set) => self.create(deployment, &set).await?,
            DeploymentAction::Update { set, patch, size } => {
                self.seen(self.sets_api.patch(&set, &Patch::Merge(patch)).await?);
                if let Some(size) = size {
                    self.note_size(deployment, &set.name, size);
                }
            }
            DeploymentAction::Delete(set) => {
                ignore_missing(self.sets_api.delete(&set, &Delete::background()).await).map(drop)?
            }
            DeploymentAction::Status { status, revision } => {
                self.write_status(deployment, &status, revision.as_deref()).await?
            }
        }
        Ok(())
    }

    async fn create(&self, deployment: &Object, set: &Object) -> Result<(), ClientError> {
        match self.sets_api.create(set).await {
            Ok(created) => {
                let size = created.at(&["spec", "replicas"]).and_then(Value::as_i64).unwrap_or_default();
                if size > 0 {
                    self.note_size(deployment, created.name(), (0, size));
                }
                self.seen(created);
                Ok(())
            }
            Err(ClientError::AlreadyExists(status)) => {
                let found = ignore_missing(self.sets_api.get(&set.key()).await)?;
                if found.is_some_and(|found| is_same_set(deployment, set, &found)) {
                    return Ok(());
                }
                self.write_status(deployment, &after_collision(deployment), None).await?;
                Err(ClientError::AlreadyExists(status))
            }
            Err(error) => {
                let message = format!("Failed to create new replica set {:?}: {error}", set.name());
                self.events.record(
                    Regarding::object(deployment),
                    Severity::Warning,
                    "ReplicaSetCreateError",
                    message,
                );
                Err(error)
            }
        }
    }

    /// Shows the next pass what this one wrote, so that it does not write and tell it again.
    fn seen(&self, set: Object) {
        let version = set.resource_version().to_owned();
        self.sets.written(set.key(), &version, set);
    }

    fn note_size(&self, deployment: &Object, set: &str, (from, to): (i64, i64)) {
        let direction = if to > from { "up" } else { "down" };
        let message = format!("Scaled {direction} replica set {set} from {from} to {to}");
        self.events.record(Regarding::object(deployment), Severity::Normal, "ScalingReplicaSet", message);
    }

    /// Writes the status and the revision, which is an annotation: a write of the status does not change the generation.
    async fn write_status(
        &self,
        deployment: &Object,
        status: &Value,
        revision: Option<&str>,
    ) -> Result<(), ClientError> {
        let present = deployment.0.get("status").unwrap_or(&Value::Null);
        let mut patch = json!({ "status": difference(present, status) });
        if let Some(revision) = revision {
            patch["metadata"] = json!({ "annotations": { REVISION: revision } });
        }
        let written = ignore_missing(self.api.patch_status(&deployment.key(), &Patch::Merge(patch)).await)?;
        if let Some(written) = written {
            let version = written.resource_version().to_owned();
            self.deployments.written(written.key(), &version, written);
        }
        Ok(())
    }
}
