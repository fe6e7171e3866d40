//! Limit ranges.

pub(crate) mod enforcement;
mod validation;

use serde_json::{Map, Value};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, DEFAULT_TABLE, FinalizerRule, Generation, NAME_AND_NAMESPACE,
    NO_DELETION_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule, quantities,
};
use crate::tree;
use crate::tree::{child, child_if_present, children};
use crate::validation::FieldErrors;

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "LimitRange", "limitranges")
        .singular("limitrange")
        .namespaced()
        .short(&["limits"])
        .create_on_update(),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::None,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: Defined(name_after_uid),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: NotNeeded(DEFAULT_TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

fn defaults(object: &mut Map<String, Value>) {
    let Some(spec) = child_if_present(object, "spec") else { return };
    for limit in children(spec, "limits") {
        for name in ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] {
            quantities::canonical_map(limit, name);
        }
        if limit.get("type").and_then(Value::as_str) == Some("Container") {
            copy_missing(limit, "max", "default");
            copy_missing(limit, "default", "defaultRequest");
            copy_missing(limit, "min", "defaultRequest");
        }
    }
}

/// Adds the entries of one map that another one lacks.
fn copy_missing(parent: &mut Map<String, Value>, from: &str, to: &str) {
    let Some(source) = parent.get(from).and_then(Value::as_object).cloned() else { return };
    if let Some(target) = child(parent, to) {
        for (name, amount) in source {
            target.entry(name).or_insert(amount);
        }
    }
}

/// A range without a name gets one (`PrepareForCreate` of kubernetes pkg/registry/core/limitrange/strategy.go).
fn name_after_uid(object: &mut Value) {
    if tree::str_at(object, "/metadata/name").is_empty() {
        object["metadata"]["name"] = object["metadata"]["uid"].clone();
    }
}

fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    validation::validate(new, errors);
}
