//! The rules of a kind as the write path calls them: defaults, server-owned fields, validation.
//!
//! The names are those of upstream's strategies (kubernetes staging/src/k8s.io/apiserver/pkg/registry/rest/create.go
//! and update.go). Built-in kinds have their rules in [`crate::defaults`] and [`crate::validation`], custom resources
//! in their schema; namespaces and CustomResourceDefinitions have server-owned fields besides.

use portolan_object::FieldError;
use serde_json::Value;

use super::namespaces;
use super::update::WriteTarget;
use crate::crd::Judgement;
use crate::resources::{Resource, Source};
use crate::validation;

/// Fills in the defaults of the kind.
pub(super) fn apply_defaults(resource: &Resource, object: &mut Value) {
    match &resource.source {
        Source::Builtin(_) if resource.is(crate::crd::GROUP, crate::crd::PLURAL) => {
            crate::crd::default(object)
        }
        Source::Builtin(_) => crate::defaults::apply(&resource.kind, object),
        Source::Custom(version) => version.default(object),
    }
}

/// Drops `status` on create for kinds with a status subresource.
pub(super) fn drop_status(resource: &Resource, object: &mut Value) {
    let drops_status = resource.has_status() && !resource.rules.keeps_status_on_create;
    if drops_status && let Some(map) = object.as_object_mut() {
        map.remove("status");
    }
}

/// Sets the server-owned fields of a new object.
pub(super) fn prepare_for_create(resource: &Resource, object: &mut Value) {
    if resource.is("", "namespaces") {
        namespaces::label(object);
    }
    if let Source::Builtin(_) = resource.source {
        crate::defaults::on_create(&resource.kind, object);
    }
    if resource.is(crate::crd::GROUP, crate::crd::PLURAL) {
        crate::crd::begin(object);
    }
}

/// Restores server-owned fields that an update must not change.
pub(super) fn prepare_for_update(resource: &Resource, new: &mut Value) {
    if resource.is("", "namespaces") {
        namespaces::label(new);
    }
    if resource.is(crate::crd::GROUP, crate::crd::PLURAL) {
        crate::crd::carry_on(new);
    }
}

/// Validates a new object; returns errors and warnings.
pub(super) fn validate_create(resource: &Resource, object: &Value) -> Judgement {
    match &resource.source {
        Source::Builtin(_) => {
            let mut faults = validation::create(&resource.kind, object);
            if resource.is(crate::crd::GROUP, crate::crd::PLURAL) {
                faults.extend(crate::crd::validation::create(object));
            }
            validate_builtin(resource, None, object, faults)
        }
        Source::Custom(version) => {
            let faults = validation::metadata::create(object, resource.rules.names, resource.is_namespaced);
            version.judge(object, None).after(faults)
        }
    }
}

/// Validates a changed object; returns errors and warnings.
pub(super) fn validate_update(
    resource: &Resource,
    target: WriteTarget,
    old: &Value,
    new: &Value,
) -> Judgement {
    match &resource.source {
        // These subresources exist to change fields that are immutable in an update of the object.
        Source::Builtin(_)
            if matches!(
                target,
                WriteTarget::Binding | WriteTarget::EphemeralContainers | WriteTarget::Resize
            ) =>
        {
            validate_builtin(resource, Some(old), new, validation::metadata::update(new, old))
        }
        Source::Builtin(_) => {
            let mut faults = validation::update(&resource.kind, new, old);
            if resource.is(crate::crd::GROUP, crate::crd::PLURAL) {
                faults.extend(crate::crd::validation::update(new, old));
            }
            validate_builtin(resource, Some(old), new, faults)
        }
        Source::Custom(version) => {
            let faults = validation::metadata::update(new, old);
            version.judge(new, Some(old)).after(faults)
        }
    }
}

fn validate_builtin(
    resource: &Resource,
    old: Option<&Value>,
    new: &Value,
    faults: Vec<FieldError>,
) -> Judgement {
    let is_definition = resource.is(crate::crd::GROUP, crate::crd::PLURAL);
    let warnings = match is_definition && faults.is_empty() {
        true => crate::crd::validation::warnings(new, old),
        false => Vec::new(),
    };
    Judgement { faults, warnings }
}
