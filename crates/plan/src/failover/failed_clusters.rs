//! The clusters that a workload left because it was unhealthy there.
//!
//! They are not chosen again for the same template and placement while another cluster fits. A duplicated workload, which
//! belongs into every cluster, would otherwise go back as soon as its eviction ended, and fail again.

use std::collections::BTreeSet;

use portolan_api::annotations::binding::FAILED_CLUSTERS;
use portolan_api::meta::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::propagation::reschedule::{View, has_other_placement, is_fresh};

/// The value of an annotation of the binding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct FailedClusters {
    /// `metadata.generation` of the template that failed.
    generation: i64,
    clusters: BTreeSet<String>,
}

impl FailedClusters {
    fn on(binding: &ObjectMeta) -> Option<Self> {
        serde_json::from_str(binding.annotation(FAILED_CLUSTERS)?).ok()
    }
}

/// The clusters that a binding remembers.
pub(crate) fn failed_clusters(binding: &ObjectMeta) -> BTreeSet<String> {
    FailedClusters::on(binding).unwrap_or_default().clusters
}

/// The annotation of a binding after its workload, of this generation of the template, left more clusters.
pub(super) fn remembered<'a>(
    binding: &ObjectMeta,
    generation: i64,
    left: impl IntoIterator<Item = &'a str>,
) -> String {
    let known = FailedClusters::on(binding).filter(|known| known.generation == generation);
    let mut failed = FailedClusters { generation, ..known.unwrap_or_default() };
    failed.clusters.extend(left.into_iter().map(str::to_owned));
    serde_json::json!(failed).to_string()
}

/// Whether the annotation of a binding holds no longer: the template or the placement changed, a WorkloadRebalancer asks
/// for a new schedule, or it cannot be read.
pub fn is_outdated(binding: View<'_>, generation: i64) -> bool {
    if binding.metadata.annotation(FAILED_CLUSTERS).is_none() {
        return false;
    }
    FailedClusters::on(binding.metadata).is_none_or(|failed| failed.generation != generation)
        || has_other_placement(binding)
        || is_fresh(binding)
}

#[cfg(test)]
mod tests {
    use portolan_api::annotations::policy::APPLIED_PLACEMENT;
    use portolan_api::policy::{ClusterAffinity, Placement};
    use portolan_api::work::{ResourceBindingSpec, ResourceBindingStatus};

    use super::*;
    use crate::propagation::reschedule::placement_record;

    fn binding(note: &str) -> ObjectMeta {
        let mut metadata = ObjectMeta::namespaced("shop", "web-deployment");
        metadata.annotations.insert(FAILED_CLUSTERS.to_owned(), note.to_owned());
        metadata.annotations.insert(APPLIED_PLACEMENT.to_owned(), placement_record(&Placement::default()));
        metadata
    }

    #[test]
    fn clusters_are_added_for_one_generation_of_the_template() {
        let first = remembered(&ObjectMeta::default(), 3, ["eu"]);
        assert_eq!(first, r#"{"clusters":["eu"],"generation":3}"#);
        let second = binding(&remembered(&binding(&first), 3, ["us"]));
        assert_eq!(failed_clusters(&second), BTreeSet::from(["eu".to_owned(), "us".to_owned()]));
        let other = binding(&remembered(&second, 4, ["asia"]));
        assert_eq!(failed_clusters(&other), BTreeSet::from(["asia".to_owned()]));
        assert!(failed_clusters(&binding("eu,us")).is_empty(), "of another form");
    }

    #[test]
    fn a_change_of_template_or_placement_or_a_request_forgets_them() {
        let note = binding(&remembered(&ObjectMeta::default(), 3, ["eu"]));
        let spec =
            ResourceBindingSpec { placement: Some(Placement::default()), ..ResourceBindingSpec::default() };
        let status = ResourceBindingStatus::default();
        let view = View { metadata: &note, spec: &spec, status: &status };
        assert!(!is_outdated(view, 3), "nothing changed");
        assert!(is_outdated(view, 4), "another template");
        let affinity = Some(ClusterAffinity { cluster_names: vec!["eu".to_owned()], ..Default::default() });
        let placement = Some(Placement { cluster_affinity: affinity, ..Placement::default() });
        let moved = ResourceBindingSpec { placement, ..spec.clone() };
        assert!(is_outdated(View { spec: &moved, ..view }, 3), "another placement");
        let reschedule_triggered_at = Some("2026-01-01T00:00:00Z".to_owned());
        let asked = ResourceBindingSpec { reschedule_triggered_at, ..spec.clone() };
        assert!(is_outdated(View { spec: &asked, ..view }, 3), "a rebalancer asks");
        assert!(is_outdated(View { metadata: &binding("?"), ..view }, 3), "it cannot be read");
        assert!(!is_outdated(View { metadata: &ObjectMeta::default(), ..view }, 3), "there is none");
    }
}
