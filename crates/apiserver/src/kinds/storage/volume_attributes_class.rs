//! Classes of volume attributes.

use serde_json::json;

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DEFAULTS,
    NO_DELETION_STATE, NO_INITIAL_STATE, NO_KEPT_STATE, NO_SPEC_RULES, NO_WARNINGS, NameRule, ONE_FORM,
    StatusRule,
};

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
    validate: NotNeeded(NO_SPEC_RULES),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

static TABLE: Table = Table {
    columns: &[NAME, Column::string("DriverName", "Driver that knows the attributes."), AGE],
    cells: |source| vec![source.name(), json!(source.text("/driverName")), source.age()],
};
