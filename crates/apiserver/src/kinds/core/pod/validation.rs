//! Validation of pods beyond that of their templates.

use std::collections::HashSet;

use serde_json::Value;

use crate::kinds::pod_spec;
use crate::tree;
use crate::validation::FieldErrors;
use crate::validation::path::Path;

const SPEC: Path<'static> = Path::root("spec");
/// The mutable fields of a pod, as the error about other changes lists them.
const CHANGEABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
                          `spec.tolerations` (only additions to existing tolerations),\
                          `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

pub(crate) fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = new.get("spec").unwrap_or(&Value::Null);
    pod_spec::validate_pod_spec(&SPEC, spec, errors);
    for part in ["containers", "initContainers"] {
        let path = SPEC.child(part);
        for (index, container) in tree::list(spec, &format!("/{part}")).iter().enumerate() {
            let image = tree::str_at(container, "/image");
            if image.trim() != image {
                let detail = "must not have leading or trailing whitespace";
                errors.invalid(&path.index(index).child("image"), image, detail);
            }
        }
    }
    match old {
        None => new_pod(spec, errors),
        Some(old) => changed_pod(spec, old.get("spec").unwrap_or(&Value::Null), errors),
    }
}

fn new_pod(spec: &Value, errors: &mut FieldErrors) {
    if !tree::list(spec, "/ephemeralContainers").is_empty() {
        errors.forbidden(&SPEC.child("ephemeralContainers"), "cannot be set on create");
    }
    if !tree::str_at(spec, "/nodeName").is_empty() && !tree::list(spec, "/schedulingGates").is_empty() {
        let detail = "cannot be set until all schedulingGates have been cleared";
        errors.forbidden(&SPEC.child("nodeName"), detail);
    }
}

/// A running pod keeps what it is. The text upstream adds about the difference is left out.
fn changed_pod(new: &Value, old: &Value, errors: &mut FieldErrors) {
    if new == old {
        return;
    }
    for part in ["containers", "initContainers"] {
        let count = |spec: &Value| tree::list(spec, &format!("/{part}")).len();
        if count(new) != count(old) {
            errors.forbidden(&SPEC.child(part), "pod updates may not add or remove containers");
            return;
        }
    }
    deadline(new, old, errors);
    let kept: HashSet<String> = tree::list(new, "/tolerations").iter().map(timeless).collect();
    let mut before = tree::list(old, "/tolerations").iter();
    if before.any(|toleration| !kept.contains(&timeless(toleration))) {
        let detail = "existing toleration can not be modified except its tolerationSeconds";
        errors.forbidden(&SPEC.child("tolerations"), detail);
    }
    let gates = SPEC.child("schedulingGates");
    let before = tree::list(old, "/schedulingGates").iter();
    let known: HashSet<&str> = before.map(|gate| tree::str_at(gate, "/name")).collect();
    for (index, gate) in tree::list(new, "/schedulingGates").iter().enumerate() {
        let name = tree::str_at(gate, "/name");
        if !known.contains(name) {
            let detail = format!("only deletion is allowed, but found new scheduling gate '{name}'");
            errors.forbidden(&gates.index(index).child("name"), detail);
        }
    }
    if fixed_part(new, old) != fixed_part(old, old) {
        let detail = format!("pod updates may not change fields other than {CHANGEABLE}");
        errors.forbidden(&SPEC, detail);
    }
}

/// A toleration without its seconds, which may change.
fn timeless(toleration: &Value) -> String {
    let mut toleration = toleration.clone();
    if let Some(fields) = toleration.as_object_mut() {
        fields.remove("tolerationSeconds");
    }
    toleration.to_string()
}

fn deadline(new: &Value, old: &Value, errors: &mut FieldErrors) {
    let path = SPEC.child("activeDeadlineSeconds");
    let seconds = |spec: &Value| tree::integer(spec, "/activeDeadlineSeconds");
    match (seconds(new), seconds(old)) {
        (Some(new), Some(old)) if new > old => {
            errors.invalid(&path, new, "must be less than or equal to previous value");
        }
        (None, Some(_)) => {
            errors.invalid(&path, Value::Null, "must not update from a positive integer to nil value");
        }
        _ => {}
    }
}

/// The spec without what may change; what may grow is taken from `old`.
fn fixed_part(spec: &Value, old: &Value) -> Value {
    let mut fixed = spec.clone();
    for part in ["containers", "initContainers"] {
        for container in fixed.get_mut(part).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(container) = container.as_object_mut() {
                container.remove("image");
            }
        }
    }
    let Some(members) = fixed.as_object_mut() else { return fixed };
    for name in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        members.remove(name);
    }
    let is_relaxed = tree::integer(old, "/terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0)
        && tree::integer(spec, "/terminationGracePeriodSeconds") == Some(1);
    if is_relaxed {
        let seconds = old["terminationGracePeriodSeconds"].clone();
        members.insert("terminationGracePeriodSeconds".to_owned(), seconds);
    }
    members.retain(|_, value| !value.is_null());
    fixed
}
