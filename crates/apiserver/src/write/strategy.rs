//! Rules that depend on the kind and on the write: dropping `status` on create, validation by subresource.

use portolan_object::{Interrupt, builtin};
use serde_json::Value;

use super::signing_requests;
use super::target::WriteTarget;
use crate::kinds::core::pod;
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

/// Adds the status that an object of a typed server always has.
pub(super) fn complete_status(resource: &Resource, object: &mut Value) {
    let has_status = object.get("status").is_some_and(|status| !status.is_null());
    if resource.as_custom().is_some() || has_status {
        return;
    }
    let zero = builtin::zero(&resource.kind).and_then(|mut zero| zero.get_mut("status").map(Value::take));
    if let (Some(status), Some(object)) = (zero, object.as_object_mut()) {
        object.insert("status".to_owned(), without_nulls(status));
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let present = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(present.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        other => other,
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
        (Source::Builtin(_), WriteTarget::Resize) => {
            let mut errors = metadata::update(new, old);
            errors.extend(pod::check_resize(new, old));
            Validation { errors, warnings: Vec::new() }
        }
        (Source::Builtin(_), WriteTarget::Binding | WriteTarget::EphemeralContainers) => {
            Validation { errors: metadata::update(new, old), warnings: Vec::new() }
        }
        (_, WriteTarget::Status) if signing_requests::is_signing_request(resource) => {
            let mut validation = resource.strategy().validate_update(new, old, interrupt);
            validation.errors.extend(certificates::check_approval_kept(new, old));
            validation
        }
        _ => resource.strategy().validate_update(new, old, interrupt),
    }
}
