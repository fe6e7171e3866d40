//! Pods as workload controllers see them: whether one counts, and the pod that a template stands for.

use jiff::{SignedDuration, Timestamp};
use portolan_api::kubernetes::{Pod, PodStatus, View, condition, controller};
use portolan_object::Object;
use serde_json::{Value, json};

/// The status of a pod; that of a new pod if it cannot be read.
pub fn status(pod: &Object) -> PodStatus<'_> {
    Pod::read(pod).map(|pod| pod.status).unwrap_or_default()
}

/// Whether the pod counts as a replica: not finished and not being deleted.
pub fn is_active(pod: &Object) -> bool {
    !pod.is_deleting() && !status(pod).is_finished()
}

/// Whether the pod is ready for requests.
pub fn is_ready(pod: &Object) -> bool {
    status(pod).is_ready()
}

/// Whether the pod is ready, and has been for `seconds`; otherwise the time at which it will have been.
pub fn availability(pod: &Object, seconds: i64, now: Timestamp) -> Availability {
    if !is_ready(pod) {
        return Availability::No;
    }
    let since =
        condition(pod, "Ready").and_then(|ready| ready.last_transition_time.parse::<Timestamp>().ok());
    let available = since.and_then(|since| since.checked_add(SignedDuration::from_secs(seconds)).ok());
    match available {
        Some(available) if seconds > 0 && available > now => Availability::At(available),
        _ => Availability::Yes,
    }
}

/// Whether a pod is available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// It is.
    Yes,
    /// It is not ready.
    No,
    /// It will be at this time, if it stays ready.
    At(Timestamp),
}

/// Whether `owner` is the controller of `object`.
pub fn is_controlled_by(object: &Object, owner: &Object) -> bool {
    controller(object).is_some_and(|reference| reference.uid == owner.uid())
}

/// The pod template of a workload.
pub fn template(owner: &Object) -> Value {
    owner.at(&["spec", "template"]).cloned().unwrap_or_default()
}

/// The reference by which `owner` controls the objects that it creates.
pub fn controller_reference(owner: &Object) -> Value {
    json!({
        "apiVersion": owner.api_version(), "kind": owner.kind(), "name": owner.name(), "uid": owner.uid(),
        "controller": true, "blockOwnerDeletion": true,
    })
}

/// A pod from the template of its owner; the API server completes the name.
pub fn from_template(owner: &Object) -> Object {
    let template = template(owner);
    let mut metadata = json!({
        "generateName": format!("{}-", owner.name()),
        "namespace": owner.namespace(),
        "ownerReferences": [controller_reference(owner)],
    });
    for field in ["labels", "annotations"] {
        if let Some(value) = template["metadata"].get(field) {
            metadata[field] = value.clone();
        }
    }
    Object(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"] }))
}
