//! Config maps.

use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::core::data;
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
};
use crate::tree;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names};

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "ConfigMap", "configmaps")
        .singular("configmap")
        .namespaced()
        .short(&["cm"]),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::None,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

fn defaults(object: &mut Map<String, Value>) {
    if object.get("data").is_some_and(Value::is_null) {
        object.remove("data");
    }
}

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    data::frozen(new, old, &["data", "binaryData"], errors);
    let mut size = 0;
    let binary = tree::map(new, "/binaryData");
    let data = Path::root("data");
    for (key, value) in tree::entries(new, "/data") {
        errors.texts(&data.key(key), key, names::config_key(key));
        if binary.is_some_and(|binary| binary.contains_key(key)) {
            errors.invalid(&data.key(key), key, "duplicate of key present in binaryData");
        }
        size += value.as_str().map_or(0, str::len);
    }
    let data = Path::root("binaryData");
    for (key, value) in tree::entries(new, "/binaryData") {
        errors.texts(&data.key(key), key, names::config_key(key));
        size += data::decoded_length(value);
    }
    if size > data::LIMIT {
        // The error is about the whole object, so its path is empty, as upstream prints it.
        errors.too_long("[]", data::LIMIT as u64);
    }
}

static TABLE: Table = Table {
    columns: &[NAME, Column::string("Data", "Number of entries."), AGE],
    cells: |source| {
        vec![source.name(), json!(source.count("/data") + source.count("/binaryData")), source.age()]
    },
};
