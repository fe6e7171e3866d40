//! The admission steps of the write path, outside all locks of the store and again for each retry after a conflict: before the
//! validation of the kind the escalation guard of RBAC, mutating webhooks and the plugins, and after it the policies and
//! validating webhooks.

use portolan_object::Status;
use serde_json::Value;

use super::metadata;
use crate::admission::{Attributes, Operation};
use crate::auth::escalation;
use crate::call::Call;
use crate::configured::{self, Asked};

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
        escalation::check(&call.user, &*call.server.access.rules()?, &call.info.name, object, old)?;
    }
    let operation = operation(old);
    let in_force = configured::in_force(call)?;
    let name = metadata::name_of(object).to_owned();
    let asked = Asked { operation, name: &name, is_dry_run };
    in_force.mutate(call, &asked, object, old).await?;
    call_plugins(call, operation, is_dry_run, object, old).await
}

/// Asks about a valid object, before it is stored.
///
/// # Errors
/// The status of the policy or webhook that refuses.
pub(super) async fn validate(
    call: &Call,
    is_dry_run: bool,
    object: &Value,
    old: Option<&Value>,
) -> Result<(), Status> {
    let in_force = configured::in_force(call)?;
    let asked = Asked { operation: operation(old), name: metadata::name_of(object), is_dry_run };
    in_force.validate(call, &asked, object, old).await
}

fn operation(old: Option<&Value>) -> Operation {
    if old.is_some() { Operation::Update } else { Operation::Create }
}

/// Admits the deletion of an object.
///
/// # Errors
/// The status of the plugin that refuses.
pub(super) async fn admit_deletion(call: &Call, is_dry_run: bool, old: &Value) -> Result<(), Status> {
    let in_force = configured::in_force(call)?;
    let asked = Asked { operation: Operation::Delete, name: metadata::name_of(old), is_dry_run };
    in_force.mutate(call, &asked, &mut Value::Null, Some(old)).await?;
    if !call.server.admission.is_empty() {
        call_plugins(call, Operation::Delete, is_dry_run, &mut old.clone(), Some(old)).await?;
    }
    in_force.validate(call, &asked, &Value::Null, Some(old)).await
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
