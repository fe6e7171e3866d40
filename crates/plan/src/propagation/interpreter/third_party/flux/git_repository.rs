//! `source.toolkit.fluxcd.io` GitRepository.

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::ViewError;
use portolan_api::resources::StaticResource;
use portolan_object::Object;
use serde_json::Value;

use super::{is_ready, references, retain};
use crate::propagation::interpreter::counters::pick_with_generations;
use crate::propagation::interpreter::third_party::combine::Fields;
use crate::propagation::interpreter::{Hook, Interpreter, Report};

const FIELDS: Fields = Fields { sums: &[], last: &["artifact"] };

pub(in crate::propagation::interpreter::third_party) const INTERPRETER: Interpreter = Interpreter {
    resource: StaticResource::namespaced(
        "source.toolkit.fluxcd.io",
        "v1",
        "GitRepository",
        "gitrepositories",
    ),
    status_fields: &[
        "conditions",
        "artifact",
        "observedGeneration",
        "observedIgnore",
        "observedRecurseSubmodules",
    ],
    replicas: Hook::Default,
    components: Hook::Default,
    prune: Hook::Default,
    retain: Hook::Custom(retain),
    reflect: Hook::Custom(reflect),
    health: Hook::Custom(is_healthy),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Custom(dependencies),
};

fn reflect(object: &Object) -> Option<Value> {
    pick_with_generations(object, INTERPRETER.status_fields)
}

fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    Ok(is_ready(object, &["Succeeded"]))
}

fn aggregate(template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    Some(super::aggregate(template, status, reports, &FIELDS))
}

fn dependencies(template: &Object) -> Result<Vec<DependentObjectReference>, ViewError> {
    let secrets: &[&[&str]] = &[&["spec", "secretRef", "name"], &["spec", "verify", "secretRef", "name"]];
    Ok(references(template, secrets, false))
}
