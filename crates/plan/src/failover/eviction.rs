//! The task of an eviction (karmada pkg/apis/work/v1alpha2/binding_types_helper.go).

use std::collections::BTreeMap;
use std::time::Duration;

use portolan_api::policy::{Failover, PurgeMode};
use portolan_api::work::{GracefulEvictionTask, ResourceBindingSpec};

/// Settings of the control plane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Whether NoExecute taints of clusters evict objects.
    pub evicts_by_taint: bool,
    /// Order of deletion and creation after a taint, for bindings without `failover.cluster`.
    pub purge_mode: PurgeMode,
    /// Evictions because of taints per second, at most. Zero holds all of them.
    pub evictions_per_second: f64,
    /// Time after which an eviction without `gracePeriodSeconds` ends.
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            evicts_by_taint: false,
            purge_mode: PurgeMode::Gracefully,
            evictions_per_second: 0.5,
            timeout: Duration::from_secs(600),
        }
    }
}

impl Settings {
    /// Order of deletion and creation when an object is evicted because of a taint.
    pub(super) fn purge_mode_after_taint(&self, failover: Option<&Failover>) -> PurgeMode {
        let cluster = failover.and_then(|failover| failover.cluster.as_ref());
        cluster.map_or(self.purge_mode, |cluster| cluster.purge_mode)
    }
}

/// Why and how an object leaves a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Eviction {
    pub(super) cluster: String,
    pub(super) reason: &'static str,
    pub(super) message: String,
    pub(super) producer: &'static str,
    pub(super) purge_mode: PurgeMode,
    pub(super) grace_period_seconds: Option<i32>,
    pub(super) preserved: BTreeMap<String, String>,
}

/// Takes a cluster out of the targets, and adds the task; true if it was a target.
pub(super) fn evict(spec: &mut ResourceBindingSpec, eviction: Eviction) -> bool {
    let before: Vec<String> = spec.clusters.iter().map(|target| target.name.clone()).collect();
    let Some(index) = before.iter().position(|name| *name == eviction.cluster) else { return false };
    let evicted = spec.clusters.remove(index);
    if spec.graceful_eviction_tasks.iter().any(|task| task.from_cluster == eviction.cluster) {
        return true;
    }
    spec.graceful_eviction_tasks.push(GracefulEvictionTask {
        from_cluster: eviction.cluster,
        purge_mode: Some(eviction.purge_mode),
        replicas: Some(evicted.replicas).filter(|replicas| *replicas > 0),
        reason: eviction.reason.to_owned(),
        message: eviction.message,
        producer: eviction.producer.to_owned(),
        grace_period_seconds: eviction.grace_period_seconds,
        suppress_deletion: (eviction.purge_mode == PurgeMode::Never).then_some(true),
        clusters_before_failover: if eviction.preserved.is_empty() { Vec::new() } else { before },
        preserved_label_state: eviction.preserved,
        creation_timestamp: None,
    });
    true
}

#[cfg(test)]
mod tests {
    use portolan_api::policy::ClusterFailover;
    use portolan_api::work::TargetCluster;

    use super::*;

    fn spec() -> ResourceBindingSpec {
        let target = |name: &str, replicas| TargetCluster {
            name: name.to_owned(),
            replicas,
            ..TargetCluster::default()
        };
        ResourceBindingSpec {
            clusters: vec![target("eu", 2), target("us", 0)],
            ..ResourceBindingSpec::default()
        }
    }

    fn from(cluster: &str) -> Eviction {
        Eviction { cluster: cluster.to_owned(), reason: "R", producer: "P", ..Eviction::default() }
    }

    #[test]
    fn an_evicted_cluster_is_a_task_and_no_target() {
        let mut spec = spec();
        let preserved = BTreeMap::from([("state".to_owned(), "7".to_owned())]);
        assert!(evict(&mut spec, Eviction { preserved, ..from("eu") }));
        assert_eq!(spec.clusters.iter().map(|target| &*target.name).collect::<Vec<_>>(), ["us"]);
        let task = &spec.graceful_eviction_tasks[0];
        assert_eq!((&*task.from_cluster, task.replicas), ("eu", Some(2)));
        assert_eq!(task.purge_mode, Some(PurgeMode::Gracefully));
        assert_eq!(task.clusters_before_failover, ["eu", "us"]);

        assert!(!evict(&mut spec, from("eu")), "not a target any more");
        assert!(evict(&mut spec, Eviction { purge_mode: PurgeMode::Never, ..from("us") }));
        let task = &spec.graceful_eviction_tasks[1];
        assert_eq!((task.replicas, task.suppress_deletion), (None, Some(true)));
        assert!(task.clusters_before_failover.is_empty());
    }

    #[test]
    fn a_cluster_has_one_task() {
        let mut spec = spec();
        spec.graceful_eviction_tasks =
            vec![GracefulEvictionTask { from_cluster: "eu".to_owned(), ..GracefulEvictionTask::default() }];
        assert!(evict(&mut spec, from("eu")));
        assert_eq!(spec.graceful_eviction_tasks.len(), 1);
        assert_eq!(spec.clusters.len(), 1);
    }

    #[test]
    fn the_policy_decides_how_objects_leave_a_tainted_cluster() {
        let settings = Settings { purge_mode: PurgeMode::Directly, ..Settings::default() };
        assert_eq!(settings.purge_mode_after_taint(None), PurgeMode::Directly);
        assert_eq!(settings.purge_mode_after_taint(Some(&Failover::default())), PurgeMode::Directly);
        let cluster = Some(ClusterFailover::default());
        let asked = Failover { cluster, ..Failover::default() };
        assert_eq!(settings.purge_mode_after_taint(Some(&asked)), PurgeMode::Gracefully);
    }
}
