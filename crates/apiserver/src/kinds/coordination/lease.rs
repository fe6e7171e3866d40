//! Leases.

use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
};
use crate::tree;
use crate::tree::child_if_present;
use crate::validation::FieldErrors;
use crate::validation::path::Path;

const SPEC: Path<'static> = Path::root("spec");

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Lease", "leases")
        .singular("lease")
        .namespaced()
        .create_on_update()
        .update_requires_version(),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::None,
    finalizers: FinalizerRule::Unchecked,
    defaults: Defined(defaults),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

/// Leases without what belongs to elections that this server does not coordinate.
fn defaults(object: &mut Map<String, Value>) {
    if let Some(spec) = child_if_present(object, "spec") {
        spec.remove("strategy");
        spec.remove("preferredHolder");
    }
}

fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    if let Some(seconds) = tree::integer(new, "/spec/leaseDurationSeconds")
        && seconds <= 0
    {
        errors.invalid(&SPEC.child("leaseDurationSeconds"), seconds, "must be greater than 0");
    }
    errors.not_negative(&SPEC, new.get("spec").unwrap_or(&Value::Null), "leaseTransitions");
}

static TABLE: Table = Table {
    columns: &[NAME, Column::string("Holder", "Who holds the lease."), AGE],
    cells: |source| vec![source.name(), json!(source.text("/spec/holderIdentity")), source.age()],
};
