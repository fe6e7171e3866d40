//! The API servers that a command talks to: the control plane, and members behind it.
//!
//! A member is reached through the resource `clusters/NAME/proxy` of the control plane, as the user of the command: its
//! rights are those that this user has in the member. A control plane without that resource (kube-apiserver without
//! Karmada's aggregated API server) gives its own credential, from the Secret of the cluster, to those who may read it.

pub(crate) mod scope;

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use portolan_api::Kind as _;
use portolan_api::cluster::{Cluster, SyncMode};
use portolan_api::resources;
use portolan_object::{Object, ObjectKey, Status};
use portolan_runtime::client::Selection;
use portolan_runtime::members::{EndpointError, endpoint};
use portolan_runtime::{Client, ClientError};
use serde_json::Value;

use crate::cluster_access::ClusterAccess;
use crate::hub_access::{Hub, HubAccess, NO_CLUSTERS};
use scope::ClusterScope;

/// One API server.
#[derive(Debug)]
pub(crate) struct Server {
    /// Name of the member, or of the control plane.
    pub(crate) name: String,
    /// Whether it is a member.
    pub(crate) is_member: bool,
    /// A client of it, or the reason why it has none.
    pub(crate) client: Result<Client>,
}

/// The servers that the flags select, the control plane first.
///
/// # Errors
/// If the clusters cannot be listed, or a cluster of the flags does not exist.
pub(crate) async fn servers(hub: &Hub, scope: &ClusterScope) -> Result<Vec<Server>> {
    let mut servers = Vec::new();
    if scope.has_hub() {
        servers.push(Server { name: hub.name.clone(), is_member: false, client: Ok(hub.client.clone()) });
    }
    if scope.has_members() {
        servers.extend(members(hub, scope).await?);
    }
    Ok(servers)
}

async fn members(hub: &Hub, scope: &ClusterScope) -> Result<Vec<Server>> {
    let clusters = clusters(&hub.client, &scope.clusters).await?;
    let has_proxy = has_proxy(&hub.client).await;
    let mut servers = Vec::new();
    for cluster in clusters {
        let client = reach(&hub.client, &cluster, has_proxy).await;
        let client = client.map(|client| client.with_timeout(Duration::from_secs(scope.cluster_timeout)));
        servers.push(Server { name: cluster.metadata.name, is_member: true, client });
    }
    Ok(servers)
}

/// A client of one member.
///
/// # Errors
/// If the cluster does not exist or cannot be reached through the control plane.
pub(crate) async fn cluster(hub: &Hub, name: &str) -> Result<Client> {
    let cluster = clusters(&hub.client, &[name.to_owned()]).await?;
    let cluster = cluster.first().context("the cluster was found a moment ago")?;
    reach(&hub.client, cluster, has_proxy(&hub.client).await).await
}

/// The clusters named in `only`, or all.
async fn clusters(hub: &Client, only: &[String]) -> Result<Vec<Cluster>> {
    let clusters = match hub.kind::<Cluster>().list(&Selection::all()).await {
        Ok(clusters) => clusters,
        Err(ClientError::NotFound(_)) => {
            bail!("{} is not a control plane: {NO_CLUSTERS}", hub.server())
        }
        Err(error) => return Err(error).context("cannot list the clusters"),
    };
    let mut clusters: Vec<Cluster> = clusters.items.into_iter().map(|seen| seen.object).collect();
    for name in only {
        if !clusters.iter().any(|cluster| cluster.metadata.name == *name) {
            bail!("{}", absent(name));
        }
    }
    clusters.retain(|cluster| only.is_empty() || only.contains(&cluster.metadata.name));
    Ok(clusters)
}

/// The error for a cluster that was not found.
pub(crate) fn no_cluster(hub: &Client, name: &str, answer: &Status) -> anyhow::Error {
    // The answer for a path that is not served names no object.
    match answer.details.as_ref().is_some_and(|details| !details.name.is_empty()) {
        true => anyhow!("{}", absent(name)),
        false => anyhow!("{} is not a control plane: {NO_CLUSTERS}", hub.server()),
    }
}

