//! Roles and bindings.

use serde_json::Value;

use super::errors::{FieldErrors, printed};
use super::path::Path;
use super::{names, selectors};
use crate::tree;

const GROUP: &str = "rbac.authorization.k8s.io";

pub(crate) fn role(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    rules(new, true, errors);
}

pub(crate) fn cluster_role(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    rules(new, false, errors);
    let Some(aggregation) = tree::present(new, "/aggregationRule") else { return };
    let root = Path::root("aggregationRule");
    let list = root.child("clusterRoleSelectors");
    let all = tree::list(aggregation, "/clusterRoleSelectors");
    if all.is_empty() {
        errors.required(&list, "at least one clusterRoleSelector required if aggregationRule is non-nil");
    }
    for (index, selector) in all.iter().enumerate() {
        let before = errors.len();
        selectors::selector(&list.index(index), selector, errors);
        if errors.len() > before {
            errors.invalid(&list.index(index), Value::Null, "invalid label selector.");
        }
    }
}

fn rules(role: &Value, is_namespaced: bool, errors: &mut FieldErrors) {
    let list = Path::root("rules");
    for (index, rule) in tree::list(role, "/rules").iter().enumerate() {
        let at = list.index(index);
        let is_empty = |field: &str| tree::list(rule, field).is_empty();
        if is_empty("/verbs") {
            errors.required(&at.child("verbs"), "verbs must contain at least one value");
        }
        if !is_empty("/nonResourceURLs") {
            let urls = rule["nonResourceURLs"].clone();
            let path = at.child("nonResourceURLs");
            if is_namespaced {
                errors.invalid(&path, urls.clone(), "namespaced rules cannot apply to non-resource URLs");
            }
            if !(is_empty("/apiGroups") && is_empty("/resources") && is_empty("/resourceNames")) {
                let detail = "rules cannot apply to both regular resources and non-resource URLs";
                errors.invalid(&path, urls, detail);
            }
            continue;
        }
        if is_empty("/apiGroups") {
            errors.required(&at.child("apiGroups"), "resource rules must supply at least one api group");
        }
        if is_empty("/resources") {
            errors.required(&at.child("resources"), "resource rules must supply at least one resource");
        }
    }
}

pub(crate) fn role_binding(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    binding(new, old, true, errors);
}

pub(crate) fn cluster_role_binding(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    binding(new, old, false, errors);
}

fn binding(new: &Value, old: Option<&Value>, is_namespaced: bool, errors: &mut FieldErrors) {
    let path = Path::root("roleRef");
    let group = tree::text(new, "/roleRef/apiGroup");
    if group != GROUP {
        errors.not_supported(&path.child("apiGroup"), group, &[GROUP]);
    }
    let kind = tree::text(new, "/roleRef/kind");
    let kinds: &[&str] = if is_namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    if !kinds.contains(&kind) {
        errors.not_supported(&path.child("kind"), kind, kinds);
    }
    match tree::text(new, "/roleRef/name") {
        "" => errors.required(&path.child("name"), ""),
        name => errors.texts(&path.child("name"), name, names::path_segment(name)),
    }
    let list = Path::root("subjects");
    for (index, subject) in tree::list(new, "/subjects").iter().enumerate() {
        self::subject(&list.index(index), subject, is_namespaced, errors);
    }
    if let Some(old) = old
        && new.get("roleRef") != old.get("roleRef")
    {
        let [group, kind, name] = ["apiGroup", "kind", "name"].map(|field| new["roleRef"].get(field));
        let text = printed(&[("APIGroup", group), ("Kind", kind), ("Name", name)]);
        errors.invalid_text(&path, text, "cannot change roleRef");
    }
}

fn subject(path: &Path<'_>, subject: &Value, is_namespaced: bool, errors: &mut FieldErrors) {
    let [kind, group, name] = ["/kind", "/apiGroup", "/name"].map(|field| tree::text(subject, field));
    if name.is_empty() {
        errors.required(&path.child("name"), "");
    }
    match kind {
        "ServiceAccount" => {
            if !name.is_empty() {
                errors.texts(&path.child("name"), name, names::subdomain(name));
            }
            if !group.is_empty() {
                errors.not_supported(&path.child("apiGroup"), group, &[""]);
            }
            if !is_namespaced && tree::text(subject, "/namespace").is_empty() {
                errors.required(&path.child("namespace"), "");
            }
        }
        "User" | "Group" => {
            if group != GROUP {
                errors.not_supported(&path.child("apiGroup"), group, &[GROUP]);
            }
        }
        _ => errors.not_supported(&path.child("kind"), kind, &["ServiceAccount", "User", "Group"]),
    }
}
