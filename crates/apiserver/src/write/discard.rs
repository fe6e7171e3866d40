//! DELETE of a damaged object, without admission and finalizers, which need the object.
//!
//! As upstream in kubernetes staging/src/k8s.io/apiserver/pkg/registry/generic/registry/corrupt_obj_deleter.go.

use http::{Response, StatusCode};
use portolan_object::{FieldError, Status};
use portolan_store::CommitError;
use serde_json::json;

use super::commit::refused;
use super::deleted::success;
use crate::auth::{Attributes, Decision};
use crate::call::Call;
use crate::damage;
use crate::negotiate::Reply;
use crate::respond::Body;

/// The verb that a user needs beside `delete`.
const VERB: &str = "unsafe-delete-ignore-read-errors";

/// Deletes a damaged object.
///
/// # Errors
/// 403 without the verb for it, 404 when there is no object, 422 when it is not damaged.
pub(super) async fn discard(call: &Call, reply: Reply) -> Result<Response<Body>, Status> {
    let (resource, info, server) = (&call.resource, &call.info, &call.server);
    if !call.user.is_master() {
        let attributes = Attributes { verb: VERB, ..Attributes::from_request(&call.user, info) };
        if let Decision::Denied(reason) = server.access.rules()?.authorize(&attributes) {
            return Err(attributes.forbidden(&reason));
        }
    }
    let key = resource.key(&info.namespace, &info.name);
    match damage::discard(&server.store, &key).await {
        Ok(true) => {
            let object = json!({ "metadata": { "name": info.name, "uid": "" } });
            Ok(success(call, StatusCode::OK, &object, reply))
        }
        Ok(false) if server.store.get(&key).is_some() => Err(invalid_option(
            "is exclusively used to delete corrupt object(s), try again by removing this option",
        )),
        Ok(false) | Err(CommitError::Conflict { .. }) => Err(resource.not_found(&info.name)),
        Err(error) => Err(refused(error)),
    }
}

/// 422 for the option that names damaged objects.
pub(super) fn invalid_option(detail: &str) -> Status {
    let field = "ignoreStoreReadErrorWithClusterBreakingPotential";
    let error = FieldError::invalid(field, &json!(true), detail);
    Status::invalid("meta.k8s.io", "DeleteOptions", "", &[error])
}
