//! Whether an object in a cluster is as it should be, apart from what its API server filled in.
//!
//! Used by both forms of importing to decide whether a write is needed: writing what is there already would wake every
//! watcher for nothing.

use portolan_api::labels;
use portolan_object::Object;
use serde_json::{Value, json};

/// Whether the federation made the object.
pub(super) fn is_ours(object: &Object) -> bool {
    object.label(labels::MANAGED) == Some(labels::TRUE)
}

/// Whether it was made for an import that a user or a policy put there.
pub(super) fn is_explicit(object: &Object) -> bool {
    is_ours(object) && object.label(labels::cluster_set::NAME).is_none()
}

/// Whether `actual` has everything that `wanted` sets; what the API server filled in beside it does not count.
pub(super) fn covers(actual: &Value, wanted: &Value) -> bool {
    match (actual, wanted) {
        (Value::Object(actual), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| actual.get(key).is_some_and(|actual| covers(actual, value)))
        }
        (Value::Array(actual), Value::Array(wanted)) => {
            actual.len() == wanted.len()
                && actual.iter().zip(wanted).all(|(actual, wanted)| covers(actual, wanted))
        }
        (actual, wanted) => actual == wanted,
    }
}

/// Endpoints and ports must be equal, not only covered: an endpoint that lost a zone has to lose it here as well.
pub(super) fn same_slice(actual: &Object, wanted: &Object) -> bool {
    let part = |object: &Object, field: &str| match object.0.get(field) {
        None | Some(Value::Null) => json!([]),
        Some(value) => value.clone(),
    };
    let same = |field: &str| part(actual, field) == part(wanted, field);
    same("endpoints")
        && same("ports")
        && same("addressType")
        && covers(&actual.0["metadata"], &wanted.0["metadata"])
}
