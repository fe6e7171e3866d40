//! The clusters that are no target of a binding, and the arithmetic of the replicas of those that are.

use std::collections::BTreeMap;

use portolan_api::cluster::Cluster;

use crate::propagation::schedule::{
    Choice, ClusterVerdict, Estimates, Explanation, Peers, Rejection, Request, Share, Verdict, explain,
};
use crate::propagation::snapshot::{Binding, depends_on_more};

/// A cluster that is no target.
pub(super) struct Unchosen {
    pub(super) cluster: String,
    /// Why the filters reject it; `None` if it fits.
    pub(super) rejection: Option<Rejection>,
    pub(super) text: String,
}

/// Every cluster that is no target, and why. Of several groups of clusters, a reason other than the affinity tells more.
///
/// `is_scheduled` says whether the scheduler's last result was written.
pub(super) fn unchosen(binding: &Binding, clusters: &[Cluster], is_scheduled: bool) -> Vec<Unchosen> {
    let estimates = Estimates::default();
    let Some(explanation) = explained(binding, clusters, &estimates) else { return Vec::new() };
    let is_target = |name: &str| binding.spec.clusters.iter().any(|target| target.name == name);
    let verdicts = explanation.attempts.iter().flat_map(|attempt| &attempt.clusters);
    let mut unchosen: BTreeMap<&str, Unchosen> = BTreeMap::new();
    for verdict in verdicts.filter(|verdict| !is_target(verdict.cluster)) {
        let found = not_chosen(binding, verdict, is_scheduled);
        let known = unchosen.get(verdict.cluster);
        if known.is_none_or(|known| matches!(known.rejection, Some(Rejection::Affinity))) {
            unchosen.insert(verdict.cluster, found);
        }
    }
    unchosen.into_values().collect()
}

/// The steps of the scheduler, without the room in the clusters and the other workloads of its affinity groups.
fn explained<'a>(
    binding: &'a Binding,
    clusters: &'a [Cluster],
    estimates: &'a Estimates,
) -> Option<Explanation<'a>> {
    let request = Request::of(binding.view(), estimates, Peers::default())?;
    Some(explain(&request, &clusters.iter().collect::<Vec<_>>()))
}

fn not_chosen(binding: &Binding, found: &ClusterVerdict<'_>, is_scheduled: bool) -> Unchosen {
    let cluster = found.cluster.to_owned();
    let standing = match &found.verdict {
        Verdict::Rejected(rejection) => {
            let text = rejection.to_string();
            return Unchosen { cluster, rejection: Some(rejection.clone()), text };
        }
        Verdict::Fits(standing) => standing,
    };
    let text = match standing.choice {
        _ if depends_on_more(&binding.spec) => {
            "fits; it was not needed or had no room when the binding was scheduled (the room was not looked at)"
        }
        Choice::NotNeeded => "fits; the spread constraints are met without it",
        Choice::NoReplicas => "fits; the weights give it no replicas",
        Choice::Chosen { .. } if !is_scheduled => "fits, and would be chosen",
        Choice::Chosen { .. } => "fits; replicas stay where they are until policy or replicas change",
        Choice::Undecided => "fits; the placement fails as a whole",
    };
    Unchosen { cluster, rejection: None, text: text.to_owned() }
}

/// The arithmetic of the divisions, if only the policy decides it.
pub(super) fn arithmetic(binding: &Binding, clusters: &[Cluster]) -> Vec<String> {
    if depends_on_more(&binding.spec) {
        return Vec::new();
    }
    let estimates = Estimates::default();
    let Some(explanation) = explained(binding, clusters, &estimates) else { return Vec::new() };
    let replicas = |name: &str| {
        let target = binding.spec.clusters.iter().find(|target| target.name == name);
        target.map_or(0, |target| i64::from(target.replicas))
    };
    let divisions = explanation.attempts.iter().flat_map(|attempt| &attempt.divisions);
    let shares = divisions.flat_map(|division| &division.shares);
    let has_happened = |share: &&Share<'_>| share.replicas == replicas(share.cluster);
    shares
        .filter(has_happened)
        .map(|share| format!("{}: weight {}, {} replicas", share.cluster, share.weight, share.replicas))
        .collect()
}
