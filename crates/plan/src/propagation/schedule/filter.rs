//! Filters: the reasons for which a cluster cannot be a target (karmada pkg/scheduler/framework/plugins).

use std::fmt;

use portolan_api::cluster::Cluster;
use portolan_api::meta::Taint;
use portolan_api::policy::ClusterAffinity;

use super::Request;
use crate::propagation::affinity;

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
        }
    }
}

/// Checks one cluster.
///
/// The affinity is checked first: for a cluster that the placement does not select, no other reason is reported.
pub(super) fn check(
    request: &Request<'_>,
    wanted: &ClusterAffinity,
    cluster: &Cluster,
) -> Result<(), Rejection> {
    if cluster.metadata.is_deleting() {
        return Err(Rejection::Leaving);
    }
    if !affinity::matches(wanted, cluster) {
        return Err(Rejection::Affinity);
    }
    let name = &cluster.metadata.name;
    if request.evicted_from.contains(name) {
        return Err(Rejection::Evicted);
    }
    // A current target stays in spite of a new taint or an incomplete API list.
    if request.current.iter().any(|target| target.name == *name) {
        return Ok(());
    }
    if let Some(taint) = untolerated(request, cluster) {
        return Err(Rejection::Taint(taint.clone()));
    }
    if serves(request, cluster) { Ok(()) } else { Err(Rejection::MissingApi) }
}

fn untolerated<'a>(request: &Request<'_>, cluster: &'a Cluster) -> Option<&'a Taint> {
    let keeps_away = |taint: &&Taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute");
    let tolerations = &request.placement.cluster_tolerations;
    let mut taints = cluster.spec.taints.iter().filter(keeps_away);
    taints.find(|taint| !tolerations.iter().any(|toleration| toleration.tolerates(taint)))
}

/// Whether the cluster reports the kind. An incomplete list without the kind counts as no.
fn serves(request: &Request<'_>, cluster: &Cluster) -> bool {
    let wanted = request.kind.api_version();
    let group = cluster.status.api_enablements.iter().find(|enablement| enablement.group_version == wanted);
    group.is_some_and(|group| group.resources.iter().any(|resource| resource.kind == request.kind.kind))
}
