//! The binding of a federated object, and when the object leaves it.

use std::collections::BTreeSet;

use portolan_api::kubefed::ORPHAN;
use portolan_api::labels;
use portolan_api::policy::ConflictResolution;
use portolan_api::work::{ResourceBindingSpec, TargetCluster, Work};
use portolan_object::Object;

use crate::propagation::binding::reference;
use crate::propagation::removal::Cause;

/// The spec of the binding: it has no placement, so that nothing schedules it. Fields of other writers stay as they are
/// in `old`.
pub fn spec(
    federated: &Object,
    clusters: &BTreeSet<String>,
    conflict_resolution: ConflictResolution,
    old: Option<&ResourceBindingSpec>,
) -> ResourceBindingSpec {
    let target = |name: &String| TargetCluster { name: name.clone(), ..TargetCluster::default() };
    ResourceBindingSpec {
        resource: reference(federated),
        clusters: clusters.iter().map(target).collect(),
        conflict_resolution,
        ..old.cloned().unwrap_or_default()
    }
}

/// Whether the objects in members stay when a federated object is deleted.
pub fn is_orphaned(federated: &Object) -> bool {
    federated.annotation(ORPHAN) == Some(labels::TRUE)
}

/// The clusters that a federated object which is being deleted waits for, and those that it does not wait for because
/// they do not answer: their objects are deleted when they do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leaving {
    /// Clusters that answer and still have the object, or that do not know yet that it goes.
    pub awaited: BTreeSet<String>,
    /// Clusters that do not answer.
    pub left_behind: BTreeSet<String>,
}

/// Decides from the Works of a federated object that is being deleted, each with the name of its cluster.
pub fn leaving<'a>(
    works: impl IntoIterator<Item = (&'a str, &'a Work)>,
    is_ready: impl Fn(&str) -> bool,
) -> Leaving {
    let mut leaving = Leaving::default();
    for (cluster, work) in works {
        let is_decided = work.metadata.is_deleting() && Cause::of(work).is_some();
        let clusters = match is_decided && !is_ready(cluster) {
            true => &mut leaving.left_behind,
            false => &mut leaving.awaited,
        };
        clusters.insert(cluster.to_owned());
    }
    leaving
}

#[cfg(test)]
mod tests {
    use portolan_api::annotations::work::REMOVAL_CAUSE;
    use serde_json::json;

    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn the_targets_are_the_selected_clusters_and_nothing_schedules_them() {
        let federated = Object(json!({ "apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedSecret",
            "metadata": { "name": "key", "namespace": "shop", "uid": "u1", "resourceVersion": "7" } }));
        let first = spec(&federated, &names(&["b", "a"]), ConflictResolution::Overwrite, None);
        let targets: Vec<&str> = first.clusters.iter().map(|target| target.name.as_str()).collect();
        assert_eq!((targets, first.placement.is_none()), (vec!["a", "b"], true));
        assert_eq!((first.resource.kind.as_str(), first.resource.uid.as_str()), ("FederatedSecret", "u1"));
        let next = spec(&federated, &names(&["b"]), ConflictResolution::Abort, Some(&first));
        assert_eq!((next.clusters.len(), next.conflict_resolution), (1, ConflictResolution::Abort));
    }

    #[test]
    fn only_the_text_true_orphans() {
        for (value, want) in [("true", true), ("True", false), ("", false), ("false", false)] {
            let object = Object(json!({ "metadata": { "annotations": { "kubefed.io/orphan": value } } }));
            assert_eq!(is_orphaned(&object), want, "{value}");
        }
    }

    #[test]
    fn a_cluster_that_does_not_answer_delays_no_deletion_once_it_is_recorded() {
        let work = |is_recorded: bool| {
            let mut work = Work::default();
            work.metadata.deletion_timestamp = Some("t".to_owned());
            if is_recorded {
                let cause = Cause::TemplateDeleted.to_string();
                work.metadata.annotations.insert(REMOVAL_CAUSE.to_owned(), cause);
            }
            work
        };
        let (recorded, unrecorded) = (work(true), work(false));
        let works = [("up", &recorded), ("down", &recorded), ("lost", &unrecorded)];
        let found = leaving(works, |name| name == "up");
        assert_eq!(found, Leaving { awaited: names(&["up", "lost"]), left_behind: names(&["down"]) });
    }
}
