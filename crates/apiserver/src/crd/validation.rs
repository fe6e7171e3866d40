//! Validation of CustomResourceDefinitions.
//!
//! The write path calls [`create`] and [`update`] after defaulting, on definitions that were checked against their
//! schema; metadata is validated as for every built-in kind. Other definitions are not read here: whether names are free
//! is decided later and shows in the status.
//!
//! # Source
//! Order and texts are those of a kube-apiserver 1.36 (apiextensions-apiserver
//! pkg/apis/apiextensions/validation/validation.go); `testdata` holds its answers.

mod conversion;
mod fields;
mod names;
mod versions;

use portolan_object::FieldError;
use portolan_object::schema::{rules, structural};
use serde_json::{Value, json};

use super::approval::Approval;
use super::is_true;
use crate::tree;
use versions::Versions;

#[cfg(test)]
mod tests;

/// Everything that is wrong with a new definition.
pub(crate) fn create(definition: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    check_name(definition, &mut errors);
    check_spec(definition, None, &mut errors);
    names::check(&definition["status"]["acceptedNames"], "status.acceptedNames", &mut errors);
    check_stored_versions(definition, &mut errors);
    check_approval(definition, None, &mut errors);
    check_preservation(definition, None, &mut errors);
    errors
}

/// Everything that is wrong with a changed definition.
///
/// Values that `old` already has are not validated again, so a rule that has become stricter never keeps a definition
/// from being changed elsewhere. With an unchanged `spec` that leaves the status, where clients take versions off
/// `storedVersions` once nothing is stored in them any more.
pub(crate) fn update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let has_new_spec = new["spec"] != old["spec"];
    if has_new_spec {
        check_spec(new, Some(old), &mut errors);
        check_immutable(new, old, &mut errors);
    }
    names::check(&new["status"]["acceptedNames"], "status.acceptedNames", &mut errors);
    if has_new_spec {
        check_stored_versions(new, &mut errors);
    }
    check_approval(new, Some(old), &mut errors);
    check_preservation(new, Some(old), &mut errors);
    errors
}

/// Warnings about a valid definition, apart from those that `old` already had.
pub(crate) fn warnings(new: &Value, old: Option<&Value>) -> Vec<String> {
    let known = old.map(remarks).unwrap_or_default();
    remarks(new).into_iter().filter(|remark| !known.contains(remark)).collect()
}

fn remarks(definition: &Value) -> Vec<String> {
    let mut remarks = Vec::new();
    for (index, version) in tree::list(definition, "/spec/versions").iter().enumerate() {
        let field = format!("spec.versions[{index}].schema.openAPIV3Schema");
        if let Ok(structural) = structural::compile(&version["schema"]["openAPIV3Schema"], &field) {
            remarks.extend(rules::compile(&structural, &field).warnings);
            remarks.extend(structural.warnings);
        }
    }
    if tree::str_at(definition, "/spec/conversion/strategy") == "Webhook" {
        let stored = super::strategy::storage_version(definition).unwrap_or_default();
        remarks.push(format!(
            "spec.conversion.strategy: this server does not call conversion webhooks; only version {stored:?} is served"
        ));
    }
    let mut seen = Vec::new();
    remarks.retain(|remark| {
        let is_new = !seen.contains(remark);
        seen.push(remark.clone());
        is_new
    });
    remarks
}

fn check_name(definition: &Value, errors: &mut Vec<FieldError>) {
    let (plural, group) =
        (tree::str_at(definition, "/spec/names/plural"), tree::str_at(definition, "/spec/group"));
    let wanted = format!("{plural}.{group}");
    for member in ["generateName", "name"] {
        let name = definition["metadata"][member].as_str().unwrap_or_default();
        if name != wanted && (member == "name" || !name.is_empty()) {
            let detail = r#"must be spec.names.plural+"."+spec.group"#;
            errors.push(FieldError::invalid(format!("metadata.{member}"), &json!(name), detail));
        }
    }
}

