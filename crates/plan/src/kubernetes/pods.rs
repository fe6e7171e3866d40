//! What workload controllers want to know about a pod, and the pod that a template stands for.

use portolan_object::Object;
use serde_json::{Value, json};

/// Whether the pod still counts: not finished and not being deleted.
pub fn is_active(pod: &Object) -> bool {
    !pod.is_deleting() && !matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed")
}

/// Whether the pod answers requests.
pub fn is_ready(pod: &Object) -> bool {
    condition(pod, "Ready") == Some("True")
}

/// The status of a condition.
pub fn condition<'a>(object: &'a Object, kind: &str) -> Option<&'a str> {
    let conditions = object.at(&["status", "conditions"])?.as_array()?;
    conditions.iter().find(|condition| condition["type"] == kind)?["status"].as_str()
}

/// Whether `owner` is the controller of `object`.
pub fn is_controlled_by(object: &Object, owner: &Object) -> bool {
    controller(object).is_some_and(|reference| reference["uid"] == owner.uid())
}

/// The owner reference of the object's controller.
pub fn controller(object: &Object) -> Option<&Value> {
    let owners = object.at(&["metadata", "ownerReferences"])?.as_array()?;
    owners.iter().find(|owner| owner["controller"] == true)
}

/// The reference by which `owner` controls what it makes.
pub fn controller_reference(owner: &Object) -> Value {
    json!({
        "apiVersion": owner.api_version(), "kind": owner.kind(), "name": owner.name(), "uid": owner.uid(),
        "controller": true, "blockOwnerDeletion": true,
    })
}

/// A pod from the template of its owner; the API server completes the name.
pub fn from_template(owner: &Object) -> Object {
    let template = owner.at(&["spec", "template"]).cloned().unwrap_or_default();
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
