//! The fields in which two objects differ, as people read them in a diff.
//!
//! Items of a list are told apart by their `name` when all have one, as the items of most lists of Kubernetes have.

use std::collections::BTreeSet;

use portolan_api::resources;
use portolan_object::Object;
use serde::Serialize;
use serde_json::{Map, Value};

/// One field that differs. An absent side means that the object does not have the field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldChange {
    /// Such as `spec.template.spec.containers[name=web].image`.
    pub path: String,
    /// The value before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// The value after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
}

impl std::fmt::Display for FieldChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = &self.path;
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => write!(f, "{path}: {old} -> {new}"),
            (None, Some(new)) => write!(f, "{path}: {new} (added)"),
            (Some(old), None) => write!(f, "{path}: {old} (removed)"),
            (None, None) => write!(f, "{path}"),
        }
    }
}

/// The annotation in which `kubectl apply` keeps the whole object that it sent.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The fields in which two manifests differ, without `status` and without the bookkeeping in metadata: names under
/// `karmada.io` and `portolan.dev`, and kubectl's copy of the object. Values of Secrets are hidden.
pub fn manifest_changes(old: &Object, new: &Object) -> Vec<FieldChange> {
    let is_secret = resources::SECRET.is_kind_of(new) || resources::SECRET.is_kind_of(old);
    let mut changes = field_changes(&without_marks(old), &without_marks(new));
    if is_secret {
        changes.iter_mut().for_each(hide_secret);
    }
    changes
}

/// Whether two versions of one object differ in nothing but what the API server counts.
pub fn is_same_object(old: &Object, new: &Object) -> bool {
    let content = |object: &Object| {
        let mut value = object.0.clone();
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            for field in ["resourceVersion", "generation", "managedFields"] {
                metadata.remove(field);
            }
            if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.remove(LAST_APPLIED);
            }
        }
        value
    };
    content(old) == content(new)
}

/// The fields in which two values differ, in the order of their paths.
pub fn field_changes(old: &Value, new: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare("", Some(old), Some(new), &mut changes);
    changes
}

/// Whether a key of a label or annotation is the control plane's own.
pub fn is_mark(key: &str) -> bool {
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    ["karmada.io", "portolan.dev"]
        .iter()
        .any(|own| domain.strip_suffix(own).is_some_and(|before| before.is_empty() || before.ends_with('.')))
}

fn without_marks(object: &Object) -> Value {
    let mut value = object.0.clone();
    if let Some(root) = value.as_object_mut() {
        root.remove("status");
    }
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else { return value };
    for field in ["resourceVersion", "uid", "generation", "creationTimestamp", "managedFields"] {
        metadata.remove(field);
    }
    for field in ["labels", "annotations"] {
        let Some(entries) = metadata.get_mut(field).and_then(Value::as_object_mut) else { continue };
        entries.retain(|key, _| !is_mark(key) && key != LAST_APPLIED);
        if entries.is_empty() {
            metadata.remove(field);
        }
    }
    value
}

fn hide_secret(change: &mut FieldChange) {
    if !["data", "stringData"].iter().any(|field| change.path.starts_with(field)) {
        return;
    }
    if change.old.is_some() {
        change.old = Some(Value::from("*** (before)"));
    }
    if change.new.is_some() {
        change.new = Some(Value::from("*** (after)"));
    }
}

fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<FieldChange>) {
    if old == new {
        return;
    }
    match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => compare_maps(path, old, new, changes),
        (Some(Value::Array(old)), Some(Value::Array(new))) => compare_lists(path, old, new, changes),
        _ => changes.push(FieldChange { path: path.to_owned(), old: old.cloned(), new: new.cloned() }),
    }
}

fn compare_maps(
    path: &str,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    changes: &mut Vec<FieldChange>,
) {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        compare(&joined(path, name), old.get(name), new.get(name), changes);
    }
}

fn joined(path: &str, name: &str) -> String {
    let is_plain =
        !name.is_empty() && name.chars().all(|one| one.is_ascii_alphanumeric() || "-_".contains(one));
    match (path, is_plain) {
        ("", true) => name.to_owned(),
        (path, true) => format!("{path}.{name}"),
        (path, false) => format!("{path}[{name}]"),
    }
}

