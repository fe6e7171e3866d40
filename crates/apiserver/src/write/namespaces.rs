//! Life cycle of namespaces: nothing can be created in a namespace that is missing or being deleted.
//!
//! Emptying a namespace that is going is the work of a controller; here it only gets its marks.

use portolan_object::Status;
use portolan_object::status::Cause;
use portolan_store::Store;
use serde_json::Value;

use crate::damage;
use crate::record::Record;
use crate::resources::Resource;

/// Key of a namespace in the store.
pub(crate) fn key(name: &str) -> String {
    format!("core/namespaces/{name}")
}

/// Checks that objects may be created in a namespace.
///
/// # Errors
/// 404 when it does not exist, 403 when it is being deleted.
pub(super) fn admit_content(
    store: &Store<Record>,
    resource: &Resource,
    namespace: &str,
    name: &str,
) -> Result<(), Status> {
    if namespace.is_empty() || !resource.is_namespaced {
        return Ok(());
    }
    let found = damage::find(store, &key(namespace))?;
    let found = found.ok_or_else(|| Status::not_found("", "namespaces", namespace))?;
    if !found.value.summary().is_deleting {
        return Ok(());
    }
    let cause =
        format!("unable to create new content in namespace {namespace} because it is being terminated");
    let mut status = resource.forbidden(name, &cause);
    status.details.get_or_insert_default().causes.push(Cause {
        reason: "NamespaceTerminating".to_owned(),
        message: format!("namespace {namespace} is being terminated"),
        field: "metadata.namespace".to_owned(),
    });
    Err(status)
}

/// Namespaces that cannot be deleted.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

/// Checks that a namespace may be deleted.
///
/// # Errors
/// 403 for `default`, `kube-system` and `kube-public`.
pub(super) fn admit_deletion(resource: &Resource, name: &str) -> Result<(), Status> {
    match IMMORTAL.contains(&name) {
        true => Err(resource.forbidden(name, "this namespace may not be deleted")),
        false => Ok(()),
    }
}

/// Whether an object is a namespace with finalizers in its spec: it may still have content.
pub(super) fn is_namespace_with_content(object: &Value) -> bool {
    let finalizers =
        || object["spec"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty());
    object["kind"] == "Namespace" && object["apiVersion"] == "v1" && finalizers()
}
