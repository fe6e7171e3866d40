//! Validation of autoscalers.

use serde_json::Value;

use crate::tree;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names};

const SPEC: Path<'static> = Path::root("spec");
const SOURCES: [(&str, &str); 5] = [
    ("ContainerResource", "containerResource"),
    ("External", "external"),
    ("Object", "object"),
    ("Pods", "pods"),
    ("Resource", "resource"),
];

pub(crate) fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = new.get("spec").unwrap_or(&Value::Null);
    bounds(new, old, errors);
    let list = SPEC.child("metrics");
    let metrics = tree::list(spec, "/metrics");
    for (index, metric) in metrics.iter().enumerate() {
        self::metric(&list.index(index), metric, errors);
    }
    let is_outside = |metric: &Value| matches!(tree::str_at(metric, "/type"), "Object" | "External");
    scale_to_zero(new, metrics.iter().any(is_outside), errors);
    let behavior = SPEC.child("behavior");
    for direction in ["scaleUp", "scaleDown"] {
        if let Some(rules) = tree::present(spec, &format!("/behavior/{direction}")) {
            scaling_rules(&behavior.child(direction), rules, errors);
        }
    }
}

/// Without pods there is nothing to measure but what stands outside of them.
pub(crate) fn scale_to_zero(autoscaler: &Value, has_outside_metric: bool, errors: &mut FieldErrors) {
    if tree::integer(autoscaler, "/spec/minReplicas") == Some(0) && !has_outside_metric {
        let detail =
            "must specify at least one Object or External metric to support scaling to zero replicas";
        errors.forbidden(&SPEC.child("metrics"), detail);
    }
}

pub(crate) fn bounds(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = new.get("spec").unwrap_or(&Value::Null);
    let least = tree::integer(spec, "/minReplicas");
    let most = tree::integer(spec, "/maxReplicas").unwrap_or_default();
    let path = SPEC.child("maxReplicas");
    if let Some(least) = least
        && least < 1
    {
        errors.invalid(&SPEC.child("minReplicas"), least, "must be greater than or equal to 1");
    }
    match most {
        0 => errors.required(&path, "must be set and greater than 0"),
        ..0 => errors.invalid(&path, most, "must be greater than or equal to 1"),
        _ => {}
    }
    if least.is_some_and(|least| most < least) {
        errors.invalid(&path, most, "must be greater than or equal to `minReplicas`");
    }
    let target = SPEC.child("scaleTargetRef");
    for field in ["kind", "name"] {
        match tree::str_at(spec, &format!("/scaleTargetRef/{field}")) {
            "" => errors.required(&target.child(field), ""),
            text => errors.texts(&target.child(field), text, names::path_segment(text)),
        }
    }
    let version = |object| {
        let part = |field| tree::str_at(object, field);
        (part("/spec/scaleTargetRef/apiVersion"), part("/spec/scaleTargetRef/kind"))
    };
    let (api_version, kind) = version(new);
    if old.is_none_or(|old| version(old) != version(new)) {
        group_of_target(&target.child("apiVersion"), api_version, kind, errors);
    }
}

/// All that scales has a group, but for replication controllers.
fn group_of_target(path: &Path<'_>, api_version: &str, kind: &str, errors: &mut FieldErrors) {
    let has_group = api_version.contains('/');
    if api_version.matches('/').count() > 1 {
        errors.invalid(path, api_version, format!("unexpected GroupVersion string: {api_version}"));
    } else if !has_group && kind != "ReplicationController" {
        errors.invalid(path, api_version, "apiVersion must specify API group");
    }
}

fn metric(path: &Path<'_>, metric: &Value, errors: &mut FieldErrors) {
    let kind = tree::str_at(metric, "/type");
    let kinds = SOURCES.map(|(kind, _)| kind);
    if kind.is_empty() {
        errors.required(&path.child("type"), "must specify a metric source type");
    }
    let Some((_, field)) = SOURCES.iter().find(|(name, _)| *name == kind) else {
        errors.not_supported(&path.child("type"), kind, &kinds);
        return;
    };
    for (_, other) in SOURCES.iter().filter(|(_, other)| other != field) {
        if tree::present(metric, &format!("/{other}")).is_some() {
            let detail =
                format!("must populate the given metric source only (currently populated: {field}, {other})");
            errors.forbidden(&path.child(other), detail);
        }
    }
    let at = path.child(field);
    let Some(source) = tree::present(metric, &format!("/{field}")) else {
        errors.required(&at, "must populate information for the given metric source");
        return;
    };
    if field.ends_with("esource") && tree::str_at(source, "/name").is_empty() {
        errors.required(&at.child("name"), "must specify a resource name");
    }
    let target = at.child("target");
    let kind = tree::str_at(source, "/target/type");
    if kind.is_empty() {
        errors.required(&target.child("type"), "must specify a metric target type");
    }
    if !["Utilization", "Value", "AverageValue"].contains(&kind) {
        let detail = "must be either Utilization, Value, or AverageValue";
        errors.invalid(&target.child("type"), kind, detail);
    }
    if let Some(share) = tree::integer(source, "/target/averageUtilization")
        && share < 1
    {
        errors.invalid(&target.child("averageUtilization"), share, "must be greater than 0");
    }
    let has = |name: &str| tree::present(source, &format!("/target/{name}")).is_some();
    if field.ends_with("esource") {
        match (has("averageUtilization"), has("averageValue")) {
            (false, false) => {
                let detail = "must set either a target raw value or a target utilization";
                errors.required(&target.child("averageUtilization"), detail);
            }
            (true, true) => {
                let detail = "may not set both a target raw value and a target utilization";
                errors.forbidden(&target.child("averageValue"), detail);
            }
            _ => {}
        }
        return;
    }
    let missing = match *field {
        "pods" if !has("averageValue") => "must specify a positive target averageValue",
        "object" if !has("value") && !has("averageValue") => "must set either a target value or averageValue",
        "external" if !has("value") && !has("averageValue") => {
            "must set either a target value for metric or a per-pod target"
        }
        _ => return,
    };
    errors.required(&target.child("averageValue"), missing);
}

fn scaling_rules(path: &Path<'_>, rules: &Value, errors: &mut FieldErrors) {
    let at = path.child("stabilizationWindowSeconds");
    match tree::integer(rules, "/stabilizationWindowSeconds") {
        Some(seconds @ ..0) => errors.invalid(&at, seconds, "must be greater than or equal to zero"),
        Some(seconds @ 3601..) => errors.invalid(&at, seconds, "must be less than or equal to 3600"),
        _ => {}
    }
    let select = tree::str_at(rules, "/selectPolicy");
    if !select.is_empty() {
        errors.one_of(&path.child("selectPolicy"), select, &["Disabled", "Max", "Min"]);
    }
    let list = path.child("policies");
    let policies = tree::list(rules, "/policies");
    if policies.is_empty() {
        errors.required(&list, "must specify at least one Policy");
    }
    for (index, policy) in policies.iter().enumerate() {
        let at = list.index(index);
        let kind = tree::str_at(policy, "/type");
        if !["Percent", "Pods"].contains(&kind) {
            errors.not_supported(&at.child("type"), kind, &["Percent", "Pods"]);
        }
        for field in ["value", "periodSeconds"] {
            let number = tree::integer(policy, &format!("/{field}")).unwrap_or_default();
            if number <= 0 {
                errors.invalid(&at.child(field), number, "must be greater than zero");
            }
        }
        let period = tree::integer(policy, "/periodSeconds").unwrap_or_default();
        if period > 1800 {
            errors.invalid(&at.child("periodSeconds"), period, "must be less than or equal to 1800");
        }
    }
}
