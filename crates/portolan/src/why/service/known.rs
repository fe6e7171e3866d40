//! What the control plane says about its members and the service: condition Ready, ClusterSets, TrafficPolicies and
//! MultiClusterServices.
//!
//! A user who may read Clusters only gets a diagnosis too: what was not read is named in it.

use std::collections::BTreeMap;

use portolan_api::Kind;
use portolan_api::cluster::{Cluster, SyncMode};
use portolan_api::clusterset::{ClusterSet, MemberPhase};
use portolan_api::conditions::cluster::READY;
use portolan_api::inventory::ClusterProfile;
use portolan_api::meta::condition;
use portolan_api::networking::MultiClusterService;
use portolan_api::traffic::TrafficPolicy;
use portolan_object::ObjectKey;
use portolan_plan::discovery::properties::{Properties, required};
use portolan_plan::discovery::why::{HubKind, Known, Listed, Native, Ready, Unread};
use portolan_plan::discovery::{Lost, LostCause};
use portolan_plan::multi_cluster_service::{consumers, providers};
use portolan_runtime::client::Selection;
use portolan_runtime::{Client, ClientError};

use crate::output::causes;

/// What is known about one member.
#[derive(Default)]
pub(super) struct KnownMember {
    pub(super) facts: Known,
    /// Whether the control plane has no credential for it, because the cluster has an agent.
    pub(super) is_pull: bool,
}

/// What is known about every member, by name.
pub(super) async fn of_members(
    hub: &Client,
    unread: &mut Vec<Unread>,
) -> Result<BTreeMap<String, KnownMember>, ClientError> {
    let clusters = hub.kind::<Cluster>().list(&Selection::all()).await?;
    let sets = list::<ClusterSet>(hub, &Selection::all(), HubKind::ClusterSet, unread).await?;
    let clusters = clusters.items.into_iter().map(|seen| seen.object);
    Ok(clusters.map(|cluster| (cluster.metadata.name.clone(), known(&cluster, &sets))).collect())
}

/// The TrafficPolicies of a namespace.
pub(super) async fn policies(
    hub: &Client,
    namespace: &str,
    unread: &mut Vec<Unread>,
) -> Result<Vec<TrafficPolicy>, ClientError> {
    list(hub, &Selection::namespace(namespace), HubKind::TrafficPolicy, unread).await
}

/// The properties of the members, if one of the policies selects by them.
pub(super) async fn properties(
    hub: &Client,
    policies: &[TrafficPolicy],
    unread: &mut Vec<Unread>,
) -> Result<Properties, ClientError> {
    if !policies.iter().any(|policy| required(&policy.spec).next().is_some()) {
        return Ok(Properties::default());
    }
    let profiles = list::<ClusterProfile>(hub, &Selection::all(), HubKind::ClusterProfile, unread).await?;
    Ok(Properties::of_profiles(&profiles))
}

/// The MultiClusterService of a key, for the clusters of the federation.
pub(super) async fn native(
    hub: &Client,
    key: &ObjectKey,
    clusters: &[String],
    unread: &mut Vec<Unread>,
) -> Result<Option<Native>, ClientError> {
    let found = hub.kind::<MultiClusterService>().get(key).await;
    let found = readable(found.map(Some), HubKind::MultiClusterService, unread)?.flatten();
    Ok(found.filter(MultiClusterService::is_cross_cluster).map(|service| {
        let failed = service.status.conditions.iter().filter(|condition| !condition.is_true());
        let problems: Vec<&str> = failed.map(|condition| condition.message.as_str()).collect();
        Native {
            providers: providers(&service.spec, clusters),
            // Without clusters of the federation, those are left that it names.
            names_providers: !providers(&service.spec, &[]).is_empty(),
            consumers: consumers(&service.spec, clusters),
            problem: problems.join("; "),
        }
    }))
}

/// That the user may not read whether a Federation has the service.
///
/// # Errors
/// Any other error.
pub(super) fn unread_federation(error: anyhow::Error) -> anyhow::Result<Unread> {
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::Forbidden(status)) if status.code != 401 => {
            Ok(Unread { kind: HubKind::ResourceBinding, message: status.to_string() })
        }
        _ => Err(error),
    }
}

/// Lists a kind; nothing if the control plane does not serve it, or the user may not read it, which is noted.
async fn list<T: Kind>(
    hub: &Client,
    selection: &Selection,
    kind: HubKind,
    unread: &mut Vec<Unread>,
) -> Result<Vec<T>, ClientError> {
    let listed = readable(hub.kind::<T>().list(selection).await, kind, unread)?;
    Ok(listed.into_iter().flat_map(|listed| listed.items).map(|seen| seen.object).collect())
}

/// What was read; `None` if it does not exist or may not be read, which is noted.
fn readable<T>(
    found: Result<T, ClientError>,
    kind: HubKind,
    unread: &mut Vec<Unread>,
) -> Result<Option<T>, ClientError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(ClientError::NotFound(_)) => Ok(None),
        Err(ClientError::Forbidden(status)) if status.code != 401 => {
            unread.push(Unread { kind, message: status.to_string() });
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn known(cluster: &Cluster, sets: &[ClusterSet]) -> KnownMember {
    let ready = condition(&cluster.status.conditions, READY).map(|ready| Ready {
        is_ready: ready.is_true(),
        reason: ready.reason.clone(),
        message: ready.message.clone(),
        since: ready.last_transition_time.clone(),
    });
    let listed = sets.iter().find_map(|set| listed(&cluster.metadata.name, set));
    let facts = Known { ready, listed, cluster: Some(cluster.clone()) };
    KnownMember { facts, is_pull: cluster.spec.sync_mode == SyncMode::Pull }
}

fn listed(cluster: &str, set: &ClusterSet) -> Option<Listed> {
    let member = set.spec.members.iter().find(|member| member.cluster == cluster)?;
    let status = set.status.members.iter().find(|status| status.cluster == cluster);
    let message = match status {
        Some(status) if status.phase == MemberPhase::Joined => String::new(),
        Some(status) => format!("{} {}", status.phase.as_str(), status.message).trim().to_owned(),
        None => MemberPhase::Pending.as_str().to_owned(),
    };
    Some(Listed { set: set.metadata.name.clone(), id: member.id().to_owned(), message })
}

/// Why a member in pull mode could not be read.
pub(super) fn pull(error: &anyhow::Error) -> Lost {
    Lost::new(LostCause::Pull, causes(error))
}
