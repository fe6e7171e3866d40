//! Objects that are created unless they exist.

use portolan_api::labels;
use portolan_object::Object;
use portolan_runtime::{Client, ClientError, Resource};
use serde_json::json;

/// Creates an object unless it exists.
pub(super) async fn ensure(client: &Client, resource: &Resource, object: &Object) -> Result<(), ClientError> {
    match client.resource::<Object>(resource).create(object).await {
        Ok(_) | Err(ClientError::AlreadyExists(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// A namespace of the control plane.
pub(super) fn namespace(name: &str) -> Object {
    Object(json!({ "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": name, "labels": { labels::SYSTEM: labels::TRUE } } }))
}