fn absent(name: &str) -> String {
    format!(
        "cluster {name} does not exist: it has not joined this federation; `portolan get clusters` lists those that have"
    )
}

/// Whether the control plane serves `clusters/NAME/proxy`: the embedded API server and Karmada's aggregated one do.
async fn has_proxy(hub: &Client) -> bool {
    let path = format!("/apis/{}/{}", Cluster::GROUP, Cluster::VERSION);
    let wanted = format!("{}/proxy", Cluster::PLURAL);
    let served = hub.json::<Value>(&path).await.unwrap_or_default();
    let resources = served["resources"].as_array();
    resources.is_some_and(|resources| resources.iter().any(|resource| resource["name"] == *wanted))
}

async fn reach(hub: &Client, cluster: &Cluster, has_proxy: bool) -> Result<Client> {
    if !has_proxy {
        return member(hub, cluster).await;
    }
    let name = &cluster.metadata.name;
    let prefix = format!("/apis/{}/{}/{}/{name}/proxy", Cluster::GROUP, Cluster::VERSION, Cluster::PLURAL);
    Ok(hub.behind(&prefix, format!("cluster {name} through {}", hub.server())))
}

/// The user of the command may not read the Secret with the credential of a member.
#[derive(Debug)]
pub(crate) struct SecretForbidden {
    secret: ObjectKey,
    error: ClientError,
}

impl fmt::Display for SecretForbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "your account may not read secret {} of the control plane: {}", self.secret, self.error)
    }
}

impl std::error::Error for SecretForbidden {}

/// A client of a member with the credential of the control plane.
///
/// # Errors
/// If the Secret cannot be read, or is not for this cluster.
pub(crate) async fn member(hub: &Client, cluster: &Cluster) -> Result<Client> {
    let reference = cluster.spec.secret_ref.as_ref().ok_or(EndpointError::NoSecret)?;
    let secrets = hub.resource::<Object>(&resources::SECRET.into());
    let key = ObjectKey::namespaced(&*reference.namespace, &*reference.name);
    let secret = match secrets.get(&key).await {
        Err(ClientError::NotFound(_)) => return Err(EndpointError::SecretGone(key).into()),
        Err(error @ ClientError::Forbidden(_)) => return Err(SecretForbidden { secret: key, error }.into()),
        found => found?,
    };
    let (endpoint, _) = endpoint(cluster, &secret)?;
    Ok(Client::connect(endpoint)?)
}

/// Connects to the control plane.
pub(crate) async fn connect(access: &HubAccess) -> Result<Client> {
    Ok(access.hub().await?.client)
}

/// Name of a member, and a client of it or the reason why it has no client.
pub(crate) type Connected = (String, Result<Client>);

/// A client of a member with the credential of the control plane. Nothing dials a member in pull mode, so that it is reached
/// through the control plane.
///
/// # Errors
/// If the Secret cannot be read, or is not for this cluster.
pub(crate) async fn member_with_credential(hub: &Client, cluster: &Cluster) -> Result<Client> {
    let is_pull = cluster.spec.sync_mode == SyncMode::Pull;
    reach(hub, cluster, is_pull && has_proxy(hub).await).await
}

/// The members named in `only`, or all members, as [`member_with_credential`] reaches them.
pub(crate) async fn members_with_credentials(hub: &Client, only: &[String]) -> Result<Vec<Connected>> {
    let mut connected = Vec::new();
    for cluster in clusters(hub, only).await? {
        let client = member_with_credential(hub, &cluster).await;
        connected.push((cluster.metadata.name, client));
    }
    Ok(connected)
}

/// A client of a member with the kubeconfig that the user named; `None` without one.
pub(crate) async fn administrator(access: &ClusterAccess) -> Result<Option<Client>> {
    let Some(path) = &access.cluster_kubeconfig else { return Ok(None) };
    let client = Client::from_kubeconfig(path, access.cluster_context.as_deref()).await;
    client.map(Some).context("cannot use the cluster's kubeconfig")
}
