//! Validating admission policies.

use serde_json::{Value, json};

use super::{GROUP, policies};
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_INITIAL_STATE, NO_KEPT_STATE, NameRule, ONE_FORM, StatusRule, Subresource,
};
use crate::tree;
use crate::validation::FieldErrors;
use crate::validation::path::Path;

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
    defaults: Defined(policies::default_policy),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: Defined(policies::warn),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    policies::validate_policy(new, errors);
    let spec = Path::root("spec");
    if ["validations", "auditAnnotations"]
        .iter()
        .all(|field| tree::list(&new["spec"], &format!("/{field}")).is_empty())
    {
        let detail = "validations or auditAnnotations must contain at least one item";
        errors.required(&spec.child("validations"), detail);
        errors.required(&spec.child("auditAnnotations"), detail);
    }
    let list = spec.child("validations");
    for (index, validation) in tree::list(new, "/spec/validations").iter().enumerate() {
        if tree::str_at(validation, "/expression").trim().is_empty() {
            errors.required(&list.index(index).child("expression"), "expression is not specified");
        }
    }
}

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
    vec![row.name(), json!(row.list("/spec/validations").len()), policies::parameter_kind(row), row.age()]
}
