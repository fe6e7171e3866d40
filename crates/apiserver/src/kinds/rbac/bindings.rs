//! Rules that role bindings and cluster role bindings share.

use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::tree;
use crate::tree::{child_if_present, children, default};
use crate::validation::errors::printed;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names};

pub(crate) fn defaults(object: &mut Map<String, Value>) {
    if let Some(role) = child_if_present(object, "roleRef") {
        default(role, "apiGroup", GROUP);
    }
    for subject in children(object, "subjects") {
        if matches!(subject.get("kind").and_then(Value::as_str), Some("User" | "Group")) {
            default(subject, "apiGroup", GROUP);
        }
    }
}

pub(crate) fn validate(new: &Value, old: Option<&Value>, is_namespaced: bool, errors: &mut FieldErrors) {
    let path = Path::root("roleRef");
    let group = tree::str_at(new, "/roleRef/apiGroup");
    if group != GROUP {
        errors.not_supported(&path.child("apiGroup"), group, &[GROUP]);
    }
    let kind = tree::str_at(new, "/roleRef/kind");
    let kinds: &[&str] = if is_namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    if !kinds.contains(&kind) {
        errors.not_supported(&path.child("kind"), kind, kinds);
    }
    match tree::str_at(new, "/roleRef/name") {
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
    let [kind, group, name] = ["/kind", "/apiGroup", "/name"].map(|field| tree::str_at(subject, field));
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
            if !is_namespaced && tree::str_at(subject, "/namespace").is_empty() {
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

pub(crate) static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Role", "Role that is granted."),
        AGE,
        Column::string("Users", "Users who hold the role.").wide(),
        Column::string("Groups", "Groups that hold the role.").wide(),
        Column::string("ServiceAccounts", "Service accounts that hold the role.").wide(),
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let subjects = |kind: &str| {
        let of_kind = row.list("/subjects").iter().filter(|entry| tree::str_at(entry, "/kind") == kind);
        let names = of_kind.map(|entry| match kind {
            "ServiceAccount" => {
                format!("{}/{}", tree::str_at(entry, "/namespace"), tree::str_at(entry, "/name"))
            }
            _ => tree::str_at(entry, "/name").to_owned(),
        });
        json!(names.collect::<Vec<_>>().join(", "))
    };
    vec![
        row.name(),
        json!(format!("{}/{}", row.text("/roleRef/kind"), row.text("/roleRef/name"))),
        row.age(),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}