fn check_spec(definition: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    let spec = &definition["spec"];
    check_group(tree::str_at(spec, "/group"), errors);
    match tree::str_at(spec, "/scope") {
        "Cluster" | "Namespaced" => {}
        "" => errors.push(FieldError::required("spec.scope", "")),
        scope => {
            errors.push(FieldError::not_supported("spec.scope", &json!(scope), &["Cluster", "Namespaced"]))
        }
    }
    let versions = Versions::new(
        tree::list(spec, "/versions"),
        old.map_or(&[], |old| tree::list(old, "/spec/versions")),
    );
    versions.check_presence(errors);
    versions.check_each(errors);
    versions.check_together(errors);
    names::check_presence(&spec["names"], errors);
    names::check(&spec["names"], "spec.names", errors);
    versions.check_shared(errors);
    let is_accepted = old.is_some_and(|old| old["spec"]["conversion"] == spec["conversion"]);
    if !is_accepted {
        conversion::check(spec, errors);
    }
}

fn check_group(group: &str, errors: &mut Vec<FieldError>) {
    if group.is_empty() {
        errors.push(FieldError::required("spec.group", ""));
    } else if let Some(detail) = names::subdomain_errors(group) {
        errors.push(FieldError::invalid("spec.group", &json!(group), detail));
    } else if !group.contains('.') {
        errors.push(FieldError::invalid(
            "spec.group",
            &json!(group),
            "should be a domain with at least one dot",
        ));
    }
}

/// Group and plural are part of the keys of stored objects and cannot change; kind and scope can until objects may
/// exist.
fn check_immutable(new: &Value, old: &Value, errors: &mut Vec<FieldError>) {
    let since_established = ["/scope", "/names/kind"];
    let always = ["/group", "/names/plural"];
    let checked = if is_true(old, "Established") { &since_established[..] } else { &[] };
    for pointer in checked.iter().chain(&always) {
        let value = tree::str_at(&new["spec"], pointer);
        if value != tree::str_at(&old["spec"], pointer) {
            let field = format!("spec{}", pointer.replace('/', "."));
            errors.push(FieldError::invalid(field, &json!(value), "field is immutable"));
        }
    }
}

/// A version in which objects may be stored cannot go.
fn check_stored_versions(definition: &Value, errors: &mut Vec<FieldError>) {
    let stored: Vec<&str> = tree::strings_at(definition, "/status/storedVersions").collect();
    let field = "status.storedVersions";
    if stored.is_empty() {
        errors.push(FieldError::invalid(field, &Value::Null, "must have at least one stored version"));
        return;
    }
    let versions = tree::list(definition, "/spec/versions");
    for version in versions.iter().filter(|version| version["storage"] == true) {
        let name = tree::str_at(version, "/name");
        if !stored.contains(&name) {
            errors.push(FieldError::invalid(
                field,
                &json!(stored),
                format!("must have the storage version {name}"),
            ));
        }
    }
    for (index, name) in stored.iter().enumerate() {
        if versions.iter().all(|version| version["name"] != *name) {
            let detail = format!(
                "missing from spec.versions; {name} was previously a storage version, and must remain in \
                 spec.versions until a storage migration ensures no data remains persisted in {name} and removes \
                 {name} from status.storedVersions"
            );
            errors.push(FieldError::invalid(format!("{field}[{index}]"), &json!(name), detail));
        }
    }
}

/// An unchanged annotation is valid, whatever its value.
fn check_approval(new: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    let Some(approval) = Approval::from_definition(new) else { return };
    let before = old.and_then(Approval::from_definition);
    if before.is_none_or(|before| before.state != approval.state) {
        errors.extend(approval.error());
    }
}

fn check_preservation(new: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    let preserves = |definition: &Value| tree::is_true(definition, "/spec/preserveUnknownFields");
    if preserves(new) && !old.is_some_and(preserves) {
        errors.push(FieldError::invalid(
            "spec.preserveUnknownFields",
            &json!(true),
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
        ));
    }
}
