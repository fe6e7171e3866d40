//! Room for the replicas of a binding: what clusters have left, and what the quotas of its namespace allow.

use std::sync::Arc;

use portolan_api::admission::quota_exceeded;
use portolan_api::cluster::Cluster;
use portolan_api::work::ResourceBindingSpec;
use portolan_plan::propagation::estimate::are_needed;
use portolan_plan::propagation::reschedule::View;
use portolan_plan::propagation::schedule::{Estimates, Placed, PlacementError};

use crate::capacity::Decision;
use crate::propagation::Pipeline;

/// The answers of the estimators of the clusters; none if they are not asked.
pub(super) async fn ask_estimators(
    pipeline: &Pipeline,
    spec: &ResourceBindingSpec,
    clusters: &[Arc<Cluster>],
) -> Vec<(String, i64)> {
    let hub = &pipeline.hub;
    let Some(service) = hub.estimator_service.as_ref().filter(|_| are_needed(spec)) else {
        return Vec::new();
    };
    let assumed = hub.estimator.assumed(clusters.iter().map(AsRef::as_ref));
    service.ask(spec, assumed).await
}

/// Starts a decision that depends on room, so that the same room is not given away by another one meanwhile. `None` if it
/// does not.
pub(super) fn decide<'a>(pipeline: &'a Pipeline, view: View<'_>) -> Option<Decision<'a>> {
    are_needed(view.spec).then(|| pipeline.hub.estimator.decide())
}

/// For how many replicas of a binding clusters have room: the minimum of all estimates.
pub(super) fn estimates(
    decision: Option<&mut Decision<'_>>,
    view: View<'_>,
    clusters: &[&Cluster],
    answers: Vec<(String, i64)>,
) -> Estimates {
    let Some(decision) = decision else { return Estimates::default() };
    let own = decision.estimate(&view.metadata.key(), view.spec, clusters.iter().copied());
    own.into_iter().chain(answers).collect()
}

/// Counts the assignment of a binding as written, if the quotas allow it.
pub(super) fn take<'a>(
    pipeline: &'a Pipeline,
    decision: Option<Decision<'a>>,
    view: View<'_>,
    placed: &Placed,
) -> Result<(), PlacementError> {
    let key = view.metadata.key();
    let assigned = ResourceBindingSpec { clusters: placed.clusters.clone(), ..view.spec.clone() };
    let admitted = pipeline.hub.quotas.admit(&key, Some(view.spec), &assigned);
    admitted.map_err(|exceeded| PlacementError::Quota(quota_exceeded(&exceeded.to_string()).message))?;
    let decision = decision.unwrap_or_else(|| pipeline.hub.estimator.decide());
    decision.assign(&key, &assigned, view.status);
    Ok(())
}
