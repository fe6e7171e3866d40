//! Filters: the reasons for which a cluster cannot be a target (karmada pkg/scheduler/framework/plugins).

use std::fmt;

use portolan_api::cluster::Cluster;
use portolan_api::meta::Taint;

use super::constraint::{GroupBy, GroupConstraint};
use super::request::Request;
use super::tiers::Tiers;

/// The reason for which a cluster was rejected. The texts are Karmada's, because users search for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// It is being removed from the federation.
    Leaving,
    /// The placement does not select it.
    Affinity,
    /// It has a taint that the placement does not tolerate.
    Taint(Taint),
    /// It does not serve the template's kind.
    MissingApi,
    /// The binding is being evicted from it.
    Evicted,
    /// The workload left it because it was unhealthy there.
    Failed,
    /// It has no value for the field or label over which a spread constraint spreads.
    MissingProperty(GroupBy),
    /// A workload of the same affinity group is in other clusters.
    AwayFromGroup,
    /// A workload of the same anti-affinity group is there.
    OccupiedByGroup,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejection::Leaving => f.write_str("cluster(s) are being removed"),
            Rejection::Affinity => {
                f.write_str("cluster(s) did not match the placement cluster affinity constraint")
            }
            Rejection::Taint(taint) => {
                let Taint { key, value, effect, .. } = taint;
                let equals = if value.is_empty() { "" } else { "=" };
                write!(f, "cluster(s) had untolerated taint {{{key}{equals}{value}:{effect}}}")
            }
            Rejection::MissingApi => f.write_str("cluster(s) did not have the API resource"),
            Rejection::Evicted => f.write_str("cluster(s) are in the process of eviction"),
            Rejection::Failed => f.write_str("cluster(s) were left because the workload was unhealthy there"),
            Rejection::MissingProperty(GroupBy::Label(key)) => {
                write!(f, "cluster(s) did not have label {key}")
            }
            Rejection::MissingProperty(GroupBy::Zone) => {
                f.write_str("cluster(s) did not have zones property")
            }
            Rejection::MissingProperty(by) => write!(f, "cluster(s) did not have {by} property"),
            Rejection::AwayFromGroup => f.write_str(
                "cluster(s) did not match: ResourceBinding with the same affinity group does not target this cluster",
            ),
            Rejection::OccupiedByGroup => f.write_str(
                "cluster(s) did not match: cluster already has workload with the same anti-affinity group",
            ),
        }
    }
}

/// The tier of a cluster, or the reason for which it is rejected.
///
/// The affinity is checked first: for a cluster that the placement does not select, no other reason is reported.
pub(super) fn check(
    request: &Request<'_>,
    tiers: &Tiers<'_>,
    spread: &[GroupConstraint],
    cluster: &Cluster,
) -> Result<usize, Rejection> {
    if cluster.metadata.is_deleting() {
        return Err(Rejection::Leaving);
    }
    let tier = tiers.tier(cluster).ok_or(Rejection::Affinity)?;
    let name = &cluster.metadata.name;
    if request.evicted_from.contains(&name.as_str()) {
        return Err(Rejection::Evicted);
    }
    if request.failed_in.contains(name) && !request.is_target(name) {
        return Err(Rejection::Failed);
    }
    if let Some(lacking) = spread.iter().find(|one| one.by.values(cluster).is_empty()) {
        return Err(Rejection::MissingProperty(lacking.by.clone()));
    }
    // A current target stays in spite of a new taint, an incomplete API list, or workloads that arrived later.
    if request.is_target(name) {
        return Ok(tier);
    }
    if let Some(taint) = untolerated(request, cluster) {
        return Err(Rejection::Taint(taint.clone()));
    }
    if !serves(request, cluster) {
        return Err(Rejection::MissingApi);
    }
    let is_in = |targets: &&[portolan_api::work::TargetCluster]| targets.iter().any(|one| one.name == *name);
    // A group rejects no cluster before the first of its workloads is placed.
    if !request.peers.together.iter().all(|targets| targets.is_empty() || is_in(targets)) {
        return Err(Rejection::AwayFromGroup);
    }
    if request.peers.apart.iter().any(is_in) {
        return Err(Rejection::OccupiedByGroup);
    }
    Ok(tier)
}

fn untolerated<'a>(request: &Request<'_>, cluster: &'a Cluster) -> Option<&'a Taint> {
    let keeps_away = |taint: &&Taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute");
    let tolerations = &request.placement.cluster_tolerations;
    let mut taints = cluster.spec.taints.iter().filter(keeps_away);
    taints.find(|taint| !tolerations.iter().any(|toleration| toleration.tolerates(taint)))
}

/// Whether the cluster reports the kind. An incomplete list without the kind counts as no.
fn serves(request: &Request<'_>, cluster: &Cluster) -> bool {
    let (group, version) = (&*request.kind.group, &*request.kind.version);
    let is_wanted = |group_version: &str| match group_version.split_once('/') {
        Some((one, other)) => one == group && other == version,
        None => group.is_empty() && group_version == version,
    };
    let mut groups = cluster.status.api_enablements.iter();
    let group = groups.find(|enablement| is_wanted(&enablement.group_version));
    group.is_some_and(|group| group.resources.iter().any(|resource| resource.kind == request.kind.kind))
}
