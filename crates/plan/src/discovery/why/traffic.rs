//! What TrafficPolicies say about a client cluster and its exporters.

use portolan_api::cluster::Cluster;
use portolan_api::traffic::TrafficPolicy;

use super::facts::{Facts, Member};
use super::finding::Finding;
use super::known::HubKind;
use crate::discovery::nearness::{boundary_against, is_visible};
use crate::discovery::traffic_policy::policies_of;

/// The policy that hides the service from the client cluster.
pub(super) fn hidden(facts: &Facts, member: &Member) -> Option<Finding> {
    let cluster = member.known.cluster.as_ref()?;
    let policy = policies(facts).into_iter().find(|policy| !is_visible(&[*policy], cluster))?;
    let (name, from) = (title(policy), &member.name);
    Some(Finding::broken(
        format!("{name} hides it from {from}: spec.visibleTo does not select {from}"),
        format!("spec.visibleTo of {name} on the control plane, if clients in {from} shall have it"),
    ))
}

/// What is said if TrafficPolicies could not be read.
pub(super) fn unread(facts: &Facts) -> Option<Finding> {
    let kinds = [HubKind::TrafficPolicy, HubKind::ClusterProfile];
    let unread = kinds.into_iter().find_map(|kind| facts.unread(kind))?;
    let resource = unread.kind.resource();
    Some(Finding::NotSeen(format!(
        "which TrafficPolicies hold was not read ({resource}): {}",
        unread.message
    )))
}

/// The policy with a boundary that keeps the client cluster from an exporter.
pub(super) fn boundary<'a>(
    facts: &'a Facts,
    member: &Member,
    exporter: &Member,
) -> Option<&'a TrafficPolicy> {
    // Without the properties it cannot be said that a cluster is outside.
    if facts.unread(HubKind::ClusterProfile).is_some() {
        return None;
    }
    let (from, cluster): (&Cluster, &Cluster) =
        (member.known.cluster.as_ref()?, exporter.known.cluster.as_ref()?);
    boundary_against(&policies(facts), from, cluster, &facts.properties)
}

/// What is said if no exporter is inside the boundary.
pub(super) fn all_outside(member: &Member, policy: &TrafficPolicy) -> Finding {
    let (name, from) = (title(policy), &member.name);
    Finding::broken(
        format!("every exporting cluster is outside the boundary of {name} for {from}"),
        format!("spec.boundary of {name} on the control plane, or an exporting cluster inside it"),
    )
}

/// `TrafficPolicy namespace/name`.
pub(super) fn title(policy: &TrafficPolicy) -> String {
    format!("TrafficPolicy {}/{}", policy.metadata.namespace, policy.metadata.name)
}

fn policies(facts: &Facts) -> Vec<&TrafficPolicy> {
    policies_of(&facts.service, &facts.policies)
}
