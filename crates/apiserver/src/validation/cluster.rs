//! Namespaces, nodes, leases, quotas, classes; and the kinds that are refused.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::faults::Faults;
use super::names::{self, label_key_faults, label_value_faults};
use super::path::Path;
use super::{metadata, pod, resources};
use crate::tree;

const SPEC: Path<'static> = Path::root("spec");
const STATUS: Path<'static> = Path::root("status");
/// Higher priorities are kept for the system.
const HIGHEST_PRIORITY: i64 = 1_000_000_000;

pub(super) fn namespace(new: &Value, _: Option<&Value>, faults: &mut Faults) {
    let path = SPEC.child("finalizers");
    for finalizer in tree::texts(new, "/spec/finalizers") {
        faults.texts(&path, finalizer, metadata::qualified_name_faults(finalizer));
        metadata::standard_finalizer(&path, finalizer, faults);
    }
}

pub(super) fn node(new: &Value, old: Option<&Value>, faults: &mut Faults) {
    taints(new, faults);
    for field in ["capacity", "allocatable"] {
        let path = STATUS.child(field);
        for (name, amount) in tree::entries(new, &format!("/status/{field}")) {
            resources::not_negative(&path.child(name), amount, faults);
        }
    }
    let ranges = SPEC.child("podCIDRs");
    for (index, range) in tree::texts(new, "/spec/podCIDRs").enumerate() {
        faults.texts(&ranges.index(index), range, names::range(range));
    }
    let Some(old) = old else { return };
    for (field, pointer) in [("podCIDRs", "/spec/podCIDRs"), ("providerID", "/spec/providerID")] {
        let [now, before] = [new, old].map(|object| tree::present(object, pointer));
        let was_set = before.is_some_and(|before| *before != json!("") && *before != json!([]));
        if was_set && now != before {
            let name = if field == "podCIDRs" { "podCIDR" } else { field };
            let detail = format!("node updates may not change {name} except from \"\" to valid");
            faults.forbidden(&SPEC.child(field), detail);
        }
    }
}

fn taints(node: &Value, faults: &mut Faults) {
    let metadata = Path::root("metadata");
    let list = metadata.child("taints");
    let mut known = BTreeSet::new();
    for (index, taint) in tree::list(node, "/spec/taints").iter().enumerate() {
        let at = list.index(index);
        let [key, value, effect] = ["/key", "/value", "/effect"].map(|field| tree::text(taint, field));
        faults.texts(&at.child("key"), key, label_key_faults(key));
        let texts = label_value_faults(value);
        if !texts.is_empty() {
            faults.invalid(&at.child("value"), value, texts.join(";"));
        }
        pod::taint_effect(&at.child("effect"), effect, faults);
        if !known.insert((key, effect)) {
            faults.duplicate_text(&at, format!("{taint}: taints must be unique by key and effect pair"));
        }
    }
}

pub(super) fn lease(new: &Value, _: Option<&Value>, faults: &mut Faults) {
    if let Some(seconds) = tree::integer(new, "/spec/leaseDurationSeconds")
        && seconds <= 0
    {
        faults.invalid(&SPEC.child("leaseDurationSeconds"), seconds, "must be greater than 0");
    }
    faults.not_negative(&SPEC, new.get("spec").unwrap_or(&Value::Null), "leaseTransitions");
    let strategy = tree::text(new, "/spec/strategy");
    if !tree::text(new, "/spec/preferredHolder").is_empty() && strategy.is_empty() {
        let detail = "may only be specified if `strategy` is defined";
        faults.forbidden(&SPEC.child("preferredHolder"), detail);
    }
}

pub(super) fn resource_quota(new: &Value, old: Option<&Value>, faults: &mut Faults) {
    let path = SPEC.child("hard");
    for (name, amount) in tree::entries(new, "/spec/hard") {
        faults.texts(&path.key(name), name, label_key_faults(name));
        resources::not_negative(&path.key(name), amount, faults);
    }
    if let Some(old) = old {
        faults.immutable(&SPEC.child("scopes"), new, old, "/spec/scopes");
    }
}

pub(super) fn priority_class(new: &Value, old: Option<&Value>, faults: &mut Faults) {
    let name = tree::text(new, "/metadata/name");
    let value = tree::integer(new, "/value").unwrap_or_default();
    let is_system = ["system-cluster-critical", "system-node-critical"].contains(&name);
    if name.starts_with("system-") && !is_system {
        let metadata = Path::root("metadata");
        let detail = "priority class names with 'system-' prefix are reserved for system use only. error: not a known \
                      system priority class";
        faults.forbidden(&metadata.child("name"), detail);
    }
    if value > HIGHEST_PRIORITY && !is_system {
        let detail = format!("maximum allowed value of a user defined priority is {HIGHEST_PRIORITY}");
        faults.forbidden(&Path::root("value"), detail);
    }
    let policy = tree::text(new, "/preemptionPolicy");
    faults.one_of(&Path::root("preemptionPolicy"), policy, &["PreemptLowerPriority", "Never"]);
    let Some(old) = old else { return };
    if tree::integer(old, "/value").unwrap_or_default() != value {
        faults.forbidden(&Path::root("value"), "may not be changed in an update.");
    }
    faults.immutable(&Path::root("preemptionPolicy"), new, old, "/preemptionPolicy");
}

/// Admission webhooks and policies are not run here; storing one would promise checks that never happen.
pub(super) fn admission(new: &Value, _: Option<&Value>, faults: &mut Faults) {
    let kind = tree::text(new, "/kind");
    let field = if kind.ends_with("WebhookConfiguration") { "webhooks" } else { "spec" };
    let detail = format!(
        "this API server does not run admission webhooks and policies, so a {kind} would have no effect; check \
         objects with CustomResourceDefinition schemas and roles instead"
    );
    faults.forbidden(&Path::root(field), detail);
}
