//! Writes of Services with preferred node ports, which another Service of the member may have.

use portolan_object::Object;
use portolan_plan::propagation::node_ports::release;
use portolan_runtime::{Api, ClientError};

/// Creates an object; without its preferred node ports if the member has given one of them to another Service.
pub(super) async fn create(api: &Api<Object>, manifest: &Object) -> Result<Object, ClientError> {
    match api.create(manifest).await {
        Err(ClientError::Invalid(refusal)) => match release(manifest, &refusal) {
            Some(released) => api.create(&released).await,
            None => Err(ClientError::Invalid(refusal)),
        },
        result => result,
    }
}

/// Replaces an object, as [`create`] creates it.
pub(super) async fn replace(api: &Api<Object>, desired: &Object) -> Result<Object, ClientError> {
    match api.replace(desired).await {
        Err(ClientError::Invalid(refusal)) => match release(desired, &refusal) {
            Some(released) => api.replace(&released).await,
            None => Err(ClientError::Invalid(refusal)),
        },
        result => result,
    }
}
