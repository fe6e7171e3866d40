//! The answer to a deletion.

use serde_json::{Value, json};

use super::metadata;
use crate::call::Call;

/// The `Status` for a deleted object.
pub(super) fn success(call: &Call, object: &Value) -> Value {
    let mut details = json!({ "name": metadata::name_of(object), "kind": call.resource.plural });
    if !call.resource.kind.group.is_empty() {
        details["group"] = json!(call.resource.kind.group);
    }
    details["uid"] = object["metadata"]["uid"].clone();
    json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details })
}
