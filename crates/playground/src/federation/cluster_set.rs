//! A cluster set of all members, if the configuration has one.

use portolan_api::clusterset::{ClusterSet, ClusterSetMember, MemberPhase};
use portolan_object::ObjectKey;
use portolan_runtime::{Client, ClientError};

use crate::config::Cluster;

/// Creates the set unless it exists: changes by a user are kept.
pub(super) async fn create(hub: &Client, name: &str, clusters: &[Cluster]) -> Result<(), ClientError> {
    let mut set = ClusterSet::default();
    set.metadata.name = name.to_owned();
    let member = |cluster: &Cluster| ClusterSetMember { cluster: cluster.name.clone(), id: String::new() };
    set.spec.members = clusters.iter().map(member).collect();
    match hub.kind::<ClusterSet>().create(&set).await {
        Ok(_) | Err(ClientError::AlreadyExists(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether every member of the set has joined or was refused.
pub(super) async fn is_formed(hub: &Client, name: &str) -> Result<bool, ClientError> {
    let set = hub.kind::<ClusterSet>().get(&ObjectKey::cluster(name)).await?;
    let is_decided = |member: &ClusterSetMember| {
        let status = set.status.members.iter().find(|status| status.cluster == member.cluster);
        status.is_some_and(|status| matches!(status.phase, MemberPhase::Joined | MemberPhase::Refused))
    };
    Ok(set.spec.members.iter().all(is_decided))
}
