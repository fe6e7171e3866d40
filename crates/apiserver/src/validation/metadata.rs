//! Object metadata: names, labels, annotations, owners, finalizers. The same for every kind.

use std::collections::BTreeSet;

use portolan_object::selector::subdomain_faults;
use portolan_object::{FieldError, GroupVersion};
use serde_json::{Value, json};

use super::faults::{Faults, printed};
use super::names::{self, label_key_faults, label_value_faults};
use super::path::Path;
use crate::kinds::NameRule;
use crate::tree;

const METADATA: Path<'static> = Path::root("metadata");

/// All annotations of an object together may not be larger.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// Finalizers that need no domain before their name.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// Faults in the metadata of a new object; its name has been generated already if it was to be.
pub fn create(object: &Value, rule: NameRule, namespaced: bool) -> Vec<FieldError> {
    let mut faults = Faults::default();
    check(object, rule, namespaced, &mut faults);
    faults.into_errors()
}

/// Faults in the metadata of a changed object.
pub fn update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut faults = Faults::default();
    check_update(new, old, &mut faults);
    faults.into_errors()
}

pub(super) fn check(object: &Value, rule: NameRule, namespaced: bool, faults: &mut Faults) {
    let prefix = tree::text(object, "/metadata/generateName");
    if !prefix.is_empty() {
        faults.texts(&METADATA.child("generateName"), prefix, names::by_rule(rule, &without_dash(prefix)));
    }
    match tree::text(object, "/metadata/name") {
        "" => faults.required(&METADATA.child("name"), "name or generateName is required"),
        name => faults.texts(&METADATA.child("name"), name, names::by_rule(rule, name)),
    }
    let namespace = tree::text(object, "/metadata/namespace");
    match (namespaced, namespace) {
        (true, "") => faults.required(&METADATA.child("namespace"), ""),
        (true, namespace) => faults.texts(&METADATA.child("namespace"), namespace, names::label(namespace)),
        (false, "") => {}
        (false, _) => faults.forbidden(&METADATA.child("namespace"), "not allowed on this type"),
    }
    common(object, faults);
    finalizers(object, faults);
}

pub(super) fn check_update(new: &Value, old: &Value, faults: &mut Faults) {
    if !tree::text(old, "/metadata/deletionTimestamp").is_empty() {
        no_new_finalizers(new, old, faults);
    }
    for field in
        ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"]
    {
        faults.immutable(&METADATA.child(field), new, old, &format!("/metadata/{field}"));
    }
    common(new, faults);
    finalizers(new, faults);
}

/// Finalizers of built-in kinds are standard ones or carry a domain.
pub(super) fn check_standard_finalizers(object: &Value, faults: &mut Faults) {
    let path = METADATA.child("finalizers");
    for (index, finalizer) in tree::texts(object, "/metadata/finalizers").enumerate() {
        standard_finalizer(&path.index(index), finalizer, faults);
    }
}

pub(super) fn standard_finalizer(path: &Path<'_>, finalizer: &str, faults: &mut Faults) {
    if !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(&finalizer) {
        faults.invalid(
            path,
            finalizer,
            "name is neither a standard finalizer name nor is it fully qualified",
        );
    }
}

fn common(object: &Value, faults: &mut Faults) {
    faults.not_negative(&METADATA, object.get("metadata").unwrap_or(&Value::Null), "generation");
    labels(&METADATA.child("labels"), tree::at(object, "/metadata/labels"), faults);
    annotations(&METADATA.child("annotations"), tree::at(object, "/metadata/annotations"), faults);
    owners(object, faults);
}

/// Labels of an object, of a template, or of a selector.
pub(super) fn labels(path: &Path<'_>, labels: Option<&Value>, faults: &mut Faults) {
    let Some(labels) = labels else { return };
    for (key, value) in tree::entries(labels, "") {
        faults.texts(path, key, label_key_faults(key));
        let value = value.as_str().unwrap_or_default();
        faults.texts(path, value, label_value_faults(value));
    }
}

/// Annotations of an object or of a template.
pub(super) fn annotations(path: &Path<'_>, annotations: Option<&Value>, faults: &mut Faults) {
    let Some(annotations) = annotations else { return };
    let mut size = 0;
    for (key, value) in tree::entries(annotations, "") {
        faults.texts(path, key, label_key_faults(&key.to_lowercase()));
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS_LIMIT {
        faults.too_long(&path.to_string(), ANNOTATIONS_LIMIT as u64);
    }
}

fn owners(object: &Value, faults: &mut Faults) {
    let path = METADATA.child("ownerReferences");
    let owners = tree::list(object, "/metadata/ownerReferences");
    let mut controller: Option<String> = None;
    for owner in owners {
        let api_version = tree::text(owner, "/apiVersion");
        let version: Option<GroupVersion> = api_version.parse().ok();
        if version.is_none() {
            faults.invalid(&path.child("apiVersion"), api_version, "version must not be empty");
        }
        for field in ["kind", "name", "uid"] {
            let value = tree::text(owner, &format!("/{field}"));
            if value.is_empty() {
                faults.invalid(&path.child(field), value, "must not be empty");
            }
        }
        let (kind, name) = (tree::text(owner, "/kind"), tree::text(owner, "/name"));
        if api_version == "v1" && kind == "Event" {
            faults.invalid(&path, owner.clone(), "/v1, Kind=Event is disallowed from being an owner");
        }
        if tree::is_true(owner, "/controller") {
            let this = format!("{kind}/{name}");
            match &controller {
                None => controller = Some(this),
                Some(first) => {
                    let detail = format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} \
                         and {this}"
                    );
                    faults.invalid_text(&path, printed_owners(owners), detail);
                }
            }
        }
    }
}

fn printed_owners(owners: &[Value]) -> String {
    let fields = ["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"];
    let owner = |owner: &Value| printed(&fields.map(|field| (field, owner.get(field))));
    let owners: Vec<String> = owners.iter().map(owner).collect();
    format!("[{}]", owners.join(","))
}

fn finalizers(object: &Value, faults: &mut Faults) {
    let path = METADATA.child("finalizers");
    let finalizers: Vec<&str> = tree::texts(object, "/metadata/finalizers").collect();
    for finalizer in &finalizers {
        faults.texts(&path, finalizer, qualified_name_faults(finalizer));
    }
    if finalizers.contains(&"orphan") && finalizers.contains(&"foregroundDeletion") {
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        faults.invalid(&path, json!(finalizers), detail);
    }
}

fn no_new_finalizers(new: &Value, old: &Value, faults: &mut Faults) {
    let set = |object| -> BTreeSet<&str> { tree::texts(object, "/metadata/finalizers").collect() };
    let extra: Vec<String> =
        set(new).difference(&set(old)).map(|finalizer| format!("{finalizer:?}")).collect();
    if !extra.is_empty() {
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            extra.join(", ")
        );
        faults.forbidden(&METADATA.child("finalizers"), detail);
    }
}

/// A name with an optional domain before it: `example.com/name`.
pub(super) fn qualified_name_faults(name: &str) -> Vec<String> {
    label_key_faults(name)
}

/// The name of an API group or another domain.
pub(super) fn domain_faults(name: &str) -> Vec<String> {
    subdomain_faults(name)
}

/// A prefix may end in a dash, because characters follow.
fn without_dash(prefix: &str) -> String {
    match prefix.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => format!("{}a", rest.trim_end_matches('-')),
        _ => prefix.to_owned(),
    }
}
