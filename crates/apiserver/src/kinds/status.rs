//! First states of new objects that several kinds share.

use serde_json::{Value, json};

use crate::tree::child;

/// `status: {}`.
pub(crate) fn empty_status(object: &mut Value) {
    counts(object, &[]);
}

/// A volume or a claim that is not bound.
pub(crate) fn pending(object: &mut Value) {
    phase(object, "Pending");
}

/// A Service or an ingress without addresses of a load balancer.
pub(crate) fn load_balancer(object: &mut Value) {
    let Some(object) = object.as_object_mut() else { return };
    if let Some(status) = child(object, "status") {
        child(status, "loadBalancer");
    }
}

/// A status in which the counts that clients expect are zero.
pub(crate) fn counts(object: &mut Value, names: &[&str]) {
    let Some(object) = object.as_object_mut() else { return };
    if let Some(status) = child(object, "status") {
        status.extend(names.iter().map(|&name| (name.to_owned(), json!(0))));
    }
}

pub(crate) fn phase(object: &mut Value, phase: &str) {
    let Some(object) = object.as_object_mut() else { return };
    if let Some(status) = child(object, "status") {
        status.insert("phase".to_owned(), json!(phase));
    }
}
