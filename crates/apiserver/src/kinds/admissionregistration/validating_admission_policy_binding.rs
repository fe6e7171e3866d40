//! Bindings of validating admission policies.

use serde_json::{Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::admissionregistration::configurations;
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DEFAULTS,
    NO_DELETION_STATE, NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
};

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(
        GROUP,
        "v1",
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
    )
    .singular("validatingadmissionpolicybinding")
    .category(&["api-extensions"])
    .update_requires_version(),
    names: NameRule::Subdomain,
    generation: Generation::All,
    status: StatusRule::None,
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
        Column::string("PolicyName", "Policy that is put to use."),
        Column::string("ParamRef", "Object that sets the parameters."),
        AGE,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let parameters = match row.text("/spec/paramRef/name") {
        "" => "<unset>".to_owned(),
        name => format!("{}/{name}", row.text_or("/spec/paramRef/namespace", "*")),
    };
    vec![row.name(), json!(row.text("/spec/policyName")), json!(parameters), row.age()]
}
