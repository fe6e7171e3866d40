//! Validation of resource quotas (kubernetes pkg/apis/core/validation/validation.go).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::tree;
use crate::validation::errors::IMMUTABLE;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, resources};

const SPEC: Path<'static> = Path::root("spec");
const SCOPES: [&str; 7] = [
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
    "VolumeAttributesClass",
];
/// Scopes of which no object has both.
const OPPOSITES: [[&str; 2]; 2] = [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]];

pub(super) fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let path = SPEC.child("hard");
    for (name, amount) in tree::entries(new, "/spec/hard") {
        resources::quota(&path.key(name), name, amount, errors);
    }
    scopes(new, errors);
    selected_scopes(new, errors);
    let of = |object| -> BTreeSet<&str> { tree::strings_at(object, "/spec/scopes").collect() };
    if let Some(old) = old
        && of(new) != of(old)
    {
        errors.invalid(&SPEC.child("scopes"), scopes_of(new), IMMUTABLE);
    }
}

/// Scopes pick pods, or claims, so they go with resources of those only.
fn scopes(quota: &Value, errors: &mut FieldErrors) {
    let path = SPEC.child("scopes");
    let scopes: Vec<&str> = tree::strings_at(quota, "/spec/scopes").collect();
    for scope in &scopes {
        if !SCOPES.contains(scope) {
            errors.invalid(&path, scopes_of(quota), "unsupported scope");
        }
        for (name, _) in tree::entries(quota, "/spec/hard") {
            if resources::is_of_quotas(name) && !is_in_scope(scope, name) {
                errors.invalid(&path, scopes_of(quota), "unsupported scope applied to resource");
            }
        }
    }
    for pair in OPPOSITES {
        if pair.iter().all(|scope| scopes.contains(scope)) {
            errors.invalid(&path, scopes_of(quota), "conflicting scopes");
        }
    }
}

/// The scopes of `spec.scopeSelector`.
fn selected_scopes(quota: &Value, errors: &mut FieldErrors) {
    let parent = SPEC.child("scopeSelector");
    let path = parent.child("matchExpressions");
    let expressions = tree::list(quota, "/spec/scopeSelector/matchExpressions");
    for expression in expressions {
        let scope = tree::str_at(expression, "/scopeName");
        if !SCOPES.contains(&scope) {
            errors.invalid(&path.child("scopeName"), scope, "unsupported scope");
        }
        for (name, _) in tree::entries(quota, "/spec/hard") {
            if resources::is_of_quotas(name) && !is_in_scope(scope, name) {
                errors.invalid(
                    &path,
                    quota["spec"]["scopeSelector"].clone(),
                    "unsupported scope applied to resource",
                );
            }
        }
        operator(&path, scope, expression, errors);
    }
    let scopes: Vec<&str> =
        expressions.iter().map(|expression| tree::str_at(expression, "/scopeName")).collect();
    for pair in OPPOSITES {
        if pair.iter().all(|scope| scopes.contains(scope)) {
            errors.invalid(&path, scopes_of(quota), "conflicting scopes");
        }
    }
}

fn operator(path: &Path<'_>, scope: &str, expression: &Value, errors: &mut FieldErrors) {
    let operator = tree::str_at(expression, "/operator");
    if !matches!(scope, "PriorityClass" | "VolumeAttributesClass")
        && SCOPES.contains(&scope)
        && operator != "Exists"
    {
        let detail = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, \
                      ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort \
                      or ResourceQuotaScopeCrossNamespacePodAffinity";
        errors.invalid(&path.child("operator"), operator, detail);
    }
    let values = tree::list(expression, "/values");
    match operator {
        "In" | "NotIn" if values.is_empty() => {
            let detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
            errors.required(&path.child("values"), detail);
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
            errors.invalid(&path.child("values"), expression["values"].clone(), detail);
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        _ => errors.invalid(&path.child("operator"), operator, "not a valid selector operator"),
    }
}

fn scopes_of(quota: &Value) -> Value {
    quota.pointer("/spec/scopes").cloned().unwrap_or(Value::Null)
}

fn is_in_scope(scope: &str, resource: &str) -> bool {
    let is_compute = matches!(
        resource,
        "cpu" | "memory" | "limits.cpu" | "limits.memory" | "requests.cpu" | "requests.memory"
    );
    match scope {
        "BestEffort" => resource == "pods",
        "VolumeAttributesClass" => matches!(resource, "persistentvolumeclaims" | "requests.storage"),
        scope if SCOPES.contains(&scope) => resource == "pods" || is_compute,
        _ => true,
    }
}
