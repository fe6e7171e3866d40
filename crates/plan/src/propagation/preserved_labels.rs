//! Labels with the state of a workload that was evicted from another cluster (karmada pkg/controllers/binding/common.go).

use std::collections::BTreeMap;

use portolan_api::annotations::work::PRESERVED_LABELS;
use portolan_api::meta::ObjectMeta;
use portolan_api::policy::PurgeMode;
use portolan_api::work::{GracefulEvictionTask, ResourceBindingSpec};

/// The labels that the copy in `cluster` gets; `is_only` tells whether there is no other copy, `old` is its Work.
///
/// They are the state of the copy that was evicted last. The new copy must be the only one, in a cluster where the workload
/// did not run before, and the old copy is removed first (purge mode Directly). A copy keeps them when the task has ended.
pub(super) fn preserved_labels(
    spec: &ResourceBindingSpec,
    cluster: &str,
    is_only: bool,
    old: Option<&ObjectMeta>,
) -> BTreeMap<String, String> {
    let applies = |task: &&GracefulEvictionTask| {
        let ran_here = task.clusters_before_failover.iter().any(|name| name == cluster);
        let is_first = task.purge_mode == Some(PurgeMode::Directly) && !task.preserved_label_state.is_empty();
        is_only && is_first && !ran_here
    };
    if let Some(task) = spec.graceful_eviction_tasks.last().filter(applies) {
        return task.preserved_label_state.clone();
    }
    let recorded = old.and_then(|work| work.annotation(PRESERVED_LABELS));
    recorded.and_then(|labels| serde_json::from_str(labels).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
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
            let labels = preserved_labels(&spec, cluster, is_only, None);
            assert_eq!(!labels.is_empty(), want, "{name}");
        }
    }
    #[test]
    fn a_copy_keeps_its_labels_when_the_task_has_ended() {
        let mut work = ObjectMeta::namespaced("karmada-es-us", "w");
        work.annotations.insert(PRESERVED_LABELS.to_owned(), r#"{"id":"7"}"#.to_owned());
        let labels = preserved_labels(&ResourceBindingSpec::default(), "us", false, Some(&work));
        assert_eq!(labels.get("id").map(String::as_str), Some("7"));
    }
}
