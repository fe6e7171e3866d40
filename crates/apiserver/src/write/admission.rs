//! The admission step of the write path: the escalation guard of RBAC, then the plugins.
//!
//! It runs on the object as it would be written, outside all locks of the store, and again for each retry after a
//! conflict.

use portolan_object::Status;
use serde_json::Value;

use super::metadata;
use crate::admission::{Attributes, Operation};
use crate::auth::escalation;
use crate::call::Call;

/// Admits a create (`old` is `None`) or an update.
///
/// # Errors
/// 403 for a role that grants more than the user holds; otherwise the status of the plugin that refuses.
pub(super) async fn admit(
    call: &Call,
    is_dry_run: bool,
    object: &mut Value,
    old: Option<&Value>,
) -> Result<(), Status> {
    if !call.user.is_master() && call.resource.kind.group == "rbac.authorization.k8s.io" {
        escalation::check(&call.user, &*call.server.access.rules()?, object, old)?;
    }
    let operation = if old.is_some() { Operation::Update } else { Operation::Create };
    call_plugins(call, operation, is_dry_run, object, old).await
}

/// Admits the deletion of an object.
///
/// # Errors
/// The status of the plugin that refuses.
pub(super) async fn admit_deletion(call: &Call, is_dry_run: bool, old: &Value) -> Result<(), Status> {
    if call.server.admission.is_empty() {
        return Ok(());
    }
    call_plugins(call, Operation::Delete, is_dry_run, &mut old.clone(), Some(old)).await
}

async fn call_plugins(
    call: &Call,
    operation: Operation,
    is_dry_run: bool,
    object: &mut Value,
    old: Option<&Value>,
) -> Result<(), Status> {
    let name = metadata::name_of(object).to_owned();
    let attributes = Attributes {
        user: &call.user,
        operation,
        resource: &call.resource,
        subresource: &call.info.subresource,
        namespace: &call.info.namespace,
        name: &name,
        is_dry_run,
    };
    for plugin in &call.server.admission {
        let warnings = plugin.admit(&attributes, object, old).await?;
        warnings.into_iter().for_each(|warning| call.warn(warning));
    }
    Ok(())
}
