//! What the control plane says about its members: condition Ready, and their entries in ClusterSets.

use std::collections::BTreeMap;

use portolan_api::cluster::{Cluster, SyncMode};
use portolan_api::clusterset::{ClusterSet, MemberPhase};
use portolan_api::conditions::cluster::READY;
use portolan_api::meta::condition;
use portolan_api::traffic::TrafficPolicy;
use portolan_plan::discovery::why::{Known, Listed, Ready};
use portolan_plan::discovery::{Lost, LostCause};
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
pub(super) async fn of_members(hub: &Client) -> Result<BTreeMap<String, KnownMember>, ClientError> {
    let clusters = hub.kind::<Cluster>().list(&Selection::all()).await?;
    let sets = match hub.kind::<ClusterSet>().list(&Selection::all()).await {
        Ok(sets) => sets.items.into_iter().map(|seen| seen.object).collect(),
        Err(ClientError::NotFound(_)) => Vec::new(),
        Err(error) => return Err(error),
    };
    let clusters = clusters.items.into_iter().map(|seen| seen.object);
    Ok(clusters.map(|cluster| (cluster.metadata.name.clone(), known(&cluster, &sets))).collect())
}

/// The TrafficPolicies of a namespace.
pub(super) async fn policies(hub: &Client, namespace: &str) -> Result<Vec<TrafficPolicy>, ClientError> {
    match hub.kind::<TrafficPolicy>().list(&Selection::namespace(namespace)).await {
        Ok(policies) => Ok(policies.items.into_iter().map(|seen| seen.object).collect()),
        Err(ClientError::NotFound(_)) => Ok(Vec::new()),
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
