//! A cluster set of all members, for playgrounds that are asked for one.

use portolan_api::clusterset::{ClusterSet, ClusterSetMember, MemberPhase};
use portolan_object::ObjectKey;
use portolan_runtime::{Client, ClientError};

use super::StartError;
use crate::config::Cluster;

/// Creates the set unless it is there: what a user made of it since stays.
pub(super) async fn form(hub: &Client, name: &str, clusters: &[Cluster]) -> Result<(), StartError> {
    let mut set = ClusterSet::default();
    set.metadata.name = name.to_owned();
    let member = |cluster: &Cluster| ClusterSetMember { cluster: cluster.name.clone(), id: String::new() };
    set.spec.members = clusters.iter().map(member).collect();
    match hub.kind::<ClusterSet>().create(&set).await {
        Ok(_) | Err(ClientError::AlreadyExists(_)) => Ok(()),
        Err(source) => Err(StartError::ClusterSet { name: name.to_owned(), source }),
    }
}

/// Whether every member that the set lists knows of it, or cannot be one.
pub(super) async fn is_formed(hub: &Client, name: &str) -> Result<bool, ClientError> {
    let set = hub.kind::<ClusterSet>().get(&ObjectKey::cluster(name)).await?;
    let is_settled = |member: &ClusterSetMember| {
        let status = set.status.members.iter().find(|status| status.cluster == member.cluster);
        status.is_some_and(|status| matches!(status.phase, MemberPhase::Joined | MemberPhase::Refused))
    };
    Ok(set.spec.members.iter().all(is_settled))
}
