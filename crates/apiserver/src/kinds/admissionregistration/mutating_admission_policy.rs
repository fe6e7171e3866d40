//! Mutating admission policies.

use serde_json::{Value, json};

use super::{GROUP, policies, run_here};
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_INITIAL_STATE, NO_KEPT_STATE, NameRule, ONE_FORM, StatusRule,
};
use crate::tree;
use crate::validation::FieldErrors;
use crate::validation::path::Path;

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "MutatingAdmissionPolicy", "mutatingadmissionpolicies")
        .singular("mutatingadmissionpolicy")
        .category(&["api-extensions"])
        .update_requires_version(),
    names: NameRule::Subdomain,
    generation: Generation::Content,
    status: StatusRule::None,
    finalizers: FinalizerRule::Unchecked,
    defaults: Defined(policies::default_policy),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: Defined(run_here::warn),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

const PATCHES: &[&str] = &["ApplyConfiguration", "JSONPatch"];
const REINVOCATIONS: &[&str] = &["IfNeeded", "Never"];

fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    run_here::refuse(new, errors);
    policies::validate_policy(new, errors);
    let spec = Path::root("spec");
    let (list, mutations) = (spec.child("mutations"), tree::list(new, "/spec/mutations"));
    if mutations.is_empty() {
        errors.required(&list, "mutations must contain at least one item");
    }
    for (index, mutation) in mutations.iter().enumerate() {
        let patch = tree::str_at(mutation, "/patchType");
        errors.one_of(&list.index(index).child("patchType"), patch, PATCHES);
    }
    let reinvocation = tree::str_at(new, "/spec/reinvocationPolicy");
    errors.one_of(&spec.child("reinvocationPolicy"), reinvocation, REINVOCATIONS);
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::integer("Mutations", "Number of changes."),
        Column::string("ParamKind", "Kind of the objects that set parameters."),
        AGE,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.list("/spec/mutations").len()), policies::parameter_kind(row), row.age()]
}
