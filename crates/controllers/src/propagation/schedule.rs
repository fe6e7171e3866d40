//! The target clusters of a binding: lets `portolan_plan` decide from the current clusters, and writes the result.

mod peers;
mod room;
mod triggers;

use std::collections::BTreeSet;

use portolan_api::annotations;
use portolan_api::cluster::Cluster;
use portolan_api::conditions::binding as reasons;
use portolan_api::meta::{Condition, condition};
use portolan_api::work::TargetCluster;
use portolan_object::ObjectKey;
use portolan_object::time::age;
use portolan_plan::propagation::reschedule::{
    View, is_due, is_fresh, is_schedulable, placement_record, retry_delay,
};
use portolan_plan::propagation::schedule::{Peers, Placed, PlacementError, Request, schedule, unused_fields};
use portolan_plan::propagation::workload_groups;
use portolan_runtime::ClientError;
use portolan_runtime::events::Regarding;

use crate::propagation::Pipeline;
use crate::propagation::scoped::Binding;

pub(super) use peers::{BY_GROUP, groups};
pub(super) use triggers::Triggers;

/// Message of the `Scheduled` condition, and the begin of the message of the event.
const SUCCEEDED: &str = "Binding has been scheduled successfully.";

/// Schedules one binding, without writing. What it assigns counts from now on as in flight and against quotas; after a
/// failed write, [`Pipeline::drop_decision`] takes that back.
pub(super) async fn place(pipeline: &Pipeline, view: View<'_>) -> Result<Placed, PlacementError> {
    let clusters = pipeline.hub.clusters.list();
    let answers = room::ask_estimators(pipeline, view.spec, &clusters).await;
    let clusters: Vec<_> = clusters.iter().map(AsRef::as_ref).collect();
    decide(pipeline, view, &clusters, answers)
}

/// Decides from the present state of all caches.
fn decide(
    pipeline: &Pipeline,
    view: View<'_>,
    clusters: &[&Cluster],
    answers: Vec<(String, i64)>,
) -> Result<Placed, PlacementError> {
    let members = peers::members(pipeline, view);
    let peers = Peers::among(view, members.iter().map(|one| (&one.metadata, &one.spec)));
    // After all caches of bindings were read: their observers wait for this lock.
    let mut decision = room::decide(pipeline, view);
    let estimates = room::estimates(decision.as_mut(), view, clusters, answers);
    let request = Request::of(view, &estimates, peers).ok_or(PlacementError::NoPlacement)?;
    let placed = schedule(&request, clusters)?;
    room::take(pipeline, decision, view, &placed)?;
    Ok(placed)
}

/// The result of scheduling that belongs into the status.
#[derive(Debug, Clone, Default)]
pub(super) struct Scheduled {
    /// The `Scheduled` condition; `None` if another scheduler is responsible for the binding.
    pub(super) condition: Option<Condition>,
    /// The group of `clusterAffinities` that was used.
    pub(super) affinity_name: Option<String>,
    /// Whether this is a new scheduling, also one with the same result: `lastScheduledTime` moves.
    pub(super) is_new: bool,
}

