//! IP addresses of Services.

use serde_json::{Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::Row;
use crate::kinds::table::{Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DEFAULTS,
    NO_DELETION_STATE, NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
};
use crate::tree;
use crate::validation::FieldErrors;
use crate::validation::path::Path;

const SPEC: Path<'static> = Path::root("spec");

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "IPAddress", "ipaddresses")
        .singular("ipaddress")
        .short(&["ip"]),
    names: NameRule::Address,
    generation: Generation::None,
    status: StatusRule::None,
    finalizers: FinalizerRule::Standard,
    defaults: NotNeeded(NO_DEFAULTS),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let path = SPEC.child("parentRef");
    match tree::present(new, "/spec/parentRef") {
        None => errors.required(&path, ""),
        Some(parent) => {
            for field in ["resource", "name"] {
                if tree::is_unset(parent.get(field)) {
                    errors.required(&path.child(field), "");
                }
            }
        }
    }
    if let Some(old) = old {
        errors.immutable(&path, new, old, "/spec/parentRef");
    }
}

static TABLE: Table =
    Table { columns: &[NAME, Column::string("ParentRef", "Object that holds the address.")], cells };

fn cells(row: Row<'_>) -> Vec<Value> {
    let parent = tree::present(row.object, "/spec/parentRef").map(|parent| {
        let resource = tree::str_at(parent, "/resource");
        let resource = match tree::str_at(parent, "/group") {
            "" => resource.to_owned(),
            group => format!("{resource}.{group}"),
        };
        let namespace = tree::str_at(parent, "/namespace");
        let parts = [resource.to_lowercase(), namespace.to_owned(), tree::str_at(parent, "/name").to_owned()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    });
    vec![row.name(), json!(parent.as_deref().unwrap_or("<none>"))]
}
