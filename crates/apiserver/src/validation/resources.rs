//! Amounts of resources that containers ask for.

use serde_json::Value;

use super::faults::Faults;
use super::names::label_key_faults;
use super::path::Path;
use crate::quantity::Quantity;
use crate::tree;

const OF_CONTAINERS: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// What quotas count by the object.
const OBJECTS: [&str; 9] = [
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
];

/// Checks `limits` and `requests` of a container.
pub(super) fn requirements(path: &Path<'_>, requirements: &Value, faults: &mut Faults) {
    let limits = path.child("limits");
    for (name, amount) in tree::entries(requirements, "/limits") {
        entry(&limits.key(name), name, amount, faults);
    }
    let requests = path.child("requests");
    for (name, amount) in tree::entries(requirements, "/requests") {
        let at = requests.key(name);
        entry(&at, name, amount, faults);
        let limit = tree::map(requirements, "/limits").and_then(|limits| limits.get(name));
        let is_overcommitted = is_native(name) && !name.starts_with("hugepages-");
        match limit.and_then(quantity) {
            Some(limit) => within_limit(&requests, name, amount, limit, is_overcommitted, faults),
            None if !is_overcommitted => {
                faults.required(&limits, "Limit must be set for non overcommitable resources");
            }
            None => {}
        }
    }
}

fn within_limit(
    path: &Path<'_>,
    name: &str,
    amount: &Value,
    limit: Quantity,
    is_overcommitted: bool,
    faults: &mut Faults,
) {
    let Some(request) = quantity(amount) else { return };
    if !is_overcommitted && request != limit {
        faults.invalid(path, request.to_string(), format!("must be equal to {name} limit of {limit}"));
    } else if request > limit {
        let detail = format!("must be less than or equal to {name} limit of {limit}");
        faults.invalid(path, request.to_string(), detail);
    }
}

fn entry(path: &Path<'_>, name: &str, amount: &Value, faults: &mut Faults) {
    known_name(path, name, faults);
    if !name.contains('/') && !OF_CONTAINERS.contains(&name) && !name.starts_with("hugepages-") {
        faults.invalid(path, name, "must be a standard resource for containers");
    }
    not_negative(path, amount, faults);
    if name.contains('/') && !is_native(name) && quantity(amount).is_some_and(|amount| !amount.is_whole()) {
        faults.invalid(path, amount.clone(), "must be an integer");
    }
}

/// The name of a resource: well-formed, and either Kubernetes' own or with a domain.
fn known_name(path: &Path<'_>, name: &str, faults: &mut Faults) {
    let texts = label_key_faults(name);
    let is_known = name.contains('/') || name == "storage" || is_of_quotas(name);
    if texts.is_empty() && !is_known {
        faults.invalid(path, name, "must be a standard resource type or fully qualified");
    }
    faults.texts(path, name, texts);
}

/// Checks one line of what a namespace may use.
pub(super) fn quota(path: &Path<'_>, name: &str, amount: &Value, faults: &mut Faults) {
    known_name(path, name, faults);
    if !name.contains('/') && !is_of_quotas(name) {
        faults.invalid(path, name, "must be a standard resource for quota");
    }
    counted(path, name, amount, faults);
}

/// An amount that is not below zero, and whole when it counts things.
pub(super) fn counted(path: &Path<'_>, name: &str, amount: &Value, faults: &mut Faults) {
    not_negative(path, amount, faults);
    let is_count = OBJECTS.contains(&name) || (name.contains('/') && !is_native(name));
    if is_count && quantity(amount).is_some_and(|amount| !amount.is_whole()) {
        faults.invalid(path, amount.clone(), "must be an integer");
    }
}

/// Whether a quota may count it.
pub(super) fn is_of_quotas(name: &str) -> bool {
    let plain = name.strip_prefix("requests.").or_else(|| name.strip_prefix("limits.")).unwrap_or(name);
    OBJECTS.contains(&name)
        || OF_CONTAINERS.contains(&plain)
        || name == "requests.storage"
        || name.starts_with("hugepages-")
        || name.starts_with("requests.hugepages-")
}

/// An amount that is a quantity and not below zero.
pub(super) fn not_negative(path: &Path<'_>, amount: &Value, faults: &mut Faults) {
    match quantity(amount) {
        Some(amount) if amount.is_negative() => {
            faults.invalid(path, amount.to_string(), "must be greater than or equal to 0");
        }
        Some(_) => {}
        None => faults.invalid(path, amount.clone(), crate::quantity::InvalidQuantity.to_string()),
    }
}

/// An amount that is a quantity above zero.
pub(super) fn positive(path: &Path<'_>, amount: &Value, faults: &mut Faults) {
    match quantity(amount) {
        Some(amount) if amount.is_zero() || amount.is_negative() => {
            faults.invalid(path, amount.to_string(), "must be greater than zero");
        }
        Some(_) => {}
        None => faults.invalid(path, amount.clone(), crate::quantity::InvalidQuantity.to_string()),
    }
}

pub(super) fn quantity(amount: &Value) -> Option<Quantity> {
    match amount {
        Value::String(text) => Quantity::parse(text).ok(),
        Value::Number(number) => Quantity::parse(&number.to_string()).ok(),
        _ => None,
    }
}

/// Whether a resource is Kubernetes' own.
fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}
