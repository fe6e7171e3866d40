//! StatefulSets: pods with names that stay, made, replaced and removed in the order of their ordinals.
//!
//! Called by the controller of the same name with everything that the set controls. A pod is made from the template of
//! its revision, not of the set, so that a pod below the partition of a rolling update comes back as it was.
//!
//! ```text
//! set, pods, revisions ─► Templates (current, update) ─► claims ─► scale up ─► scale down ─► replace old ones ─► status
//! ```

mod claims;
mod revision;
mod status;

use std::collections::BTreeMap;

use portolan_api::kubernetes::{StatefulSet, StatefulSetSpec, View};
use portolan_object::{Object, ObjectKey};
use serde_json::{Value, json};

use super::history::RevisionStep;
use super::pods::{self, controller_reference};
use super::replica_set::desired_replicas;
pub use revision::REVISION_LABEL;
use revision::Templates;

/// Pods made or deleted in one pass of a set that has `podManagementPolicy: Parallel`; the next pass goes on.
const BURST: usize = 500;
/// The pod's own name, by which a Service can select one pod.
const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
/// The pod's ordinal.
const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

/// One change that brings the cluster closer to the StatefulSet.
#[derive(Debug, Clone, PartialEq)]
pub enum StatefulSetAction {
    /// Change the ControllerRevisions.
    Revision(RevisionStep),
    /// Create a PersistentVolumeClaim; its name follows from its template and the ordinal.
    Claim(Object),
    /// Give this very claim these owners.
    ClaimOwners(ObjectKey, String, Value),
    /// Create a pod; its name follows from its ordinal.
    Create(Object),
    /// Delete this very pod, not one that has taken its name.
    Delete(ObjectKey, String),
    /// Write the status.
    Status(Value),
}

/// Computes the steps from the pods and ControllerRevisions that the set controls, and the claims of its namespace.
///
/// With `podManagementPolicy: OrderedReady` a pass makes or removes one pod at most and waits while another is not
/// ready; with `Parallel` it makes and removes up to [`BURST`] at once. Planning after a finished roll-out yields nothing.
pub fn plan(
    set: &Object,
    pods: &[&Object],
    revisions: &[&Object],
    claims: &[&Object],
) -> Vec<StatefulSetAction> {
    let view = StatefulSet::read(set).unwrap_or_default();
    let templates = Templates::of(set, &view, revisions);
    let mut actions = Vec::new();
    if !set.is_deleting() {
        actions.extend(templates.steps(pods));
        actions.extend(claims::owners(set, &view.spec, pods, claims));
        actions.extend(pod_step(set, &view.spec, pods, claims, &templates));
    }
    let status = status::compute(set, &view, pods, &templates);
    if set.at(&["status"]) != Some(&status) {
        actions.push(StatefulSetAction::Status(status));
    }
    actions
}

/// Whether pods are created and deleted one after the other.
fn is_ordered(spec: &StatefulSetSpec<'_>) -> bool {
    spec.pod_management_policy != "Parallel"
}

/// The first ordinal, and the one after the last.
fn ordinals(spec: &StatefulSetSpec<'_>) -> (i64, i64) {
    let start = spec.ordinals.start.max(0);
    (start, start + desired_replicas(spec.replicas))
}

/// Pods below this ordinal keep the current revision during a rolling update.
fn partition(spec: &StatefulSetSpec<'_>) -> i64 {
    ordinals(spec).0 + spec.update_strategy.rolling_update.partition
}

fn is_rolling(spec: &StatefulSetSpec<'_>) -> bool {
    spec.update_strategy.kind != "OnDelete"
}

/// Whether an object has a name of a pod of this set.
pub fn is_name_of(set: &Object, pod: &Object) -> bool {
    ordinal(set, pod).is_some()
}

/// The ordinal in the name of a pod of this set.
fn ordinal(set: &Object, pod: &Object) -> Option<i64> {
    pod.name().strip_prefix(set.name())?.strip_prefix('-')?.parse().ok()
}

fn is_finished(pod: &Object) -> bool {
    pods::status(pod).is_finished()
}

fn is_healthy(pod: &Object) -> bool {
    let status = pods::status(pod);
    status.is_ready() && !pod.is_deleting() && !status.is_finished()
}

fn delete(pod: &Object) -> StatefulSetAction {
    StatefulSetAction::Delete(pod.key(), pod.uid().to_owned())
}

