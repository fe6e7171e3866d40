//! Resource quotas.

use std::collections::BTreeSet;

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
    validate: Defined(validate),
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

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let path = SPEC.child("hard");
    for (name, amount) in tree::entries(new, "/spec/hard") {
        resources::quota(&path.key(name), name, amount, errors);
    }
    scopes(new, errors);
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
    for pair in [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]] {
        if pair.iter().all(|scope| scopes.contains(scope)) {
            errors.invalid(&path, scopes_of(quota), "conflicting scopes");
        }
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
