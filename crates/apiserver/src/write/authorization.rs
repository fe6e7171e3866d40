//! Authorization of what a write does beyond the verb of its request.

use portolan_object::Status;

use crate::auth::{AccessTarget, Attributes, Decision, ResourceTarget};
use crate::call::Call;

/// Checks that a request may create its object. An update, patch or apply of a missing object needs the verb `create`
/// as well as its own.
///
/// The order and the text are upstream's: kubernetes staging/src/k8s.io/apiserver/pkg/endpoints/handlers/update.go
/// `withAuthorization`, after the validation of the object.
pub(super) fn check_creation(call: &Call) -> Result<(), Status> {
    let (resource, info) = (&call.resource, &call.info);
    if info.verb == "create" {
        return Ok(());
    }
    let target = ResourceTarget {
        group: &info.group,
        resource: &info.resource,
        subresource: &info.subresource,
        // A Namespace is in no namespace, although its path has one.
        namespace: if resource.is_namespaced { &info.namespace } else { "" },
        name: &info.name,
    };
    match call.decide("create", target)? {
        Decision::Allowed(_) => Ok(()),
        Decision::Denied(reason) => {
            let create =
                Attributes { user: &call.user, verb: "create", target: AccessTarget::Resource(target) };
            tracing::info!(
                user = %call.user.name, verb = info.verb, resource = %info.resource, namespace = %info.namespace,
                name = %info.name, "creation by a user without the verb create refused"
            );
            Err(create.forbidden(&reason))
        }
    }
}