fn pod_step(
    set: &Object,
    spec: &StatefulSetSpec<'_>,
    pods: &[&Object],
    claims: &[&Object],
    templates: &Templates<'_>,
) -> Vec<StatefulSetAction> {
    let (first, end) = ordinals(spec);
    let mut actions = Vec::new();
    let mut waits = false;
    let present: BTreeMap<i64, &Object> =
        pods.iter().filter_map(|pod| Some((ordinal(set, pod)?, *pod))).collect();
    for number in first..end {
        match present.get(&number).copied() {
            None => {
                actions.extend(claims::missing(set, spec, number, claims));
                actions.push(StatefulSetAction::Create(new_pod(set, spec, number, templates)));
            }
            // Its name is free once it is gone.
            Some(pod) if is_finished(pod) && !pod.is_deleting() => actions.push(delete(pod)),
            Some(pod) => waits |= !is_healthy(pod),
        }
        if (is_ordered(spec) && (waits || !actions.is_empty())) || actions.len() >= BURST {
            return actions;
        }
    }
    actions.extend(scale_down(set, is_ordered(spec), pods, (first, end), waits));
    if actions.is_empty() && is_rolling(spec) {
        actions.extend(replacement(set, pods, (partition(spec), end), templates));
    }
    actions
}

/// Deletes pods outside the ordinals, the highest first.
fn scale_down(
    set: &Object,
    is_ordered: bool,
    pods: &[&Object],
    (first, end): (i64, i64),
    others_wait: bool,
) -> Vec<StatefulSetAction> {
    let mut condemned: Vec<(i64, &Object)> = pods
        .iter()
        .filter_map(|pod| Some((ordinal(set, pod)?, *pod)))
        .filter(|(number, _)| !(first..end).contains(number))
        .collect();
    condemned.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    if !is_ordered {
        let remaining = condemned.iter().filter(|(_, pod)| !pod.is_deleting());
        return remaining.take(BURST).map(|(_, pod)| delete(pod)).collect();
    }
    let is_leaving = condemned.iter().any(|(_, pod)| pod.is_deleting());
    let Some(((_, highest), below)) = condemned.split_first() else { return Vec::new() };
    // Of several broken ones the lowest goes first, as in Kubernetes: the others may depend on it.
    let is_held = !is_healthy(highest) && below.iter().any(|(_, pod)| !is_healthy(pod));
    if is_leaving || others_wait || is_held { Vec::new() } else { vec![delete(highest)] }
}

/// The highest pod of an old revision, once all pods above it are of the new one and ready.
fn replacement(
    set: &Object,
    pods: &[&Object],
    (partition, end): (i64, i64),
    templates: &Templates<'_>,
) -> Option<StatefulSetAction> {
    for number in (partition..end).rev() {
        let pod = pods.iter().copied().find(|pod| ordinal(set, pod) == Some(number))?;
        if pod.label(REVISION_LABEL) != Some(templates.update()) && !pod.is_deleting() {
            return Some(delete(pod));
        }
        if !is_healthy(pod) {
            return None;
        }
    }
    None
}

fn new_pod(set: &Object, spec: &StatefulSetSpec<'_>, number: i64, templates: &Templates<'_>) -> Object {
    let keeps_current = is_rolling(spec) && number < partition(spec);
    let (revision, template) = templates.choose(keeps_current);
    let name = format!("{}-{number}", set.name());
    let mut metadata = json!({
        "name": name, "generateName": format!("{}-", set.name()), "namespace": set.namespace(),
        "ownerReferences": [controller_reference(set)],
    });
    for field in ["labels", "annotations"] {
        if let Some(value) = template["metadata"].get(field) {
            metadata[field] = value.clone();
        }
    }
    metadata["labels"][POD_NAME] = json!(name);
    metadata["labels"][POD_INDEX] = json!(number.to_string());
    metadata["labels"][REVISION_LABEL] = json!(revision);
    let mut pod_spec = template["spec"].clone();
    pod_spec["hostname"] = json!(name);
    if !spec.volume_claim_templates.is_empty() {
        pod_spec["volumes"] = claims::volumes(set, &template["spec"], number);
    }
    if !spec.service_name.is_empty() {
        pod_spec["subdomain"] = json!(spec.service_name);
    }
    Object(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec }))
}

#[cfg(test)]
mod tests;
