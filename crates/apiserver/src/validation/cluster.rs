//! Namespaces, nodes, leases, quotas, classes; and the kinds that are refused.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::errors::{FieldErrors, IMMUTABLE, printed};
use super::names::{self, label_key_errors, label_value_errors};
use super::path::Path;
use super::{metadata, pod, resources};
use crate::tree;

const SPEC: Path<'static> = Path::root("spec");
const STATUS: Path<'static> = Path::root("status");
const SCOPES: [&str; 7] = [
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
    "VolumeAttributesClass",
];
/// Higher priorities are kept for the system.
const HIGHEST_PRIORITY: i64 = 1_000_000_000;

pub(crate) fn namespace(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    let path = SPEC.child("finalizers");
    for finalizer in tree::texts(new, "/spec/finalizers") {
        errors.texts(&path, finalizer, metadata::qualified_name_errors(finalizer));
        metadata::standard_finalizer(&path, finalizer, errors);
    }
}

pub(crate) fn node(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    taints(new, errors);
    for field in ["capacity", "allocatable"] {
        let path = STATUS.child(field);
        for (name, amount) in tree::entries(new, &format!("/status/{field}")) {
            resources::counted(&path.child(name), name, amount, errors);
        }
    }
    let ranges = SPEC.child("podCIDRs");
    for (index, range) in tree::texts(new, "/spec/podCIDRs").enumerate() {
        errors.texts(&ranges.index(index), range, names::range(range));
    }
    let Some(old) = old else { return };
    for (field, pointer) in [("podCIDRs", "/spec/podCIDRs"), ("providerID", "/spec/providerID")] {
        let [now, before] = [new, old].map(|object| tree::present(object, pointer));
        let was_set = before.is_some_and(|before| *before != json!("") && *before != json!([]));
        if was_set && now != before {
            let name = if field == "podCIDRs" { "podCIDR" } else { field };
            let detail = format!("node updates may not change {name} except from \"\" to valid");
            errors.forbidden(&SPEC.child(field), detail);
        }
    }
}

fn taints(node: &Value, errors: &mut FieldErrors) {
    let metadata = Path::root("metadata");
    let list = metadata.child("taints");
    let mut known = BTreeSet::new();
    for (index, taint) in tree::list(node, "/spec/taints").iter().enumerate() {
        let at = list.index(index);
        let [key, value, effect] = ["/key", "/value", "/effect"].map(|field| tree::text(taint, field));
        errors.texts(&at.child("key"), key, label_key_errors(key));
        let texts = label_value_errors(value);
        if !texts.is_empty() {
            errors.invalid(&at.child("value"), value, texts.join(";"));
        }
        pod::taint_effect(&at.child("effect"), effect, errors);
        if !known.insert((key, effect)) {
            let nothing = Value::Null;
            let [key, value, effect] = [key, value, effect].map(Value::from);
            let text = printed(&[
                ("Key", Some(&key)),
                ("Value", Some(&value)),
                ("Effect", Some(&effect)),
                ("TimeAdded", Some(taint.get("timeAdded").unwrap_or(&nothing))),
            ]);
            errors.duplicate_text(&at, format!("{text}: taints must be unique by key and effect pair"));
        }
    }
}

pub(crate) fn lease(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    if let Some(seconds) = tree::integer(new, "/spec/leaseDurationSeconds")
        && seconds <= 0
    {
        errors.invalid(&SPEC.child("leaseDurationSeconds"), seconds, "must be greater than 0");
    }
    errors.not_negative(&SPEC, new.get("spec").unwrap_or(&Value::Null), "leaseTransitions");
}

pub(crate) fn resource_quota(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let path = SPEC.child("hard");
    for (name, amount) in tree::entries(new, "/spec/hard") {
        resources::quota(&path.key(name), name, amount, errors);
    }
    scopes(new, errors);
    let of = |object| -> BTreeSet<&str> { tree::texts(object, "/spec/scopes").collect() };
    if let Some(old) = old
        && of(new) != of(old)
    {
        errors.invalid(&SPEC.child("scopes"), scopes_of(new), IMMUTABLE);
    }
}

/// Scopes pick pods, or claims, so they go with resources of those only.
fn scopes(quota: &Value, errors: &mut FieldErrors) {
    let path = SPEC.child("scopes");
    let scopes: Vec<&str> = tree::texts(quota, "/spec/scopes").collect();
    for scope in &scopes {
        if !SCOPES.contains(scope) {
            errors.invalid(&path, scopes_of(quota), "unsupported scope");
        }
        for (name, _) in tree::entries(quota, "/spec/hard") {
            if resources::is_of_quotas(name) && !is_in_scope(scope, name) {
                errors.invalid(&path, scopes_of(quota), "unsupported scope applied to resource");
            }
        }
    }
    for pair in [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]] {
        if pair.iter().all(|scope| scopes.contains(scope)) {
            errors.invalid(&path, scopes_of(quota), "conflicting scopes");
        }
    }
}

fn scopes_of(quota: &Value) -> Value {
    quota.pointer("/spec/scopes").cloned().unwrap_or(Value::Null)
}

fn is_in_scope(scope: &str, resource: &str) -> bool {
    let is_compute = matches!(
        resource,
        "cpu" | "memory" | "limits.cpu" | "limits.memory" | "requests.cpu" | "requests.memory"
    );
    match scope {
        "BestEffort" => resource == "pods",
        "VolumeAttributesClass" => matches!(resource, "persistentvolumeclaims" | "requests.storage"),
        scope if SCOPES.contains(&scope) => resource == "pods" || is_compute,
        _ => true,
    }
}

pub(crate) fn priority_class(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let name = tree::text(new, "/metadata/name");
    let value = tree::integer(new, "/value").unwrap_or_default();
    let is_system = ["system-cluster-critical", "system-node-critical"].contains(&name);
    if name.starts_with("system-") && !is_system {
        let metadata = Path::root("metadata");
        let detail = format!(
            "priority class names with 'system-' prefix are reserved for system use only. error: {name} is not a known \
             system priority class"
        );
        errors.forbidden(&metadata.child("name"), detail);
    }
    if let Some(old) = old {
        if tree::integer(old, "/value").unwrap_or_default() != value {
            errors.forbidden(&Path::root("value"), "may not be changed in an update.");
        }
        errors.immutable(&Path::root("preemptionPolicy"), new, old, "/preemptionPolicy");
        return;
    }
    if value > HIGHEST_PRIORITY && !is_system {
        let detail = format!("maximum allowed value of a user defined priority is {HIGHEST_PRIORITY}");
        errors.forbidden(&Path::root("value"), detail);
    }
    let policy = tree::text(new, "/preemptionPolicy");
    errors.one_of(&Path::root("preemptionPolicy"), policy, &["PreemptLowerPriority", "Never"]);
}

pub(crate) fn runtime_class(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let path = Path::root("handler");
    match tree::text(new, "/handler") {
        "" => errors.required(&path, ""),
        handler => errors.texts(&path, handler, names::label(handler)),
    }
    if let Some(old) = old {
        errors.immutable(&path, new, old, "/handler");
    }
}

/// Admission webhooks and policies are not run here; storing one would promise checks that never happen.
pub(crate) fn admission(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    let kind = tree::text(new, "/kind");
    let field = if kind.ends_with("WebhookConfiguration") { "webhooks" } else { "spec" };
    let detail = format!(
        "this API server does not run admission webhooks and policies, so a {kind} would have no effect; check \
         objects with CustomResourceDefinition schemas and roles instead"
    );
    errors.forbidden(&Path::root(field), detail);
}
