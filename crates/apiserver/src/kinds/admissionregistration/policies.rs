//! Rules that admission policies and their bindings share (kubernetes
//! pkg/apis/admissionregistration/{v1/defaults.go,validation/validation.go}). Expressions are checked by the clusters that
//! run the policy.

use serde_json::{Map, Value, json};

use super::rules;
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::tree::{self, child, child_if_present, default};
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names, selectors};

const NOT_FOUND_ACTIONS: &[&str] = &["Deny", "Allow"];

/// Sets the defaults of a policy.
pub(super) fn default_policy(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    default(spec, "failurePolicy", "Fail");
    default_resources(spec, "matchConstraints");
}

/// Sets the defaults of a binding.
pub(super) fn default_binding(object: &mut Map<String, Value>) {
    if let Some(spec) = child(object, "spec") {
        default_resources(spec, "matchResources");
    }
}

fn default_resources(spec: &mut Map<String, Value>, field: &str) {
    let Some(resources) = child_if_present(spec, field) else { return };
    rules::default_matching(resources);
    rules::default_scopes(resources, "resourceRules");
    rules::default_scopes(resources, "excludeResourceRules");
}

/// Checks what all policies have.
pub(super) fn validate_policy(new: &Value, errors: &mut FieldErrors) {
    let path = Path::root("spec");
    let spec = new.get("spec").unwrap_or(&Value::Null);
    errors.one_of(
        &path.child("failurePolicy"),
        tree::str_at(spec, "/failurePolicy"),
        rules::FAILURE_POLICIES,
    );
    if let Some(kind) = tree::present(spec, "/paramKind") {
        for field in ["apiVersion", "kind"] {
            if tree::is_unset(kind.get(field)) {
                errors.required(&path.child("paramKind").child(field), "");
            }
        }
    }
    rules::check_conditions(&path.child("matchConditions"), spec, errors);
    let constraints = path.child("matchConstraints");
    match tree::present(spec, "/matchConstraints") {
        None => errors.required(&constraints, ""),
        Some(found) => {
            rules::check_resources(&constraints, found, errors);
            if tree::list(found, "/resourceRules").is_empty() {
                errors.required(&constraints.child("resourceRules"), "");
            }
        }
    }
}

/// Checks what all bindings have.
pub(super) fn validate_binding(new: &Value, errors: &mut FieldErrors) {
    let path = Path::root("spec");
    let spec = new.get("spec").unwrap_or(&Value::Null);
    match tree::str_at(spec, "/policyName") {
        "" => errors.required(&path.child("policyName"), ""),
        name => errors.texts(&path.child("policyName"), name, names::subdomain(name)),
    }
    if let Some(parameters) = tree::present(spec, "/paramRef") {
        check_parameters(&path.child("paramRef"), parameters, errors);
    }
    if let Some(resources) = tree::present(spec, "/matchResources") {
        rules::check_resources(&path.child("matchResources"), resources, errors);
    }
}

fn check_parameters(path: &Path<'_>, parameters: &Value, errors: &mut FieldErrors) {
    let name = tree::str_at(parameters, "/name");
    errors.texts(
        &path.child("name"),
        name,
        if name.is_empty() { Vec::new() } else { names::path_segment(name) },
    );
    match (name.is_empty(), tree::present(parameters, "/selector")) {
        (true, None) => errors.required(path, "one of name or selector must be specified"),
        (true, Some(selector)) => selectors::selector(&path.child("selector"), selector, errors),
        (false, None) => {}
        (false, Some(_)) => {
            for field in ["name", "selector"] {
                errors.forbidden(&path.child(field), "name and selector are mutually exclusive");
            }
        }
    }
    let action = tree::str_at(parameters, "/parameterNotFoundAction");
    errors.one_of(&path.child("parameterNotFoundAction"), action, NOT_FOUND_ACTIONS);
}

/// The table of both kinds of bindings.
pub(super) static BINDING_TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("PolicyName", "Policy that is put to use."),
        Column::string("ParamRef", "Object that sets the parameters."),
        AGE,
    ],
    cells: binding_cells,
};

fn binding_cells(row: Row<'_>) -> Vec<Value> {
    let parameters = match row.text("/spec/paramRef/name") {
        "" => "<unset>".to_owned(),
        name => format!("{}/{name}", row.text_or("/spec/paramRef/namespace", "*")),
    };
    vec![row.name(), json!(row.text("/spec/policyName")), json!(parameters), row.age()]
}

/// The cell for the kind of a policy's parameters.
pub(super) fn parameter_kind(row: Row<'_>) -> Value {
    let kind = tree::present(row.object, "/spec/paramKind")
        .map(|kind| format!("{}/{}", tree::str_at(kind, "/apiVersion"), tree::str_at(kind, "/kind")));
    json!(kind.as_deref().unwrap_or("<unset>"))
}
