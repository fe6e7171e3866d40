//! Labels that mark the objects which Portolan manages for imports, and the form of the import they belong to.
//!
//! An *explicit* import was created in a member by a user or a policy; an import *of a set* was created by the member's
//! cluster set. Discovery changes and deletes marked objects only. DNS publishes marked EndpointSlices only, so that write
//! access to EndpointSlices in a namespace is not enough to answer for other clusters.

use portolan_api::kubernetes::{Service, View};
use portolan_api::labels;
use portolan_object::{Object, ObjectKey};

/// Whether Portolan manages the object.
pub fn is_managed(object: &Object) -> bool {
    object.label(labels::MANAGED) == Some(labels::TRUE)
}

/// Whether the object belongs to an explicit import.
pub fn is_of_explicit_import(object: &Object) -> bool {
    is_managed(object) && object.label(labels::cluster_set::NAME).is_none()
}

/// Whether the object belongs to a cluster set: its import, or an object of that import.
pub fn is_of_set(object: &Object) -> bool {
    is_managed(object) && object.label(labels::cluster_set::NAME).is_some()
}

/// Whether an EndpointSlice has endpoints of another cluster.
pub(crate) fn is_imported(slice: &Object) -> bool {
    let manager = slice.label(labels::endpoint_slice::MANAGED_BY);
    let imported = [
        labels::endpoint_slice::IMPORT_MANAGER,
        labels::endpoint_slice::CLUSTER_SET_MANAGER,
        labels::endpoint_slice::DISPATCH_MANAGER,
    ];
    manager.is_some_and(|manager| imported.contains(&manager))
        // The label of another controller that imports endpoints.
        || slice.label(labels::endpoint_slice::SOURCE_CLUSTER).is_some()
}

/// Whether the EndpointSlice was imported for an explicit import.
pub fn is_slice_of_explicit_import(slice: &Object) -> bool {
    is_of_explicit_import(slice) && is_managed_by(slice, labels::endpoint_slice::IMPORT_MANAGER)
}

/// Whether the EndpointSlice was imported for the import of a set.
pub fn is_slice_of_set(slice: &Object) -> bool {
    is_of_set(slice) && is_managed_by(slice, labels::endpoint_slice::CLUSTER_SET_MANAGER)
}

/// The import of a set to which an EndpointSlice or Service belongs.
pub fn set_import_of(object: &Object) -> Option<ObjectKey> {
    let name = object.label(labels::endpoint_slice::IMPORT_NAME).filter(|_| is_of_set(object))?;
    Some(ObjectKey::namespaced(object.namespace(), name))
}

/// Whether Portolan made the EndpointSlice for a MultiClusterService.
pub fn is_slice_of_multi_cluster_service(slice: &Object) -> bool {
    is_managed(slice) && is_managed_by(slice, labels::endpoint_slice::DISPATCH_MANAGER)
}

/// Whether the cluster's own controller made the EndpointSlice for a derived Service
/// that was given a selector in the cluster.
/// That controller copies the labels of the Service.
pub fn is_slice_of_selector(slice: &Object) -> bool {
    is_managed(slice) && is_managed_by(slice, labels::endpoint_slice::LOCAL_MANAGER)
}

/// Whether a Service has a selector.
pub fn has_selector(service: &Object) -> bool {
    Service::read(service).is_ok_and(|service| !service.spec.selector.is_empty())
}

/// Whether a ServiceImport was made by the member's cluster set. One that a policy has taken over, which its labels show, is
/// the user's: two controllers must not write one spec.
pub fn is_import_of_set(import: &Object) -> bool {
    is_of_set(import) && import.label(labels::work::PERMANENT_ID).is_none()
}

/// The import of an imported EndpointSlice; `None` for any other slice.
pub fn import_of_slice(slice: &Object) -> Option<ObjectKey> {
    let is_imported = is_slice_of_set(slice) || is_slice_of_explicit_import(slice);
    let name = slice.label(labels::endpoint_slice::IMPORT_NAME);
    let name = name.filter(|name| is_imported && !name.is_empty())?;
    Some(ObjectKey::namespaced(slice.namespace(), name))
}

/// The Service of an EndpointSlice, from the label `kubernetes.io/service-name`.
pub fn service_of_slice(slice: &Object) -> Option<ObjectKey> {
    let name = slice.label(labels::endpoint_slice::SERVICE_NAME).filter(|name| !name.is_empty())?;
    Some(ObjectKey::namespaced(slice.namespace(), name))
}

fn is_managed_by(slice: &Object, manager: &str) -> bool {
    slice.label(labels::endpoint_slice::MANAGED_BY) == Some(manager)
}
