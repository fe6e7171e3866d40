//! Reads a KubeFed host. Nothing is written to it.

use anyhow::{Context, Result};
use portolan_api::kubefed::{
    CONFIG_NAME, Domain, FederatedTypeConfig, IngressDNSRecord, KubeFedCluster, KubeFedConfig,
    ReplicaSchedulingPreference, SYSTEM_NAMESPACE, ServiceDNSRecord, is_federated,
};
use portolan_api::{Kind, resources};
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use portolan_plan::kubefed::take_over::{Host, runs_kubefed};
use portolan_runtime::Client;
use portolan_runtime::client::{Discovery, Selection};
use serde::de::DeserializeOwned;

/// The Deployment of KubeFed's controllers, if they run.
pub(super) async fn running_controllers(host: &Client) -> Result<Option<ObjectKey>> {
    let deployments = host.resource::<Object>(&resources::DEPLOYMENT.into());
    let listed = deployments.list(&Selection::namespace(SYSTEM_NAMESPACE)).await;
    let listed =
        listed.with_context(|| format!("cannot list the Deployments in {SYSTEM_NAMESPACE} of the host"))?;
    let found = listed.items.into_iter().map(|seen| seen.object).find(runs_kubefed);
    Ok(found.map(|deployment| deployment.key()))
}

/// Everything that a take-over is about.
pub(super) async fn read(host: &Client) -> Result<Host> {
    let discovery = host.discover().await.context("cannot read the kinds of the host")?;
    let source = Source { host, discovery };
    let mut read = Host {
        type_configs: source.typed::<FederatedTypeConfig>().await?,
        clusters: source.typed::<KubeFedCluster>().await?,
        ..Host::default()
    };
    read.type_configs.retain(|config| config.metadata.namespace == SYSTEM_NAMESPACE);
    read.clusters.retain(|cluster| cluster.metadata.namespace == SYSTEM_NAMESPACE);
    let configs = source.typed::<KubeFedConfig>().await?;
    let counts = |config: &KubeFedConfig| {
        config.metadata.namespace == SYSTEM_NAMESPACE && config.metadata.name == CONFIG_NAME
    };
    read.config = configs.into_iter().find(counts);
    for found in &source.discovery.resources {
        if is_federated(&found.resource.gvk) && found.preferred && found.allows(&["list"]) {
            read.federated.extend(source.objects(&found.resource.gvk, &Selection::all()).await?);
        }
    }
    for kind in
        [ReplicaSchedulingPreference::gvk(), Domain::gvk(), ServiceDNSRecord::gvk(), IngressDNSRecord::gvk()]
    {
        read.others.extend(source.objects(&kind, &Selection::all()).await?);
    }
    read.namespaces = source.objects(&resources::NAMESPACE.gvk(), &Selection::all()).await?;
    let system = Selection::namespace(SYSTEM_NAMESPACE);
    read.secrets = source.objects(&resources::SECRET.gvk(), &system).await?;
    read.definitions =
        source.objects(&resources::CUSTOM_RESOURCE_DEFINITION.gvk(), &Selection::all()).await?;
    Ok(read)
}

struct Source<'a> {
    host: &'a Client,
    discovery: Discovery,
}

impl Source<'_> {
    /// The objects of a kind; none if the host does not serve it.
    async fn objects(&self, kind: &GroupVersionKind, selection: &Selection) -> Result<Vec<Object>> {
        let Some(found) = self.discovery.find(&kind.group, &kind.kind) else { return Ok(Vec::new()) };
        let listed = self.host.resource::<Object>(&found.resource).list(selection).await;
        let listed =
            listed.with_context(|| format!("cannot list the {} of the host", found.resource.plural))?;
        Ok(listed.items.into_iter().map(|seen| seen.object).collect())
    }

    async fn typed<T: Kind + DeserializeOwned>(&self) -> Result<Vec<T>> {
        let objects = self.objects(&T::gvk(), &Selection::all()).await?;
        let typed = |object: Object| {
            object.to_typed().with_context(|| format!("cannot read {} {}", object.kind(), object.key()))
        };
        objects.into_iter().map(typed).collect()
    }
}
