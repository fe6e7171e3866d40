//! Rules of what a webhook or a policy looks at: groups, versions, resources and operations (kubernetes
//! pkg/apis/admissionregistration/validation/validation.go).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::tree::{self, children, default};
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names, selectors};

const OPERATIONS: &[&str] = &["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const MATCH_POLICIES: &[&str] = &["Equivalent", "Exact"];
const SCOPES: &[&str] = &["*", "Cluster", "Namespaced"];
pub(super) const FAILURE_POLICIES: &[&str] = &["Fail", "Ignore"];

/// Sets `scope` of the rules in a field.
pub(super) fn default_scopes(parent: &mut Map<String, Value>, field: &str) {
    children(parent, field).for_each(|rule| default(rule, "scope", "*"));
}

/// Sets the fields by which webhooks and policies select requests.
pub(super) fn default_matching(parent: &mut Map<String, Value>) {
    default(parent, "matchPolicy", "Equivalent");
    default(parent, "namespaceSelector", json!({}));
    default(parent, "objectSelector", json!({}));
}

/// Checks `matchPolicy` and the selectors.
pub(super) fn check_matching(path: &Path<'_>, object: &Value, errors: &mut FieldErrors) {
    supported(path, object, "matchPolicy", MATCH_POLICIES, errors);
    for field in ["namespaceSelector", "objectSelector"] {
        if let Some(selector) = object.get(field) {
            selectors::selector(&path.child(field), selector, errors);
        }
    }
}

/// Checks `MatchResources` of a policy or a binding.
pub(super) fn check_resources(path: &Path<'_>, resources: &Value, errors: &mut FieldErrors) {
    check_matching(path, resources, errors);
    for field in ["resourceRules", "excludeResourceRules"] {
        let list = path.child(field);
        for (index, rule) in tree::list(resources, &format!("/{field}")).iter().enumerate() {
            check_names(&list.index(index), rule, errors);
            check(&list.index(index), rule, errors);
        }
    }
}

fn check_names(path: &Path<'_>, rule: &Value, errors: &mut FieldErrors) {
    let (list, mut seen) = (path.child("resourceNames"), BTreeSet::new());
    for (index, name) in tree::strings_at(rule, "/resourceNames").enumerate() {
        errors.texts(&list.index(index), name, names::path_segment(name));
        if !seen.insert(name) {
            errors.duplicate(&list.index(index), name);
        }
    }
}

/// Checks one rule with its operations.
pub(super) fn check(path: &Path<'_>, rule: &Value, errors: &mut FieldErrors) {
    let operations = path.child("operations");
    exclusive(&operations, rule, "operations", errors);
    for (index, operation) in tree::strings_at(rule, "/operations").enumerate() {
        if !OPERATIONS.contains(&operation) {
            errors.not_supported(&operations.index(index), operation, OPERATIONS);
        }
    }
    exclusive(&path.child("apiGroups"), rule, "apiGroups", errors);
    let versions = path.child("apiVersions");
    exclusive(&versions, rule, "apiVersions", errors);
    for (index, version) in tree::strings_at(rule, "/apiVersions").enumerate() {
        if version.is_empty() {
            errors.required(&versions.index(index), "");
        }
    }
    check_resource_names(&path.child("resources"), rule, errors);
    supported(path, rule, "scope", SCOPES, errors);
}

/// A list that must not be empty, and in which `*` stands alone.
fn exclusive(path: &Path<'_>, rule: &Value, field: &str, errors: &mut FieldErrors) {
    let items: Vec<&str> = tree::strings_at(rule, &format!("/{field}")).collect();
    if items.is_empty() {
        errors.required(path, "");
    }
    if items.len() > 1 && items.contains(&"*") {
        let what = match field {
            "apiGroups" => "API groups",
            "apiVersions" => "API versions",
            other => other,
        };
        errors.invalid(path, json!(items), format!("if '*' is present, must not specify other {what}"));
    }
}

/// Resources and subresources: `pods`, `pods/log`, `pods/*`, `*/scale`, `*` and `*/*`.
fn check_resource_names(path: &Path<'_>, rule: &Value, errors: &mut FieldErrors) {
    let resources: Vec<&str> = tree::strings_at(rule, "/resources").collect();
    if resources.is_empty() {
        errors.required(path, "");
    }
    let (mut whole, mut everywhere) = (BTreeSet::new(), BTreeSet::new());
    for (index, name) in resources.iter().enumerate() {
        let path = path.index(index);
        if name.is_empty() {
            errors.required(&path, "");
        }
        let Some((resource, subresource)) = name.split_once('/') else { continue };
        if whole.contains(resource) {
            errors.invalid(&path, *name, format!("if '{resource}/*' is present, must not specify {name}"));
        }
        if everywhere.contains(subresource) {
            errors.invalid(&path, *name, format!("if '*/{subresource}' is present, must not specify {name}"));
        }
        if subresource == "*" {
            whole.insert(resource);
        }
        if resource == "*" {
            everywhere.insert(subresource);
        }
    }
    if resources.len() > 1 && resources.contains(&"*/*") {
        errors.invalid(path, json!(resources), "if '*/*' is present, must not specify other resources");
    }
    let is_plain = |name: &&str| !name.contains('/') && *name != "*";
    if resources.contains(&"*") && resources.iter().any(is_plain) {
        let detail = "if '*' is present, must not specify other resources without subresources";
        errors.invalid(path, json!(resources), detail);
    }
}

/// A word of a list, when it is there.
pub(super) fn supported(
    path: &Path<'_>,
    object: &Value,
    field: &str,
    allowed: &[&str],
    errors: &mut FieldErrors,
) {
    if let Some(word) = object.get(field).and_then(Value::as_str)
        && !allowed.contains(&word)
    {
        errors.not_supported(&path.child(field), word, allowed);
    }
}

/// Checks conditions under which a webhook or a policy is asked.
pub(super) fn check_conditions(path: &Path<'_>, parent: &Value, errors: &mut FieldErrors) {
    let mut seen = BTreeSet::new();
    for (index, condition) in tree::list(parent, "/matchConditions").iter().enumerate() {
        let path = path.index(index);
        if tree::str_at(condition, "/expression").trim().is_empty() {
            errors.required(&path.child("expression"), "");
        }
        match tree::str_at(condition, "/name") {
            "" => errors.required(&path.child("name"), ""),
            name => {
                errors.texts(&path.child("name"), name, names::label_key_errors(name));
                if !seen.insert(name) {
                    errors.duplicate(&path.child("name"), name);
                }
            }
        }
    }
}
