//! Configuration, namespaces, nodes, limits, bindings and classes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::pod::quantities;
use crate::tree::{child, child_if_present, children, default};

const RBAC: &str = "rbac.authorization.k8s.io";

pub(crate) fn config_map(object: &mut Map<String, Value>) {
    if object.get("data").is_some_and(Value::is_null) {
        object.remove("data");
    }
}

/// Secrets: what was given as text wins over what was given encoded, and is never stored as text.
pub(crate) fn secret(object: &mut Map<String, Value>) {
    default(object, "type", "Opaque");
    let Some(Value::Object(texts)) = object.remove("stringData") else { return };
    if texts.is_empty() {
        return;
    }
    let Some(data) = child(object, "data") else { return };
    for (key, text) in texts {
        let text = text.as_str().unwrap_or_default();
        data.insert(key, json!(STANDARD.encode(text)));
    }
}

pub(crate) fn namespace(object: &mut Map<String, Value>) {
    let Some(metadata) = child(object, "metadata") else { return };
    let name = metadata.get("name").cloned().unwrap_or(Value::Null);
    if name.as_str().is_some_and(|name| !name.is_empty())
        && let Some(labels) = child(metadata, "labels")
    {
        labels.insert("kubernetes.io/metadata.name".to_owned(), name);
    }
    if let Some(status) = child(object, "status") {
        default(status, "phase", "Active");
    }
}

pub(crate) fn node(object: &mut Map<String, Value>) {
    let Some(status) = child_if_present(object, "status") else { return };
    quantities(status, "capacity");
    quantities(status, "allocatable");
    let capacity = status.get("capacity").filter(|capacity| capacity.is_object()).cloned();
    if let (Some(capacity), None | Some(Value::Null)) = (capacity, status.get("allocatable")) {
        status.insert("allocatable".to_owned(), capacity);
    }
}

pub(crate) fn limit_range(object: &mut Map<String, Value>) {
    let Some(spec) = child_if_present(object, "spec") else { return };
    for limit in children(spec, "limits") {
        for name in ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"] {
            quantities(limit, name);
        }
        if limit.get("type").and_then(Value::as_str) == Some("Container") {
            copy_missing(limit, "max", "default");
            copy_missing(limit, "default", "defaultRequest");
            copy_missing(limit, "min", "defaultRequest");
        }
    }
}

/// Adds the entries of one map that another one lacks.
fn copy_missing(parent: &mut Map<String, Value>, from: &str, to: &str) {
    let Some(source) = parent.get(from).and_then(Value::as_object).cloned() else { return };
    if let Some(target) = child(parent, to) {
        for (name, amount) in source {
            target.entry(name).or_insert(amount);
        }
    }
}

pub(crate) fn resource_quota(object: &mut Map<String, Value>) {
    if let Some(spec) = child_if_present(object, "spec") {
        quantities(spec, "hard");
    }
    if let Some(status) = child_if_present(object, "status") {
        quantities(status, "hard");
        quantities(status, "used");
    }
}

pub(crate) fn role_binding(object: &mut Map<String, Value>) {
    if let Some(role) = child_if_present(object, "roleRef") {
        default(role, "apiGroup", RBAC);
    }
    for subject in children(object, "subjects") {
        if matches!(subject.get("kind").and_then(Value::as_str), Some("User" | "Group")) {
            default(subject, "apiGroup", RBAC);
        }
    }
}

/// Events of the core group always say who reports them, even when that is nobody.
pub(crate) fn core_event(object: &mut Map<String, Value>) {
    child(object, "source");
    default(object, "reportingComponent", "");
    default(object, "reportingInstance", "");
}

/// The same in the words of the newer group.
pub(crate) fn event(object: &mut Map<String, Value>) {
    child(object, "deprecatedSource");
}

/// Leases without what belongs to elections that this server does not coordinate.
pub(crate) fn lease(object: &mut Map<String, Value>) {
    if let Some(spec) = child_if_present(object, "spec") {
        spec.remove("strategy");
        spec.remove("preferredHolder");
    }
}

pub(crate) fn priority_class(object: &mut Map<String, Value>) {
    default(object, "preemptionPolicy", "PreemptLowerPriority");
}
