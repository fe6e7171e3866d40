//! Everything that failover changes in one binding.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use portolan_api::meta::{ObjectMeta, Taint};
use portolan_api::policy::PurgeMode;
use portolan_api::work::{ResourceBindingSpec, ResourceBindingStatus};

use super::application::failed;
use super::eviction::{Eviction, Settings, evict};
use super::failed_clusters::remembered;
use super::graceful::{Copies, assess};
use super::preserved_state::{StateError, preserve};
use super::taints::{Tolerance, tolerance};

const TAINT_UNTOLERATED: &str = "TaintUntolerated";
const APPLICATION_FAILURE: &str = "ApplicationFailure";
// Names of Karmada's controllers, which programs look for.
const TAINT_PRODUCER: &str = "TaintManager";
const APPLICATION_PRODUCER: &str = "resource-binding-application-failover-controller";
const CLUSTER_APPLICATION_PRODUCER: &str = "cluster-resource-binding-application-failover-controller";

/// What is known of one binding.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Metadata of the binding.
    pub metadata: &'a ObjectMeta,
    /// Its spec.
    pub spec: &'a ResourceBindingSpec,
    /// Its status.
    pub status: &'a ResourceBindingStatus,
    /// Taints of the targets, by cluster.
    pub taints: &'a BTreeMap<String, Vec<Taint>>,
    /// `metadata.generation` of the template.
    pub template_generation: i64,
    /// For how long the workload has been unhealthy, by cluster.
    pub unhealthy_for: &'a BTreeMap<String, Duration>,
    /// Targets that have reported on the manifest as it is now.
    pub current: &'a [&'a str],
    /// Settings of the control plane.
    pub settings: Settings,
    /// Whether the rate of evictions because of taints allows one now.
    pub may_evict: bool,
    /// The present time.
    pub now: Timestamp,
}

/// The result of a look at one binding.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decision {
    /// The new spec; `None` if it stays.
    pub spec: Option<ResourceBindingSpec>,
    /// The new value of the annotation `portolan.dev/failed-clusters` of the binding; `None` if it stays.
    pub failed_clusters: Option<String>,
    /// Clusters that the object leaves from now on.
    pub evicted: Vec<String>,
    /// Clusters with ended tasks.
    pub ended: Vec<String>,
    /// Clusters that it cannot leave, and why.
    pub refused: Vec<(String, StateError)>,
    /// Whether an eviction waits for [`Facts::may_evict`].
    pub waits_for_turn: bool,
    /// Time after which the decision changes without an event.
    pub next: Option<Duration>,
}

/// Decides for one binding.
pub fn decide(facts: Facts<'_>) -> Decision {
    let mut decision = Decision::default();
    let mut spec = facts.spec.clone();
    leave_tainted(facts, &mut spec, &mut decision);
    leave_failed(facts, &mut spec, &mut decision);
    let copies = Copies {
        targets: &spec.clusters,
        items: &facts.status.aggregated_status,
        are_scheduled: decision.evicted.is_empty()
            && facts.metadata.generation == facts.status.scheduler_observed_generation,
        current: facts.current,
    };
    let assessment = assess(&spec.graceful_eviction_tasks, copies, facts.settings.timeout, facts.now);
    spec.graceful_eviction_tasks = assessment.tasks;
    decision.ended = assessment.ended;
    decision.next = [decision.next, assessment.next].into_iter().flatten().min();
    decision.spec = (spec != *facts.spec).then_some(spec);
    decision
}

/// Evictions from clusters with NoExecute taints (karmada pkg/controllers/cluster/taint_manager.go).
fn leave_tainted(facts: Facts<'_>, spec: &mut ResourceBindingSpec, decision: &mut Decision) {
    let Some(placement) = facts.spec.placement.as_ref().filter(|_| facts.settings.evicts_by_taint) else {
        return;
    };
    for target in &facts.spec.clusters {
        let Some(taints) = facts.taints.get(&target.name) else { continue };
        let taint = match tolerance(taints, &placement.cluster_tolerations, facts.now) {
            Tolerance::Forever => continue,
            Tolerance::For(left) => {
                decision.next = Some(decision.next.map_or(left, |known| known.min(left)));
                continue;
            }
            Tolerance::Over(taint) => taint,
        };
        let cluster_failover = facts.spec.failover.as_ref().and_then(|failover| failover.cluster.as_ref());
        let preservation = cluster_failover.and_then(|cluster| cluster.state_preservation.as_ref());
        let preserved = match preserve(preservation, &facts.status.aggregated_status, &target.name) {
            Ok(preserved) => preserved,
            Err(error) => {
                decision.refused.push((target.name.clone(), error));
                continue;
            }
        };
        if !facts.may_evict {
            decision.waits_for_turn = true;
            continue;
        }
        let Taint { key, value, .. } = &taint;
        let equals = if value.is_empty() { "" } else { "=" };
        let eviction = Eviction {
            cluster: target.name.clone(),
            reason: TAINT_UNTOLERATED,
            message: format!(
                "the placement does not tolerate the taint {key}{equals}{value}:NoExecute, or no longer"
            ),
            producer: TAINT_PRODUCER,
            purge_mode: facts.settings.purge_mode_after_taint(facts.spec.failover.as_ref()),
            grace_period_seconds: None,
            preserved,
        };
        if evict(spec, eviction) {
            decision.evicted.push(target.name.clone());
        }
    }
}

/// Evictions from clusters in which the workload is unhealthy (karmada pkg/controllers/applicationfailover).
fn leave_failed(facts: Facts<'_>, spec: &mut ResourceBindingSpec, decision: &mut Decision) {
    let failover = facts.spec.failover.as_ref();
    let Some(application) = failover.and_then(|failover| failover.application.as_ref()) else { return };
    let (failed, next) = failed(application, facts.unhealthy_for);
    decision.next = [decision.next, next].into_iter().flatten().min();
    let mut left = Vec::new();
    for cluster in failed {
        let preservation = application.state_preservation.as_ref();
        let preserved = match preserve(preservation, &facts.status.aggregated_status, cluster) {
            Ok(preserved) => preserved,
            Err(error) => {
                decision.refused.push((cluster.to_owned(), error));
                continue;
            }
        };
        let is_namespaced = !facts.metadata.namespace.is_empty();
        let lasted = facts.unhealthy_for.get(cluster).map(Duration::as_secs).unwrap_or_default();
        let eviction = Eviction {
            cluster: cluster.to_owned(),
            reason: APPLICATION_FAILURE,
            message: format!("the workload has been unhealthy for {lasted} s"),
            producer: if is_namespaced { APPLICATION_PRODUCER } else { CLUSTER_APPLICATION_PRODUCER },
            purge_mode: application.purge_mode,
            grace_period_seconds: application
                .grace_period_seconds
                .filter(|_| application.purge_mode == PurgeMode::Gracefully),
            preserved,
        };
        if evict(spec, eviction) {
            decision.evicted.push(cluster.to_owned());
            left.push(cluster);
        }
    }
    if !left.is_empty() {
        decision.failed_clusters = Some(remembered(facts.metadata, facts.template_generation, left));
    }
}

#[cfg(test)]
mod tests;