/// Schedules a binding if that is due. Returns the binding as it was written.
pub(super) async fn reconcile_schedule(
    pipeline: &Pipeline,
    key: &ObjectKey,
    binding: Binding,
) -> Result<(Binding, Scheduled), ClientError> {
    let view = View { metadata: &binding.metadata, spec: &binding.spec, status: &binding.status };
    if !is_schedulable(view) {
        let kept = without_leaving(pipeline, &binding.spec.clusters);
        return Ok((write(pipeline, key, binding, kept, false).await?, Scheduled::default()));
    }
    let now = pipeline.hub.now();
    let success = success(&missing(pipeline, &binding), &notes(view), &now);
    let asked = pipeline.triggers.take_asked(key);
    let is_first = view.status.last_scheduled_time.is_none();
    if !is_due(view, |name| is_leaving(pipeline, name)) {
        let scheduled = Scheduled { condition: Some(success), is_new: is_first, ..Scheduled::default() };
        return Ok((binding, scheduled));
    }
    // Two workloads of one group are placed one after the other, so that each sees where the other is.
    let _turn = match &view.spec.workload_affinity_groups {
        Some(_) => Some(pipeline.triggers.group_turn().await),
        None => None,
    };
    let is_wanted = is_first || asked || is_fresh(view) || is_other_generation(view);
    match place(pipeline, view).await {
        Ok(placed) => {
            let is_new = is_wanted || placed.clusters != binding.spec.clusters;
            let affinity_name = Some(placed.affinity_name);
            let scheduled = Scheduled { condition: Some(success), affinity_name, is_new };
            pipeline.triggers.placed(key);
            let written = write(pipeline, key, binding, Some(placed.clusters), true).await?;
            Ok((written, scheduled))
        }
        Err(error) => {
            let message = error.to_string();
            let condition = Condition::new(reasons::SCHEDULED, false, error.reason(), message, &*now);
            retry_later(pipeline, key, view, &error);
            let kept = kept(pipeline, &error, &binding.spec.clusters);
            let written = write(pipeline, key, binding, kept, false).await?;
            Ok((written, Scheduled { condition: Some(condition), ..Scheduled::default() }))
        }
    }
}

/// Whether a cluster is deleted or being deleted.
fn is_leaving(pipeline: &Pipeline, name: &str) -> bool {
    let cluster = pipeline.hub.clusters.get(&ObjectKey::cluster(name));
    cluster.is_none_or(|cluster| cluster.metadata.is_deleting())
}

/// The targets without the clusters that are being deleted; `None` if there is no such cluster. A binding that is not
/// scheduled, because its policy is gone or its scheduling suspended, does not hold a cluster in the federation.
fn without_leaving(pipeline: &Pipeline, targets: &[TargetCluster]) -> Option<Vec<TargetCluster>> {
    let is_being_deleted = |target: &TargetCluster| {
        let cluster = pipeline.hub.clusters.get(&ObjectKey::cluster(&*target.name));
        cluster.is_some_and(|cluster| cluster.metadata.is_deleting())
    };
    let kept: Vec<_> = targets.iter().filter(|target| !is_being_deleted(target)).cloned().collect();
    (kept.len() < targets.len()).then_some(kept)
}

fn is_other_generation(view: View<'_>) -> bool {
    view.metadata.generation != view.status.scheduler_observed_generation
}

/// The targets that stay after a failure; `None` if all do.
fn kept(
    pipeline: &Pipeline,
    error: &PlacementError,
    current: &[TargetCluster],
) -> Option<Vec<TargetCluster>> {
    match error {
        PlacementError::NoFit(_) => Some(Vec::new()),
        // Names that do not exist are probably typing errors. Clusters that left are no targets any more.
        PlacementError::UnknownClusters(_) => {
            let stays = |target: &&TargetCluster| !is_leaving(pipeline, &target.name);
            Some(current.iter().filter(stays).cloned().collect())
        }
        PlacementError::Spread(_)
        | PlacementError::NotEnough { .. }
        | PlacementError::NoPlacement
        | PlacementError::Quota(_) => None,
    }
}

/// Queues a binding that cannot be placed for lack of room or of groups. One that no cluster fits waits for a change.
fn retry_later(pipeline: &Pipeline, key: &ObjectKey, view: View<'_>, error: &PlacementError) {
    if matches!(error, PlacementError::NoFit(_) | PlacementError::UnknownClusters(_)) {
        pipeline.triggers.placed(key);
        return;
    }
    pipeline.triggers.waits_for_room(key);
    let failing = condition(&view.status.conditions, reasons::SCHEDULED).filter(|one| !one.is_true());
    let now = pipeline.hub.clock.now();
    let lasted = failing.and_then(|one| age(&one.last_transition_time, now)).unwrap_or_default();
    pipeline.binding_queue.add_after(key.clone(), retry_delay(lasted));
}

