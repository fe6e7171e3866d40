//! Rules that admission policies and their bindings share (kubernetes
//! pkg/apis/admissionregistration/{v1/defaults.go,validation/validation.go}). Expressions are checked by the clusters that
//! run the policy.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{rules, run_here};
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

/// Lists of a policy with expressions, and the fields of their elements that are expressions.
pub(super) type Expressions<'a> = &'a [(&'a str, &'a [&'a str])];

/// A policy that is run here must have expressions that can be evaluated here.
pub(super) fn check_expressions(
    spec: &Path<'_>,
    policy: &Value,
    expressions: Expressions<'_>,
    errors: &mut FieldErrors,
) {
    for (field, members) in expressions {
        let list = spec.child(field);
        for (index, item) in tree::list(policy, &format!("/spec/{field}")).iter().enumerate() {
            let path = list.index(index);
            for member in members.iter().filter(|member| !tree::is_unset(item.get(**member))) {
                let source = tree::str_at(item, &format!("/{member}"));
                run_here::check_expression(&path.child(member), source, &run_here::POLICY_VARIABLES, errors);
            }
        }
    }
}

/// Checks the variables of a policy.
pub(super) fn check_variables(list: &Path<'_>, policy: &Value, errors: &mut FieldErrors) {
    let mut seen = BTreeSet::new();
    for (index, variable) in tree::list(policy, "/spec/variables").iter().enumerate() {
        let (path, name) = (list.index(index), tree::str_at(variable, "/name"));
        if name.is_empty() {
            errors.required(&path.child("name"), "name is not specified");
        } else {
            let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if !name.bytes().all(is_inner) || name.starts_with(|first: char| first.is_ascii_digit()) {
                errors.invalid(&path.child("name"), name, "must be a valid CEL identifier");
            }
            if !seen.insert(name) {
                errors.duplicate(&path.child("name"), name);
            }
        }
        if tree::str_at(variable, "/expression").trim().is_empty() {
            errors.required(&path.child("expression"), "expression is not specified");
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
