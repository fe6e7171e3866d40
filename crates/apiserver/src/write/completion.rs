//! What a kind adds to its objects and demands of them: defaults, own state, validation.
//!
//! Built-in kinds have theirs in [`crate::defaults`] and [`crate::validation`], custom resources in their schema. The
//! few kinds whose state the server keeps itself (namespaces, definitions) are completed here.

use portolan_object::FieldError;
use serde_json::Value;

use super::namespaces;
use super::update::Part;
use crate::crd::Judgement;
use crate::resources::{Resource, Source};
use crate::validation;

/// Fills in defaults.
pub(super) fn default(resource: &Resource, object: &mut Value) {
    match &resource.source {
        Source::Builtin(_) if resource.is(crate::crd::GROUP, crate::crd::PLURAL) => {
            crate::crd::default(object)
        }
        Source::Builtin(_) => crate::defaults::apply(&resource.kind, object),
        Source::Custom(version) => version.default(object),
    }
}

/// Takes the status from a new object whose kind writes it through its own path.
pub(super) fn drop_status(resource: &Resource, object: &mut Value) {
    let drops_status = resource.has_status() && !resource.rules.keeps_status_on_create;
    if drops_status && let Some(map) = object.as_object_mut() {
        map.remove("status");
    }
}

/// Gives a new object the state that the server keeps for its kind.
pub(super) fn begin(resource: &Resource, object: &mut Value) {
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

/// Keeps the state that the server keeps for a kind, whatever an update says.
pub(super) fn carry_on(resource: &Resource, new: &mut Value) {
    if resource.is("", "namespaces") {
        namespaces::label(new);
    }
    if resource.is(crate::crd::GROUP, crate::crd::PLURAL) {
        crate::crd::carry_on(new);
    }
}

/// Says what is wrong with a new object, and what its writer should know.
pub(super) fn judge_new(resource: &Resource, object: &Value) -> Judgement {
    match &resource.source {
        Source::Builtin(_) => {
            let mut faults = validation::create(&resource.kind, object);
            if resource.is(crate::crd::GROUP, crate::crd::PLURAL) {
                faults.extend(crate::crd::validation::create(object));
            }
            judge_builtin(resource, None, object, faults)
        }
        Source::Custom(version) => {
            let faults = validation::metadata::create(object, resource.rules.names, resource.is_namespaced);
            version.judge(object, None).after(faults)
        }
    }
}

/// Says what is wrong with a changed object, and what its writer should know.
pub(super) fn judge_change(resource: &Resource, part: Part, old: &Value, new: &Value) -> Judgement {
    match &resource.source {
        // These parts exist to change what the whole may not.
        Source::Builtin(_) if matches!(part, Part::Binding | Part::EphemeralContainers | Part::Resources) => {
            judge_builtin(resource, Some(old), new, validation::metadata::update(new, old))
        }
        Source::Builtin(_) => {
            let mut faults = validation::update(&resource.kind, new, old);
            if resource.is(crate::crd::GROUP, crate::crd::PLURAL) {
                faults.extend(crate::crd::validation::update(new, old));
            }
            judge_builtin(resource, Some(old), new, faults)
        }
        Source::Custom(version) => {
            let faults = validation::metadata::update(new, old);
            version.judge(new, Some(old)).after(faults)
        }
    }
}

fn judge_builtin(
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
