//! Object metadata: names, labels, annotations, owners, finalizers. The same for every kind.

use std::collections::BTreeSet;

use portolan_object::selector::subdomain_errors;
use portolan_object::{FieldError, GroupVersion};
use serde_json::{Value, json};

use super::errors::{FieldErrors, printed};
use super::names::{self, label_key_errors, label_value_errors};
use super::path::Path;
use crate::kinds::NameRule;
use crate::tree;

const METADATA: Path<'static> = Path::root("metadata");

/// All annotations of an object together may not be larger.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// Finalizers that need no domain before their name.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// FieldErrors in the metadata of a new object; its name has been generated already if it was to be.
pub(crate) fn create(object: &Value, rule: NameRule, namespaced: bool) -> Vec<FieldError> {
    let mut errors = FieldErrors::default();
    check(object, rule, namespaced, &mut errors);
    errors.into_errors()
}

/// FieldErrors in the metadata of a changed object.
pub(crate) fn update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = FieldErrors::default();
    check_update(new, old, &mut errors);
    errors.into_errors()
}

pub(crate) fn check(object: &Value, rule: NameRule, namespaced: bool, errors: &mut FieldErrors) {
    let prefix = tree::str_at(object, "/metadata/generateName");
    if !prefix.is_empty() {
        errors.texts(&METADATA.child("generateName"), prefix, names::by_rule(rule, &without_dash(prefix)));
    }
    match tree::str_at(object, "/metadata/name") {
        "" => errors.required(&METADATA.child("name"), "name or generateName is required"),
        name => errors.texts(&METADATA.child("name"), name, names::by_rule(rule, name)),
    }
    let namespace = tree::str_at(object, "/metadata/namespace");
    match (namespaced, namespace) {
        (true, "") => errors.required(&METADATA.child("namespace"), ""),
        (true, namespace) => errors.texts(&METADATA.child("namespace"), namespace, names::label(namespace)),
        (false, "") => {}
        (false, _) => errors.forbidden(&METADATA.child("namespace"), "not allowed on this type"),
    }
    common(object, errors);
    finalizers(object, errors);
}

pub(crate) fn check_update(new: &Value, old: &Value, errors: &mut FieldErrors) {
    if !tree::str_at(old, "/metadata/deletionTimestamp").is_empty() {
        no_new_finalizers(new, old, errors);
    }
    for field in
        ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"]
    {
        errors.immutable(&METADATA.child(field), new, old, &format!("/metadata/{field}"));
    }
    common(new, errors);
    finalizers(new, errors);
}

/// Finalizers of built-in kinds are standard ones or carry a domain.
pub(crate) fn check_standard_finalizers(object: &Value, errors: &mut FieldErrors) {
    let path = METADATA.child("finalizers");
    for (index, finalizer) in tree::strings_at(object, "/metadata/finalizers").enumerate() {
        standard_finalizer(&path.index(index), finalizer, errors);
    }
}

pub(crate) fn standard_finalizer(path: &Path<'_>, finalizer: &str, errors: &mut FieldErrors) {
    if !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(&finalizer) {
        errors.invalid(
            path,
            finalizer,
            "name is neither a standard finalizer name nor is it fully qualified",
        );
    }
}

fn common(object: &Value, errors: &mut FieldErrors) {
    errors.not_negative(&METADATA, object.get("metadata").unwrap_or(&Value::Null), "generation");
    labels(&METADATA.child("labels"), tree::at(object, "/metadata/labels"), errors);
    annotations(&METADATA.child("annotations"), tree::at(object, "/metadata/annotations"), errors);
    owners(object, errors);
}

/// Labels of an object, of a template, or of a selector.
pub(crate) fn labels(path: &Path<'_>, labels: Option<&Value>, errors: &mut FieldErrors) {
    let Some(labels) = labels else { return };
    for (key, value) in tree::entries(labels, "") {
        errors.texts(path, key, label_key_errors(key));
        let value = value.as_str().unwrap_or_default();
        errors.texts(path, value, label_value_errors(value));
    }
}

/// Annotations of an object or of a template.
pub(crate) fn annotations(path: &Path<'_>, annotations: Option<&Value>, errors: &mut FieldErrors) {
    let Some(annotations) = annotations else { return };
    let mut size = 0;
    for (key, value) in tree::entries(annotations, "") {
        errors.texts(path, key, label_key_errors(&key.to_lowercase()));
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS_LIMIT {
        errors.too_long(&path.to_string(), ANNOTATIONS_LIMIT as u64);
    }
}

fn owners(object: &Value, errors: &mut FieldErrors) {
    let path = METADATA.child("ownerReferences");
    let owners = tree::list(object, "/metadata/ownerReferences");
    let mut controller: Option<String> = None;
    for owner in owners {
        let api_version = tree::str_at(owner, "/apiVersion");
        let version: Option<GroupVersion> = api_version.parse().ok();
        if version.is_none() {
            errors.invalid(&path.child("apiVersion"), api_version, "version must not be empty");
        }
        for field in ["kind", "name", "uid"] {
            let value = tree::str_at(owner, &format!("/{field}"));
            if value.is_empty() {
                errors.invalid(&path.child(field), value, "must not be empty");
            }
        }
        let (kind, name) = (tree::str_at(owner, "/kind"), tree::str_at(owner, "/name"));
        if api_version == "v1" && kind == "Event" {
            errors.invalid(&path, owner.clone(), "/v1, Kind=Event is disallowed from being an owner");
        }
        if tree::is_true(owner, "/controller") {
            let this = format!("{kind}/{name}");
            match &controller {
                None => controller = Some(this),
                // The error quotes all references.
                Some(_) if errors.is_full() => {}
                Some(first) => {
                    let detail = format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} \
                         and {this}"
                    );
                    errors.invalid_text(&path, printed_owners(owners), detail);
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

fn finalizers(object: &Value, errors: &mut FieldErrors) {
    let path = METADATA.child("finalizers");
    let finalizers: Vec<&str> = tree::strings_at(object, "/metadata/finalizers").collect();
    for finalizer in &finalizers {
        errors.texts(&path, finalizer, qualified_name_errors(finalizer));
    }
    if finalizers.contains(&"orphan") && finalizers.contains(&"foregroundDeletion") {
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.invalid(&path, json!(finalizers), detail);
    }
}

fn no_new_finalizers(new: &Value, old: &Value, errors: &mut FieldErrors) {
    let set = |object| -> BTreeSet<&str> { tree::strings_at(object, "/metadata/finalizers").collect() };
    let extra: Vec<String> =
        set(new).difference(&set(old)).map(|finalizer| format!("{finalizer:?}")).collect();
    if !extra.is_empty() {
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            extra.join(", ")
        );
        errors.forbidden(&METADATA.child("finalizers"), detail);
    }
}

/// A name with an optional domain before it: `example.com/name`.
pub(crate) fn qualified_name_errors(name: &str) -> Vec<String> {
    label_key_errors(name)
}

/// The name of an API group or another domain.
pub(crate) fn domain_errors(name: &str) -> Vec<String> {
    subdomain_errors(name)
}

/// A prefix may end in a dash, because characters follow.
fn without_dash(prefix: &str) -> String {
    match prefix.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => format!("{}a", rest.trim_end_matches('-')),
        _ => prefix.to_owned(),
    }
}
