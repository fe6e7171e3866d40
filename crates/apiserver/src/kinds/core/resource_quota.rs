//! Resource quotas.

mod amounts;
pub(crate) mod counter;
pub(crate) mod enforcement;
pub(crate) mod recount;
mod scopes;
#[cfg(test)]
mod tests;
mod validation;

use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule, Subresource, quantities, status,
};
use crate::tree;
use crate::tree::child_if_present;

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "ResourceQuota", "resourcequotas")
        .singular("resourcequota")
        .namespaced()
        .short(&["quota"])
        .delete_returns_object()
        .subresources(&[Subresource::status("ResourceQuota")]),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: Defined(status::empty_status),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validation::validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

fn defaults(object: &mut Map<String, Value>) {
    if let Some(spec) = child_if_present(object, "spec") {
        quantities::canonical_map(spec, "hard");
    }
    if let Some(status) = child_if_present(object, "status") {
        quantities::canonical_map(status, "hard");
        quantities::canonical_map(status, "used");
    }
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Request", "Used and allowed amount of each counted resource."),
        Column::string("Limit", "Used and allowed amount of each limited resource."),
        AGE,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let mut requests = Vec::new();
    let mut limits = Vec::new();
    for (resource, hard) in tree::entries(row.object, "/status/hard") {
        let used = tree::map(row.object, "/status/used").and_then(|used| used.get(resource));
        let used = used.and_then(Value::as_str).unwrap_or("0");
        let cell = format!("{resource}: {used}/{}", hard.as_str().unwrap_or("0"));
        if resource.starts_with("limits.") { limits.push(cell) } else { requests.push(cell) }
    }
    vec![row.name(), json!(requests.join(", ")), json!(limits.join(", ")), row.age()]
}
