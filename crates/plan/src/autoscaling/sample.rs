//! Pods of the members and their metrics, as far as an autoscaler reads them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::settings::Settings;

/// A pod of a member. Pods of different members may have one name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodId {
    /// The cluster.
    pub cluster: String,
    /// Name of the pod.
    pub name: String,
}

/// Requests of one container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerRequests {
    /// Name of the container.
    pub name: String,
    /// Thousandths of units, by resource.
    pub requests: BTreeMap<String, i64>,
}

/// A pod of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodSample {
    /// Its name.
    pub id: PodId,
    /// `status.phase`.
    pub phase: String,
    /// Whether it is being deleted.
    pub is_deleting: bool,
    /// `status.startTime`.
    pub started: Option<Timestamp>,
    /// The condition `Ready`, and when it changed.
    pub ready: Option<(bool, Timestamp)>,
    /// Its containers.
    pub containers: Vec<ContainerRequests>,
}

/// What a pod uses (metrics.k8s.io).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// The end of the window.
    pub time: Timestamp,
    /// Length of the window.
    pub window: SignedDuration,
    /// Thousandths of units, by container and resource.
    pub containers: BTreeMap<String, BTreeMap<String, i64>>,
}

impl Usage {
    /// Use of a resource by the pod, or by one container of it. `None` if the metrics lack it.
    pub(super) fn of(&self, resource: &str, container: Option<&str>) -> Option<i64> {
        match container {
            Some(container) => self.containers.get(container)?.get(resource).copied(),
            None if self.containers.is_empty() => None,
            None => self.containers.values().map(|used| used.get(resource).copied()).sum(),
        }
    }
}

/// The workload and its pods in all members that answer.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// `spec.replicas` of the template.
    pub template_replicas: i32,
    /// Sum of `spec.replicas` in the members.
    pub member_replicas: i32,
    /// The pods.
    pub pods: &'a [PodSample],
    /// Their metrics.
    pub usage: &'a BTreeMap<PodId, Usage>,
    /// Why metrics of some members are missing.
    pub metric_failures: &'a [String],
}

/// Pods by what their metrics are worth.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// Running pods with metrics.
    pub(super) ready: usize,
    /// Pods that have just started, or do not run yet.
    pub(super) unready: BTreeSet<PodId>,
    /// Running pods without metrics.
    pub(super) missing: BTreeSet<PodId>,
    /// Pods that have failed or are being deleted.
    pub(super) ignored: BTreeSet<PodId>,
}

/// Groups pods (kubernetes pkg/controller/podautoscaler/replica_calculator.go, groupPods).
pub(super) fn group(
    pods: &[PodSample],
    usage: &BTreeMap<PodId, Usage>,
    values: &BTreeMap<PodId, i64>,
    resource: &str,
    settings: &Settings,
) -> Groups {
    let mut groups = Groups::default();
    for pod in pods {
        let id = pod.id.clone();
        if pod.is_deleting || pod.phase == "Failed" {
            groups.ignored.insert(id);
        } else if pod.phase == "Pending" {
            groups.unready.insert(id);
        } else if !values.contains_key(&pod.id) {
            groups.missing.insert(id);
        } else if resource == "cpu" && is_starting(pod, &usage[&pod.id], settings) {
            groups.unready.insert(id);
        } else {
            groups.ready += 1;
        }
    }
    groups
}

/// Whether the CPU of a pod still says nothing: a starting program uses much of it.
fn is_starting(pod: &PodSample, usage: &Usage, settings: &Settings) -> bool {
    let (Some((ready, since)), Some(started)) = (pod.ready, pod.started) else { return true };
    if started + settings.cpu_initialization > settings.now {
        // A full window must have passed since the pod became ready.
        return !ready || usage.time < since + usage.window;
    }
    // It has never been ready.
    !ready && started + settings.initial_readiness_delay > since
}
