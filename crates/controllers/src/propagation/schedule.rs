//! The target clusters of a binding: lets `portolan_plan` decide from the current clusters, and writes the result.

use std::collections::BTreeSet;

use portolan_api::annotations;
use portolan_api::conditions::binding as reasons;
use portolan_api::meta::Condition;
use portolan_object::ObjectKey;
use portolan_plan::propagation::reschedule::{View, is_due, is_schedulable, placement_record};
use portolan_plan::propagation::schedule::{Placed, PlacementError, Request, schedule};
use portolan_runtime::ClientError;

use crate::propagation::Pipeline;
use crate::propagation::scoped::Binding;

/// Schedules one binding, without writing.
pub(super) fn place(pipeline: &Pipeline, view: View<'_>) -> Result<Placed, PlacementError> {
    let clusters = pipeline.hub.clusters.list();
    let clusters: Vec<_> = clusters.iter().map(AsRef::as_ref).collect();
    let reference = &view.spec.resource;
    let version = reference.api_version.parse::<portolan_object::GroupVersion>();
    let kind = version.unwrap_or_else(|_| portolan_object::GroupVersion::new("", "")).kind(&*reference.kind);
    let evicted: Vec<String> =
        view.spec.graceful_eviction_tasks.iter().map(|task| task.from_cluster.clone()).collect();
    let default_placement = Default::default();
    let request = Request {
        kind: &kind,
        uid: &reference.uid,
        placement: view.spec.placement.as_ref().unwrap_or(&default_placement),
        replicas: (view.spec.replicas > 0).then_some(i64::from(view.spec.replicas)),
        current: &view.spec.clusters,
        evicted_from: &evicted,
        observed_affinity: &view.status.scheduler_observed_affinity_name,
    };
    schedule(&request, &clusters)
}

/// The result of scheduling that belongs into the status.
#[derive(Debug, Clone, Default)]
pub(super) struct Scheduled {
    /// The `Scheduled` condition; `None` if another scheduler is responsible for the binding.
    pub(super) condition: Option<Condition>,
    /// The group of `clusterAffinities` that was used.
    pub(super) affinity_name: Option<String>,
}

/// Schedules a binding if that is due. Returns the binding as it was written.
pub(super) async fn reconcile_schedule(
    pipeline: &Pipeline,
    key: &ObjectKey,
    binding: Binding,
) -> Result<(Binding, Scheduled), ClientError> {
    let view = View { metadata: &binding.metadata, spec: &binding.spec, status: &binding.status };
    if !is_schedulable(view) {
        return Ok((binding, Scheduled::default()));
    }
    let now = pipeline.hub.now();
    let success = success(&missing(pipeline, &binding), &now);
    let is_leaving = |name: &str| {
        let cluster = pipeline.hub.clusters.get(&ObjectKey::cluster(name));
        cluster.is_none_or(|cluster| cluster.metadata.is_deleting())
    };
    if !is_due(view, is_leaving) {
        return Ok((binding, Scheduled { condition: Some(success), ..Scheduled::default() }));
    }
    let (clusters, scheduled) = match place(pipeline, view) {
        Ok(placed) => {
            let affinity_name = Some(placed.affinity_name);
            let scheduled = Scheduled { condition: Some(success), affinity_name };
            (Some(placed.clusters), scheduled)
        }
        Err(error) => {
            let message = error.to_string();
            let condition = Condition::new(reasons::SCHEDULED, false, error.reason(), message, &*now);
            let withdrawn = matches!(error, PlacementError::NoFit(_)).then(Vec::new);
            (withdrawn, Scheduled { condition: Some(condition), ..Scheduled::default() })
        }
    };
    write(pipeline, key, binding, clusters, scheduled).await
}

/// Writes clusters and placement record when they differ.
async fn write(
    pipeline: &Pipeline,
    key: &ObjectKey,
    binding: Binding,
    clusters: Option<Vec<portolan_api::work::TargetCluster>>,
    scheduled: Scheduled,
) -> Result<(Binding, Scheduled), ClientError> {
    let mut wanted = binding.clone();
    if let Some(clusters) = clusters {
        wanted.spec.clusters = clusters;
    }
    let succeeded = scheduled.condition.as_ref().is_some_and(Condition::is_true);
    if let (true, Some(placement)) = (succeeded, &wanted.spec.placement) {
        let record = placement_record(placement);
        wanted.metadata.annotations.insert(annotations::policy::APPLIED_PLACEMENT.to_owned(), record);
    }
    if wanted == binding {
        return Ok((binding, scheduled));
    }
    let mut written = pipeline.bindings.api(key).replace(&wanted).await?;
    written.metadata.managed_fields.clear();
    pipeline.bindings.written(written.clone());
    Ok((written, scheduled))
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
fn success(missing: &[String], now: &str) -> Condition {
    let mut message = "Binding has been scheduled successfully.".to_owned();
    if !missing.is_empty() {
        message += &format!(" The placement names clusters that do not exist: {}.", missing.join(", "));
    }
    Condition::new(reasons::SCHEDULED, true, reasons::SUCCESS, message, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_names_clusters_that_do_not_exist() {
        let missing = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(success(&[], "t").message, "Binding has been scheduled successfully.");
        let some = success(&missing(&["berlin", "paris"]), "t");
        assert!(some.is_true());
        assert_eq!(
            some.message,
            "Binding has been scheduled successfully. \
             The placement names clusters that do not exist: berlin, paris."
        );
    }
}
