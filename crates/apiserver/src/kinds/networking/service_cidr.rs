//! Ranges of Service addresses.

use serde_json::{Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::{Row, joined};
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DEFAULTS,
    NO_DELETION_STATE, NO_INITIAL_STATE, NO_KEPT_STATE, NO_SPEC_RULES, NameRule, ONE_FORM, StatusRule,
    Subresource,
};
use crate::tree;

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "ServiceCIDR", "servicecidrs")
        .singular("servicecidr")
        .subresources(&[Subresource::status("ServiceCIDR")]),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: NotNeeded(NO_DEFAULTS),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: NotNeeded(NO_SPEC_RULES),
    warnings: Defined(warn),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

/// Addresses come from the ranges with which the server was started.
fn warn(object: &Value, _: Option<&Value>) -> Vec<String> {
    let is_own = tree::str_at(object, "/metadata/name") == "kubernetes";
    let text = "this API server allocates addresses from the ranges with which it was started, which the ServiceCIDR \
                kubernetes shows; other ServiceCIDRs have no effect in it";
    (!is_own).then(|| text.to_owned()).into_iter().collect()
}

static TABLE: Table = Table {
    columns: &[NAME, Column::string("CIDRs", "Ranges that service addresses come from."), AGE],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(joined(tree::strings_at(row.object, "/spec/cidrs"))), row.age()]
}
