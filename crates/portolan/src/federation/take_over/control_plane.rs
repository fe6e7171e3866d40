//! The control plane that takes a KubeFed host over: creates objects and waits for what follows.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use portolan_api::Kind;
use portolan_api::kubefed::{FederatedStatus, FederatedTypeConfig, KubeFedCluster, SYSTEM_NAMESPACE};
use portolan_api::meta::ConditionStatus;
use portolan_object::{Object, ObjectKey};
use portolan_runtime::client::{Discovery, Patch};
use portolan_runtime::{Client, ClientError, Resource};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::manifests::describe;

const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// Time for the kind of a new definition to be served.
const SERVED_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) struct ControlPlane {
    hub: Client,
    discovery: Discovery,
}

impl ControlPlane {
    pub(super) async fn read(hub: Client) -> Result<Self> {
        let discovery = hub.discover().await.context("cannot read the kinds of the control plane")?;
        Ok(Self { hub, discovery })
    }

    /// Creates objects; what exists stays, except the switches of a FederatedTypeConfig.
    pub(super) async fn create(&mut self, objects: &[Object]) -> Result<()> {
        for object in objects {
            let resource = self.resource(object).await?;
            let name = describe(object);
            match self.hub.resource::<Object>(&resource).create(object).await {
                Ok(_) => anstream::println!("{name} created"),
                Err(ClientError::AlreadyExists(_)) if resource.gvk == FederatedTypeConfig::gvk() => {
                    self.switch(object).await.with_context(|| format!("cannot change {name}"))?;
                }
                Err(ClientError::AlreadyExists(_)) => {
                    anstream::println!("{name} exists already and stays as it is");
                }
                Err(error) => return Err(error).with_context(|| format!("cannot create {name}")),
            }
        }
        Ok(())
    }

    async fn switch(&self, config: &Object) -> Result<()> {
        let patch = json!({ "spec": { "propagation": config.at(&["spec", "propagation"]),
            "statusCollection": config.at(&["spec", "statusCollection"]),
            "statusType": config.at(&["spec", "statusType"]) } });
        let api = self.hub.kind::<FederatedTypeConfig>();
        api.patch(&config.key(), &Patch::Merge(patch)).await?;
        anstream::println!("{} configured", describe(config));
        Ok(())
    }

    /// The resource of an object. A new kind is served a moment after its definition is created.
    async fn resource(&mut self, object: &Object) -> Result<Resource> {
        let kind = object.group_version_kind();
        let deadline = Instant::now() + SERVED_TIMEOUT;
        loop {
            if let Some(found) = self.discovery.find(&kind.group, &kind.kind) {
                return Ok(found.resource.clone());
            }
            if Instant::now() > deadline {
                bail!("the control plane does not serve {kind}: is it a Portolan of this version?");
            }
            sleep(POLL_INTERVAL).await;
            self.discovery =
                self.hub.discover().await.context("cannot read the kinds of the control plane")?;
        }
    }

    /// Waits until every cluster is ready. Returns what is wrong with those that are not.
    pub(super) async fn when_ready(&self, clusters: &[Object], timeout: Duration) -> Result<Vec<String>> {
        let deadline = Instant::now() + timeout;
        loop {
            let mut open = Vec::new();
            for cluster in clusters {
                let key = ObjectKey::namespaced(SYSTEM_NAMESPACE, cluster.name());
                let found = self.hub.kind::<KubeFedCluster>().get(&key).await;
                let found = found.with_context(|| format!("cannot read KubeFedCluster {key}"))?;
                let conditions = &found.status.conditions;
                if !conditions.iter().any(|one| one.kind == "Ready" && one.status == ConditionStatus::True) {
                    let message =
                        conditions.first().map_or("it has not answered yet", |one| one.message.as_str());
                    open.push(format!("cluster {}: {message}", key.name));
                }
            }
            if open.is_empty() || Instant::now() > deadline {
                return Ok(open);
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Waits until every federated object is in its clusters. Returns what is wrong with those that are not.
    pub(super) async fn when_propagated(
        &mut self,
        objects: &[Object],
        timeout: Duration,
    ) -> Result<Vec<String>> {
        let deadline = Instant::now() + timeout;
        let mut waiting: Vec<&Object> = objects.iter().collect();
        loop {
            let mut open = Vec::new();
            let mut still = Vec::new();
            for object in waiting {
                let resource = self.resource(object).await?;
                let api = self.hub.resource::<Object>(&resource);
                let found = api.get(&object.key()).await;
                let found = found.with_context(|| format!("cannot read {}", describe(object)))?;
                if let Some(problem) = FederatedStatus::problem(&found) {
                    open.push(format!("{}: {problem}", describe(object)));
                    still.push(object);
                }
            }
            if open.is_empty() || Instant::now() > deadline {
                return Ok(open);
            }
            waiting = still;
            sleep(POLL_INTERVAL).await;
        }
    }
}
