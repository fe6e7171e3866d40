//! Controller revisions.

use portolan_object::GroupVersion;
use serde_json::{Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DEFAULTS,
    NO_DELETION_STATE, NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
};
use crate::tree;
use crate::validation::FieldErrors;
use crate::validation::path::Path;

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "ControllerRevision", "controllerrevisions")
        .singular("controllerrevision")
        .namespaced(),
    names: NameRule::Subdomain,
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
    if tree::integer(new, "/revision").is_some_and(|revision| revision < 0) {
        let revision = new["revision"].clone();
        errors.invalid(&Path::root("revision"), revision, "must be greater than or equal to 0");
    }
    let path = Path::root("data");
    match (old, tree::present(new, "/data")) {
        (Some(old), _) => errors.immutable(&path, new, old, "/data"),
        (None, None) => errors.required(&path, "data is mandatory"),
        (None, Some(Value::Object(_))) => {}
        (None, Some(_)) => errors.required(&path, "data must be a valid JSON object"),
    }
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Controller", "Owner of the revision."),
        Column::string("Revision", "Number of the revision; later ones are higher."),
        AGE,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let mut owners = row.list("/metadata/ownerReferences").iter();
    let controller = owners.find(|owner| tree::is_true(owner, "/controller")).map(|owner| {
        let version = tree::str_at(owner, "/apiVersion").parse();
        let group = version.map(|version: GroupVersion| version.group).unwrap_or_default();
        let kind = tree::str_at(owner, "/kind");
        let name = tree::str_at(owner, "/name");
        let kind = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        format!("{}/{name}", kind.to_lowercase())
    });
    vec![
        row.name(),
        json!(controller.as_deref().unwrap_or("<none>")),
        json!(row.integer("/revision")),
        row.age(),
    ]
}
