//! Labels with the state of a workload that was evicted from another cluster (karmada pkg/controllers/binding/common.go).

use std::collections::BTreeMap;

use portolan_api::policy::PurgeMode;
use portolan_api::work::ResourceBindingSpec;

/// The labels that the copy in `cluster` gets; `is_only` tells whether there is no other copy.
///
/// They are the state of the copy that was evicted last. The new copy must be the only one, in a cluster where the workload
/// did not run before, and the old copy is removed first (purge mode Directly).
pub(super) fn preserved_labels<'a>(
    spec: &'a ResourceBindingSpec,
    cluster: &str,
    is_only: bool,
) -> Option<&'a BTreeMap<String, String>> {
    let last = spec.graceful_eviction_tasks.last()?;
    let ran_here = last.clusters_before_failover.iter().any(|name| name == cluster);
    let applies = is_only && last.purge_mode == Some(PurgeMode::Directly) && !ran_here;
    applies.then_some(&last.preserved_label_state)
}

#[cfg(test)]
mod tests {
    use portolan_api::work::GracefulEvictionTask;

    use super::*;

    #[test]
    fn only_a_single_copy_in_another_cluster_gets_the_labels() {
        let spec = |purge_mode| ResourceBindingSpec {
            graceful_eviction_tasks: vec![GracefulEvictionTask {
                from_cluster: "eu".to_owned(),
                purge_mode: Some(purge_mode),
                preserved_label_state: BTreeMap::from([("id".to_owned(), "7".to_owned())]),
                clusters_before_failover: vec!["eu".to_owned()],
                ..GracefulEvictionTask::default()
            }],
            ..ResourceBindingSpec::default()
        };
        let cases = [
            ("moved", spec(PurgeMode::Directly), "us", true, true),
            ("it ran there before", spec(PurgeMode::Directly), "eu", true, false),
            ("two copies", spec(PurgeMode::Directly), "us", false, false),
            ("both copies run for a while", spec(PurgeMode::Gracefully), "us", true, false),
            ("nothing moved", ResourceBindingSpec::default(), "us", true, false),
        ];
        for (name, spec, cluster, is_only, want) in cases {
            assert_eq!(preserved_labels(&spec, cluster, is_only).is_some(), want, "{name}");
        }
    }
}
