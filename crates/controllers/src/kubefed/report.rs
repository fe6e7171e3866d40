//! The status of a federated object (kubefed pkg/controller/sync/status/status.go).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use portolan_api::kubefed::{FederatedStatus, FederatedType, MemberStatus};
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubefed::status::{Member, Report, TIMEOUT, report, status};
use portolan_runtime::client::BoxError;
use portolan_runtime::events::{Regarding, Severity};
use serde_json::{Value, json};

use super::assessment::Assessment;
use super::facts::{self, resource};
use crate::merge::status_patch;
use crate::missing::ignore_missing;
use crate::propagation::Pipeline;

/// What the clusters say.
pub(super) struct Reported {
    /// One entry per cluster with something to report, by name.
    pub(super) clusters: Vec<MemberStatus>,
    /// Whether an answer is awaited.
    pub(super) is_pending: bool,
}

/// The status of each cluster; answers have been awaited for `lasted`.
pub(super) fn statuses(
    pipeline: &Pipeline,
    binding: &ObjectKey,
    assessment: &Assessment,
    lasted: Duration,
) -> Reported {
    let works = facts::works(pipeline.hub(), binding);
    let selected = match &assessment.selected {
        Some(selected) => selected.clone(),
        None => targets(pipeline, binding),
    };
    let taken = match &assessment.template {
        Ok(template) => facts::taken_by(pipeline.hub(), binding, template, &selected),
        Err(_) => BTreeMap::new(),
    };
    let mut reported = Reported { clusters: Vec::new(), is_pending: false };
    for (name, cluster) in &assessment.clusters {
        let member = Member {
            name,
            is_ready: facts::is_ready(cluster),
            is_selected: selected.contains(name),
            work: works.get(name).map(AsRef::as_ref),
            age: lasted,
            collects_status: assessment.collects_status,
            fault: assessment.fault(name),
            taken_by: taken.get(name).map(|owner| format!("the binding {owner}")),
        };
        match report(&member) {
            Report::Absent => {}
            Report::Pending => reported.is_pending = true,
            Report::Known(status) => reported.clusters.push(status),
        }
    }
    reported
}

/// The clusters that a binding has already.
fn targets(pipeline: &Pipeline, binding: &ObjectKey) -> BTreeSet<String> {
    let found = pipeline.bindings().get(binding);
    let targets = found.iter().flat_map(|binding| &binding.spec.clusters);
    targets.map(|target| target.name.clone()).collect()
}

/// Time until a wait that has lasted for `lasted` is over.
pub(super) fn wait(lasted: Duration) -> Duration {
    TIMEOUT.saturating_sub(lasted).max(Duration::from_millis(1))
}

/// Writes the status if it differs, with an event for each cluster that fails in a new way.
pub(super) async fn write(
    pipeline: &Pipeline,
    of: &FederatedType,
    object: &Object,
    assessment: &Assessment,
    clusters: Vec<MemberStatus>,
) -> Result<(), BoxError> {
    let hub = pipeline.hub();
    // A status that another program made unreadable is replaced.
    let old = object.at(&["status"]).cloned().unwrap_or(Value::Null);
    let old: FederatedStatus = serde_json::from_value(old).unwrap_or_default();
    let new = status(&old, object.generation(), &assessment.findings, clusters, &hub.now());
    if json!(new) == *object.at(&["status"]).unwrap_or(&Value::Null) {
        return Ok(());
    }
    for cluster in new.clusters.iter().filter(|cluster| is_new_failure(&old, cluster)) {
        let message = format!("cluster {}: {}", cluster.name, cluster.message);
        hub.events.record(Regarding::object(object), Severity::Warning, &cluster.status, message);
    }
    let api = hub.client.resource::<Object>(&resource(of));
    let patch = status_patch(object, &json!(new));
    if let Some(written) = ignore_missing(api.patch_status(&object.key(), &patch).await)? {
        pipeline.template_written(written);
    }
    Ok(())
}

/// Whether a cluster fails, and did not do so in the same way before. Removal is no failure.
fn is_new_failure(old: &FederatedStatus, cluster: &MemberStatus) -> bool {
    let known = old.clusters.iter().find(|known| known.name == cluster.name);
    let is_same =
        known.is_some_and(|known| known.status == cluster.status && known.message == cluster.message);
    !cluster.status.is_empty() && cluster.status != "WaitingForRemoval" && !is_same
}