/// Writes clusters and placement record when they differ.
async fn write(
    pipeline: &Pipeline,
    key: &ObjectKey,
    binding: Binding,
    clusters: Option<Vec<TargetCluster>>,
    succeeded: bool,
) -> Result<Binding, ClientError> {
    let mut wanted = binding.clone();
    if let Some(clusters) = clusters {
        wanted.spec.clusters = clusters;
    }
    if let (true, Some(placement)) = (succeeded, &wanted.spec.placement) {
        let record = placement_record(placement);
        wanted.metadata.annotations.insert(annotations::policy::APPLIED_PLACEMENT.to_owned(), record);
    }
    if wanted == binding {
        return Ok(binding);
    }
    let written = pipeline.bindings.api(key).replace(&wanted).await;
    let mut written = written.inspect_err(|_| pipeline.drop_decision(key))?;
    written.metadata.managed_fields.clear();
    pipeline.bindings.written(written.clone());
    Ok(written)
}

/// Sentences for fields of the placement without an effect on this binding.
fn notes(view: View<'_>) -> Vec<String> {
    let Some(placement) = &view.spec.placement else { return Vec::new() };
    let groups = view.spec.workload_affinity_groups.as_ref();
    let unused = unused_fields(placement).into_iter().map(str::to_owned);
    unused.chain(workload_groups::note(placement, groups)).collect()
}

/// Clusters that the placement names and that do not exist.
fn missing(pipeline: &Pipeline, binding: &Binding) -> Vec<String> {
    let Some(placement) = &binding.spec.placement else { return Vec::new() };
    let groups = placement.cluster_affinities.iter().map(|group| &group.affinity);
    let named = placement.cluster_affinity.iter().chain(groups).flat_map(|affinity| &affinity.cluster_names);
    let missing: BTreeSet<&String> =
        named.filter(|name| pipeline.hub.clusters.get(&ObjectKey::cluster(&***name)).is_none()).collect();
    missing.into_iter().cloned().collect()
}

/// Scheduling succeeds if some of the named clusters exist. The message names the others, as they may be typos.
fn success(missing: &[String], notes: &[String], now: &str) -> Condition {
    let mut message = SUCCEEDED.to_owned();
    if !missing.is_empty() {
        message += &format!(" The placement names clusters that do not exist: {}.", missing.join(", "));
    }
    for note in notes {
        message += &format!(" Note: {note}");
    }
    Condition::new(reasons::SCHEDULED, true, reasons::SUCCESS, message, now)
}

/// Emits events on binding and template after a scheduling succeeded (karmada pkg/scheduler/scheduler.go).
pub(super) fn emit_success(pipeline: &Pipeline, binding: &Binding) {
    let result = binding.spec.clusters.iter().map(|target| format!("{}:{}", target.name, target.replicas));
    let result = result.collect::<Vec<_>>().join(", ");
    // The messages of Karmada differ by this colon.
    let colon = if binding.metadata.namespace.is_empty() { "" } else { ":" };
    let message = format!("{SUCCEEDED} Result{colon} {{{result}}}");
    let gvk = binding.template_kind();
    let uid = binding.spec.resource.uid.clone();
    let template = Regarding { gvk, key: binding.template_key(), uid };
    for about in [template, binding.regarding()] {
        pipeline.hub.events.success(about, "ScheduleBindingSucceed", message.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_names_clusters_that_do_not_exist() {
        let missing = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(success(&[], &[], "t").message, "Binding has been scheduled successfully.");
        let some = success(&missing(&["berlin", "paris"]), &[], "t");
        assert!(some.is_true());
        assert_eq!(
            some.message,
            "Binding has been scheduled successfully. \
             The placement names clusters that do not exist: berlin, paris."
        );
    }
}
