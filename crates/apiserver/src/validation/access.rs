//! Roles and bindings.

use serde_json::Value;

use super::faults::{Faults, printed};
use super::path::Path;
use super::{names, selectors};
use crate::tree;

const GROUP: &str = "rbac.authorization.k8s.io";

pub(super) fn role(new: &Value, _: Option<&Value>, faults: &mut Faults) {
    rules(new, true, faults);
}

pub(super) fn cluster_role(new: &Value, _: Option<&Value>, faults: &mut Faults) {
    rules(new, false, faults);
    let Some(aggregation) = tree::present(new, "/aggregationRule") else { return };
    let root = Path::root("aggregationRule");
    let list = root.child("clusterRoleSelectors");
    let all = tree::list(aggregation, "/clusterRoleSelectors");
    if all.is_empty() {
        faults.required(&list, "at least one clusterRoleSelector required if aggregationRule is non-nil");
    }
    for (index, selector) in all.iter().enumerate() {
        let before = faults.len();
        selectors::selector(&list.index(index), selector, faults);
        if faults.len() > before {
            faults.invalid(&list.index(index), Value::Null, "invalid label selector.");
        }
    }
}

fn rules(role: &Value, is_namespaced: bool, faults: &mut Faults) {
    let list = Path::root("rules");
    for (index, rule) in tree::list(role, "/rules").iter().enumerate() {
        let at = list.index(index);
        let is_empty = |field: &str| tree::list(rule, field).is_empty();
        if is_empty("/verbs") {
            faults.required(&at.child("verbs"), "verbs must contain at least one value");
        }
        if !is_empty("/nonResourceURLs") {
            let urls = rule["nonResourceURLs"].clone();
            let path = at.child("nonResourceURLs");
            if is_namespaced {
                faults.invalid(&path, urls.clone(), "namespaced rules cannot apply to non-resource URLs");
            }
            if !(is_empty("/apiGroups") && is_empty("/resources") && is_empty("/resourceNames")) {
                let detail = "rules cannot apply to both regular resources and non-resource URLs";
                faults.invalid(&path, urls, detail);
            }
            continue;
        }
        if is_empty("/apiGroups") {
            faults.required(&at.child("apiGroups"), "resource rules must supply at least one api group");
        }
        if is_empty("/resources") {
            faults.required(&at.child("resources"), "resource rules must supply at least one resource");
        }
    }
}

pub(super) fn role_binding(new: &Value, old: Option<&Value>, faults: &mut Faults) {
    binding(new, old, true, faults);
}

pub(super) fn cluster_role_binding(new: &Value, old: Option<&Value>, faults: &mut Faults) {
    binding(new, old, false, faults);
}

fn binding(new: &Value, old: Option<&Value>, is_namespaced: bool, faults: &mut Faults) {
    let path = Path::root("roleRef");
    let group = tree::text(new, "/roleRef/apiGroup");
    if group != GROUP {
        faults.not_supported(&path.child("apiGroup"), group, &[GROUP]);
    }
    let kind = tree::text(new, "/roleRef/kind");
    let kinds: &[&str] = if is_namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    if !kinds.contains(&kind) {
        faults.not_supported(&path.child("kind"), kind, kinds);
    }
    match tree::text(new, "/roleRef/name") {
        "" => faults.required(&path.child("name"), ""),
        name => faults.texts(&path.child("name"), name, names::path_segment(name)),
    }
    let list = Path::root("subjects");
    for (index, subject) in tree::list(new, "/subjects").iter().enumerate() {
        self::subject(&list.index(index), subject, is_namespaced, faults);
    }
    if let Some(old) = old
        && new.get("roleRef") != old.get("roleRef")
    {
        let [group, kind, name] = ["apiGroup", "kind", "name"].map(|field| new["roleRef"].get(field));
        let text = printed(&[("APIGroup", group), ("Kind", kind), ("Name", name)]);
        faults.invalid_text(&path, text, "cannot change roleRef");
    }
}

fn subject(path: &Path<'_>, subject: &Value, is_namespaced: bool, faults: &mut Faults) {
    let [kind, group, name] = ["/kind", "/apiGroup", "/name"].map(|field| tree::text(subject, field));
    if name.is_empty() {
        faults.required(&path.child("name"), "");
    }
    match kind {
        "ServiceAccount" => {
            if !name.is_empty() {
                faults.texts(&path.child("name"), name, names::subdomain(name));
            }
            if !group.is_empty() {
                faults.not_supported(&path.child("apiGroup"), group, &[""]);
            }
            if !is_namespaced && tree::text(subject, "/namespace").is_empty() {
                faults.required(&path.child("namespace"), "");
            }
        }
        "User" | "Group" => {
            if group != GROUP {
                faults.not_supported(&path.child("apiGroup"), group, &[GROUP]);
            }
        }
        _ => faults.not_supported(&path.child("kind"), kind, &["ServiceAccount", "User", "Group"]),
    }
}
