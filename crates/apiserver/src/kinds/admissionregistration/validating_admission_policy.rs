//! Validating admission policies.

use serde_json::{Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::admissionregistration::configurations;
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DEFAULTS,
    NO_DELETION_STATE, NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
    Subresource,
};
use crate::tree;

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies")
        .singular("validatingadmissionpolicy")
        .category(&["api-extensions"])
        .update_requires_version()
        .subresources(&[Subresource::status("ValidatingAdmissionPolicy")]),
    names: NameRule::Subdomain,
    generation: Generation::All,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: NotNeeded(NO_DEFAULTS),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(configurations::validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::integer("Validations", "Number of rules."),
        Column::string("ParamKind", "Kind of the objects that set parameters."),
        AGE,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let parameters = tree::present(row.object, "/spec/paramKind")
        .map(|kind| format!("{}/{}", tree::str_at(kind, "/apiVersion"), tree::str_at(kind, "/kind")));
    vec![
        row.name(),
        json!(row.list("/spec/validations").len()),
        json!(parameters.as_deref().unwrap_or("<unset>")),
        row.age(),
    ]
}