fn compare_lists(path: &str, old: &[Value], new: &[Value], changes: &mut Vec<FieldChange>) {
    if let (Some(old_names), Some(new_names)) = (names(old), names(new)) {
        let all: BTreeSet<&str> = old_names.iter().chain(&new_names).copied().collect();
        for name in all {
            let item = |names: &[&str], items: &'_ [Value]| -> Option<Value> {
                let place = names.iter().position(|one| *one == name)?;
                items.get(place).cloned()
            };
            let (old, new) = (item(&old_names, old), item(&new_names, new));
            compare(&format!("{path}[name={name}]"), old.as_ref(), new.as_ref(), changes);
        }
        return;
    }
    let is_plain = |items: &[Value]| items.iter().all(|item| !item.is_object() && !item.is_array());
    if old.len() != new.len() || (is_plain(old) && is_plain(new)) {
        let (old, new) = (Value::from(old.to_vec()), Value::from(new.to_vec()));
        changes.push(FieldChange { path: path.to_owned(), old: Some(old), new: Some(new) });
        return;
    }
    for (index, (old, new)) in old.iter().zip(new).enumerate() {
        compare(&format!("{path}[{index}]"), Some(old), Some(new), changes);
    }
}

/// The names of the items, if every item has one that no other has.
fn names(items: &[Value]) -> Option<Vec<&str>> {
    let names: Vec<&str> = items.iter().map(|item| item.get("name")?.as_str()).collect::<Option<_>>()?;
    let distinct: BTreeSet<&str> = names.iter().copied().collect();
    (distinct.len() == names.len()).then_some(names)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(old: &Value, new: &Value) -> Vec<String> {
        field_changes(old, new).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn changes_name_the_field() {
        let pod =
            |image: &str| json!({ "containers": [{ "name": "web", "image": image }, { "name": "log" }] });
        let cases = [
            (json!({ "a": 1 }), json!({ "a": 1 }), vec![]),
            (json!({ "a": 1 }), json!({ "a": 2 }), vec!["a: 1 -> 2"]),
            (json!({}), json!({ "a": { "b": "x" } }), vec!["a: {\"b\":\"x\"} (added)"]),
            (json!({ "a": 1 }), json!({}), vec!["a: 1 (removed)"]),
            (pod("nginx:1"), pod("nginx:2"), vec!["containers[name=web].image: \"nginx:1\" -> \"nginx:2\""]),
            (json!({ "l": [{ "p": 1 }] }), json!({ "l": [{ "p": 2 }] }), vec!["l[0].p: 1 -> 2"]),
            (json!({ "l": [1, 2] }), json!({ "l": [1, 3] }), vec!["l: [1,2] -> [1,3]"]),
            (json!({ "l": [{ "p": 1 }] }), json!({ "l": [] }), vec!["l: [{\"p\":1}] -> []"]),
            (json!({ "m": { "app.io/x": 1 } }), json!({ "m": {} }), vec!["m[app.io/x]: 1 (removed)"]),
        ];
        for (old, new, want) in cases {
            assert_eq!(texts(&old, &new), want, "{old} {new}");
        }
    }

    #[test]
    fn marks_and_status_are_no_change_of_a_manifest() {
        let object = |id: &str, phase: &str| {
            Object(json!({ "kind": "ConfigMap", "status": { "phase": phase }, "metadata": { "name": "x",
                "labels": { "work.karmada.io/permanent-id": id }, "annotations": { "portolan.dev/x": id, "a": "b" } } }))
        };
        assert_eq!(manifest_changes(&object("1", "old"), &object("2", "new")), []);
        assert!(is_mark("karmada.io/managed") && is_mark("work.karmada.io/name"));
        assert!(!is_mark("notkarmada.io/x") && !is_mark("app") && !is_mark("app.kubernetes.io/name"));
    }

    #[test]
    fn values_of_secrets_are_hidden() {
        let secret = |value: &str| {
            Object(json!({ "apiVersion": "v1", "kind": "Secret", "type": value, "data": { "k": value } }))
        };
        let changes = manifest_changes(&secret("a"), &secret("b"));
        let texts: Vec<String> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["data.k: \"*** (before)\" -> \"*** (after)\"", "type: \"a\" -> \"b\""]);
        let added = manifest_changes(&Object(json!({ "kind": "Secret", "apiVersion": "v1" })), &secret("b"));
        assert!(added.iter().all(|change| !change.to_string().contains("\"k\":")), "{added:?}");
    }
}
