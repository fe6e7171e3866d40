//! Rules that depend on the kind and on the write: dropping `status` on create, validation by subresource.

use portolan_object::Interrupt;
use serde_json::Value;

use super::signing_requests;
use super::target::WriteTarget;
use crate::kinds::{StatusRule, Validation, certificates};
use crate::resources::{Resource, Source};
use crate::validation::metadata;

/// Drops `status` on create for kinds with a status subresource.
pub(super) fn drop_status(resource: &Resource, object: &mut Value) {
    if resource.rules.status == StatusRule::DroppedOnCreate
        && let Some(map) = object.as_object_mut()
    {
        map.remove("status");
    }
}

/// Validates a changed object; returns errors and warnings.
pub(super) fn validate_update(
    resource: &Resource,
    target: WriteTarget,
    old: &Value,
    new: &Value,
    interrupt: &Interrupt,
) -> Validation {
    match (&resource.source, target) {
        // These subresources exist to change fields that are immutable in an update of the object.
        (
            Source::Builtin(_),
            WriteTarget::Binding | WriteTarget::EphemeralContainers | WriteTarget::Resize,
        ) => Validation { errors: metadata::update(new, old), warnings: Vec::new() },
        (_, WriteTarget::Status) if signing_requests::is_signing_request(resource) => {
            let mut validation = resource.strategy().validate_update(new, old, interrupt);
            validation.errors.extend(certificates::check_approval_kept(new, old));
            validation
        }
        _ => resource.strategy().validate_update(new, old, interrupt),
    }
}
