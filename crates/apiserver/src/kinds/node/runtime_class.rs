//! Runtime classes.

use serde_json::{Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DEFAULTS,
    NO_DELETION_STATE, NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
};
use crate::tree;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, metadata, names};

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "RuntimeClass", "runtimeclasses")
        .singular("runtimeclass")
        .create_on_update()
        .update_requires_version(),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::None,
    finalizers: FinalizerRule::Unchecked,
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
    let path = Path::root("handler");
    match tree::str_at(new, "/handler") {
        "" => errors.required(&path, ""),
        handler => errors.texts(&path, handler, names::label(handler)),
    }
    let scheduling = Path::root("scheduling");
    metadata::labels(&scheduling.child("nodeSelector"), tree::at(new, "/scheduling/nodeSelector"), errors);
    if let Some(old) = old {
        errors.immutable(&path, new, old, "/handler");
    }
}

static TABLE: Table = Table {
    columns: &[NAME, Column::string("Handler", "Configuration of the runtime."), AGE],
    cells: |source| vec![source.name(), json!(source.text("/handler")), source.age()],
};
