//! Runs `plan::kubernetes::deployment` over the Deployments of a cluster.

use std::sync::Arc;

use portolan_api::resources;
use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubernetes::deployment::{DeploymentAction, plan};
use portolan_runtime::client::{Delete, Patch};
use portolan_runtime::{Api, Cache, Client, ClientError, Outcome, Queue, Reconciler, Resource, driver};
use serde_json::json;

use super::WORKERS;
use super::controller::controller_of_kind;
use crate::merge::status_patch;
use crate::missing::ignore_missing;

struct Deployments {
    api: Api<Object>,
    sets_api: Api<Object>,
    deployments: Cache<Object>,
    sets: Cache<Object>,
    clock: Clock,
}

pub(super) fn start(client: &Client, sets: &Cache<Object>, clock: &Clock, scope: &Shutdown) {
    let resource = Resource::from(resources::DEPLOYMENT);
    let deployments = Cache::of_objects(client, resource.clone()).start(scope);
    let queue = Queue::new("deployments");
    let adder = queue.clone();
    deployments.observe(move |change| adder.add(change.key.clone()));
    let adder = queue.clone();
    sets.observe(move |change| {
        let owners =
            change.old.iter().chain(&change.new).filter_map(|set| controller_of_kind(set, "Deployment"));
        owners.for_each(|owner| adder.add(owner));
    });
    let controller = Deployments {
        api: client.resource(&resource),
        sets_api: client.resource(sets.resource()),
        deployments,
        sets: sets.clone(),
        clock: clock.clone(),
    };
    driver::run(Arc::new(controller), &queue, WORKERS, scope);
}

impl Reconciler for Deployments {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !(self.deployments.synced().await && self.sets.synced().await) {
            return Outcome::Done;
        }
        let Some(deployment) = self.deployments.get(key) else { return Outcome::Done };
        let sets = self.sets.by_index("controller", deployment.uid());
        let sets: Vec<&Object> = sets.iter().map(|set| &**set).collect();
        let now = crate::time::rfc3339(&self.clock);
        for action in plan(&deployment, &sets, &now) {
            if let Err(error) = self.take(&deployment, action).await {
                return Outcome::retry(error);
            }
        }
        Outcome::Done
    }
}

impl Deployments {
    async fn take(&self, deployment: &Object, action: DeploymentAction) -> Result<(), ClientError> {
        let key = deployment.key();
        match action {
            DeploymentAction::Create(set) => {
                // Its name follows from the template: creating it twice fails and changes nothing.
                self.sets_api.create(&set).await?;
            }
            DeploymentAction::Scale(set, replicas) => {
                self.sets_api.patch(&set, &Patch::Merge(json!({ "spec": { "replicas": replicas } }))).await?;
            }
            DeploymentAction::Delete(set) => {
                ignore_missing(self.sets_api.delete(&set, &Delete::background()).await).map(drop)?
            }
            DeploymentAction::Revision(revision) => {
                let annotations = json!({ "deployment.kubernetes.io/revision": revision.to_string() });
                let patch = Patch::Merge(json!({ "metadata": { "annotations": annotations } }));
                self.api.patch(&key, &patch).await?;
            }
            DeploymentAction::Status(status) => {
                self.api.patch_status(&key, &status_patch(deployment, &status)).await?;
            }
        }
        Ok(())
    }
}
