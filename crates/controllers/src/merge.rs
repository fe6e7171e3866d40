//! The write of a status that an object does not have yet. Pure: sends nothing.
//!
//! A merge patch keeps fields that it does not mention. A counter that became zero is left out of a status, so the
//! patch must remove it with `null`.

use portolan_object::Object;
pub(crate) use portolan_object::patch::difference;
use portolan_runtime::client::Patch;
use serde_json::{Value, json};

/// The patch of the status subresource that turns the status of `object` into `status`.
pub(crate) fn status_patch(object: &Object, status: &Value) -> Patch {
    let present = object.0.get("status").unwrap_or(&Value::Null);
    Patch::Merge(json!({ "status": difference(present, status) }))
}
