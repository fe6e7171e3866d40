//! Amounts of resources that containers ask for.

use portolan_object::quantity::{Quantity, QuantityError};
use serde_json::Value;

use super::errors::FieldErrors;
use super::names::label_key_errors;
use super::path::Path;
use crate::tree;

const OF_CONTAINERS: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// Object count resources of quotas.
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
pub(crate) fn requirements(path: &Path<'_>, requirements: &Value, errors: &mut FieldErrors) {
    let limits = path.child("limits");
    for (name, amount) in tree::entries(requirements, "/limits") {
        entry(&limits.key(name), name, amount, errors);
    }
    let requests = path.child("requests");
    for (name, amount) in tree::entries(requirements, "/requests") {
        let at = requests.key(name);
        entry(&at, name, amount, errors);
        let limit = tree::map(requirements, "/limits").and_then(|limits| limits.get(name));
        let is_overcommitted = is_native(name) && !name.starts_with("hugepages-");
        match limit.and_then(quantity) {
            Some(limit) => within_limit(&requests, name, amount, limit, is_overcommitted, errors),
            None if !is_overcommitted => {
                errors.required(&limits, "Limit must be set for non overcommitable resources");
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
    errors: &mut FieldErrors,
) {
    let Some(request) = quantity(amount) else { return };
    if !is_overcommitted && request != limit {
        errors.invalid(path, request.to_string(), format!("must be equal to {name} limit of {limit}"));
    } else if request > limit {
        let detail = format!("must be less than or equal to {name} limit of {limit}");
        errors.invalid(path, request.to_string(), detail);
    }
}

fn entry(path: &Path<'_>, name: &str, amount: &Value, errors: &mut FieldErrors) {
    known_name(path, name, errors);
    if !name.contains('/') && !OF_CONTAINERS.contains(&name) && !name.starts_with("hugepages-") {
        errors.invalid(path, name, "must be a standard resource for containers");
    }
    not_negative(path, amount, errors);
    if name.contains('/') && !is_native(name) && quantity(amount).is_some_and(|amount| !amount.is_whole()) {
        errors.invalid(path, amount.clone(), "must be an integer");
    }
}

/// The name of a resource: well-formed, and either Kubernetes' own or with a domain.
fn known_name(path: &Path<'_>, name: &str, errors: &mut FieldErrors) {
    let texts = label_key_errors(name);
    let is_known = name.contains('/') || name == "storage" || is_of_quotas(name);
    if texts.is_empty() && !is_known {
        errors.invalid(path, name, "must be a standard resource type or fully qualified");
    }
    errors.texts(path, name, texts);
}

/// Checks one line of what a namespace may use.
pub(crate) fn quota(path: &Path<'_>, name: &str, amount: &Value, errors: &mut FieldErrors) {
    known_name(path, name, errors);
    if !name.contains('/') && !is_of_quotas(name) {
        errors.invalid(path, name, "must be a standard resource for quota");
    }
    counted(path, name, amount, errors);
}

/// An amount that is not below zero, and whole when it counts things.
pub(crate) fn counted(path: &Path<'_>, name: &str, amount: &Value, errors: &mut FieldErrors) {
    not_negative(path, amount, errors);
    let is_count = OBJECTS.contains(&name) || (name.contains('/') && !is_native(name));
    if is_count && quantity(amount).is_some_and(|amount| !amount.is_whole()) {
        errors.invalid(path, amount.clone(), "must be an integer");
    }
}

/// Whether a quota may count it.
pub(crate) fn is_of_quotas(name: &str) -> bool {
    let plain = name.strip_prefix("requests.").or_else(|| name.strip_prefix("limits.")).unwrap_or(name);
    OBJECTS.contains(&name)
        || OF_CONTAINERS.contains(&plain)
        || name == "requests.storage"
        || name.starts_with("hugepages-")
        || name.starts_with("requests.hugepages-")
}

/// An amount that is a quantity and not below zero.
pub(crate) fn not_negative(path: &Path<'_>, amount: &Value, errors: &mut FieldErrors) {
    match quantity(amount) {
        Some(amount) if amount.is_negative() => {
            errors.invalid(path, amount.to_string(), "must be greater than or equal to 0");
        }
        Some(_) => {}
        None => errors.invalid(path, amount.clone(), QuantityError::Format.to_string()),
    }
}

/// An amount that is a quantity above zero.
pub(crate) fn positive(path: &Path<'_>, amount: &Value, errors: &mut FieldErrors) {
    match quantity(amount) {
        Some(amount) if amount.is_zero() || amount.is_negative() => {
            errors.invalid(path, amount.to_string(), "must be greater than zero");
        }
        Some(_) => {}
        None => errors.invalid(path, amount.clone(), QuantityError::Format.to_string()),
    }
}

pub(crate) fn quantity(amount: &Value) -> Option<Quantity> {
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
