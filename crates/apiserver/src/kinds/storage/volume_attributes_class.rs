//! Classes of volume attributes.

use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DEFAULTS,
    NO_DELETION_STATE, NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
};
use crate::tree;
use crate::validation::FieldErrors;
use crate::validation::path::Path;

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "VolumeAttributesClass", "volumeattributesclasses")
        .singular("volumeattributesclass")
        .delete_returns_object()
        .short(&["vac"]),
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
    super::check_provisioner(&Path::root("driverName"), tree::str_at(new, "/driverName"), errors);
    if tree::map(new, "/parameters").is_none_or(Map::is_empty) {
        errors.required(&Path::root("parameters"), "must contain at least one key/value pair");
    }
    if let Some(old) = old {
        errors.immutable(&Path::root("driverName"), new, old, "/driverName");
        errors.immutable(&Path::root("parameters"), new, old, "/parameters");
    }
}

static TABLE: Table = Table {
    columns: &[NAME, Column::string("DriverName", "Driver that knows the attributes."), AGE],
    cells: |source| vec![source.name(), json!(source.text("/driverName")), source.age()],
};
