//! Pods and pod templates.

use std::collections::BTreeSet;

use serde_json::Value;

use super::errors::FieldErrors;
use super::names::{self, label_key_errors, label_value_errors};
use super::path::Path;
use super::{container, metadata, selectors, volume};
use crate::tree;

const SPEC: Path<'static> = Path::root("spec");
const TAINT_EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// What may still change in a pod, as the refusal of anything else lists it.
const CHANGEABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
                          `spec.tolerations` (only additions to existing tolerations),\
                          `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

pub(crate) fn pod(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = new.get("spec").unwrap_or(&Value::Null);
    pod_spec(&SPEC, spec, errors);
    for part in ["containers", "initContainers"] {
        let path = SPEC.child(part);
        for (index, container) in tree::list(spec, &format!("/{part}")).iter().enumerate() {
            let image = tree::text(container, "/image");
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
    if !tree::text(spec, "/nodeName").is_empty() && !tree::list(spec, "/schedulingGates").is_empty() {
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
    let kept = tree::list(new, "/tolerations");
    if tree::list(old, "/tolerations").iter().any(|toleration| !kept.contains(toleration)) {
        let detail = "existing toleration can not be modified except its tolerationSeconds";
        errors.forbidden(&SPEC.child("tolerations"), detail);
    }
    let gates = SPEC.child("schedulingGates");
    for (index, gate) in tree::list(new, "/schedulingGates").iter().enumerate() {
        let name = tree::text(gate, "/name");
        let is_known =
            tree::list(old, "/schedulingGates").iter().any(|gate| tree::text(gate, "/name") == name);
        if !is_known {
            let detail = format!("only deletion is allowed, but found new scheduling gate '{name}'");
            errors.forbidden(&gates.index(index).child("name"), detail);
        }
    }
    if fixed_part(new, old) != fixed_part(old, old) {
        let detail = format!("pod updates may not change fields other than {CHANGEABLE}");
        errors.forbidden(&SPEC, detail);
    }
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

pub(crate) fn pod_template(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    template(&Path::root("template"), new.get("template").unwrap_or(&Value::Null), errors);
}

/// The template of a workload.
pub(crate) fn template(path: &Path<'_>, template: &Value, errors: &mut FieldErrors) {
    metadata::labels(&path.child("labels"), template.pointer("/metadata/labels"), errors);
    metadata::annotations(&path.child("annotations"), template.pointer("/metadata/annotations"), errors);
    let spec = template.get("spec").unwrap_or(&Value::Null);
    let at = path.child("spec");
    pod_spec(&at, spec, errors);
    if !tree::list(spec, "/ephemeralContainers").is_empty() {
        let detail = "ephemeral containers not allowed in pod template";
        errors.forbidden(&at.child("ephemeralContainers"), detail);
    }
}

fn pod_spec(path: &Path<'_>, spec: &Value, errors: &mut FieldErrors) {
    let volumes = volume::volumes(&path.child("volumes"), spec, errors);
    container::containers(&path.child("containers"), spec, &volumes, errors);
    container::init_containers(&path.child("initContainers"), spec, &volumes, errors);
    if tree::is_true(spec, "/hostNetwork") {
        container::host_network_ports(&path.child("containers"), spec, errors);
    }
    let restart = tree::text(spec, "/restartPolicy");
    errors.one_of(&path.child("restartPolicy"), restart, &["Always", "OnFailure", "Never"]);
    let dns = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    errors.one_of(&path.child("dnsPolicy"), tree::text(spec, "/dnsPolicy"), &dns);
    metadata::labels(&path.child("nodeSelector"), spec.get("nodeSelector"), errors);
    affinity(&path.child("affinity"), spec.get("affinity").unwrap_or(&Value::Null), errors);
    dns_config(path, spec, errors);
    scheduling_gates(&path.child("schedulingGates"), spec, errors);
    topology_spread(&path.child("topologySpreadConstraints"), spec, errors);
    for (name, rule) in [
        ("serviceAccountName", names::subdomain as names::Rule),
        ("nodeName", names::subdomain),
        ("hostname", names::label),
        ("subdomain", names::label),
        ("priorityClassName", names::subdomain),
        ("runtimeClassName", names::subdomain),
    ] {
        let value = tree::text(spec, &format!("/{name}"));
        if !value.is_empty() {
            errors.texts(&path.child(name), value, rule(value));
        }
    }
    if let Some(seconds) = tree::integer(spec, "/activeDeadlineSeconds")
        && !(1..=i64::from(i32::MAX)).contains(&seconds)
    {
        let detail = format!("must be between 1 and {}, inclusive", i32::MAX);
        errors.invalid(&path.child("activeDeadlineSeconds"), seconds, detail);
    }
    tolerations(&path.child("tolerations"), spec, errors);
    host_aliases(&path.child("hostAliases"), spec, errors);
}

fn dns_config(path: &Path<'_>, spec: &Value, errors: &mut FieldErrors) {
    let at = path.child("dnsConfig");
    let config = tree::present(spec, "/dnsConfig");
    let servers: Vec<&str> =
        config.map(|config| tree::texts(config, "/nameservers").collect()).unwrap_or_default();
    if tree::text(spec, "/dnsPolicy") == "None" {
        if config.is_none() {
            errors.required(&at, "must provide `dnsConfig` when `dnsPolicy` is None");
            return;
        }
        if servers.is_empty() {
            let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            errors.required(&at.child("nameservers"), detail);
            return;
        }
    }
    if servers.len() > 3 {
        errors.invalid(&at.child("nameservers"), servers.clone(), "must not have more than 3 nameservers");
    }
    for (index, server) in servers.into_iter().enumerate() {
        errors.texts(&at.child("nameservers").index(index), server, names::address(server));
    }
}

fn scheduling_gates(path: &Path<'_>, spec: &Value, errors: &mut FieldErrors) {
    let mut known = BTreeSet::new();
    for (index, gate) in tree::list(spec, "/schedulingGates").iter().enumerate() {
        let name = tree::text(gate, "/name");
        errors.texts(&path.index(index), name, label_key_errors(name));
        if !known.insert(name) {
            errors.duplicate(&path.index(index), name);
        }
    }
}

fn topology_spread(path: &Path<'_>, spec: &Value, errors: &mut FieldErrors) {
    for (index, constraint) in tree::list(spec, "/topologySpreadConstraints").iter().enumerate() {
        let at = path.index(index);
        let skew = tree::integer(constraint, "/maxSkew").unwrap_or_default();
        if skew <= 0 {
            errors.invalid(&at.child("maxSkew"), skew, "must be greater than zero");
        }
        if tree::text(constraint, "/topologyKey").is_empty() {
            errors.required(&at.child("topologyKey"), "can not be empty");
        }
        let unsatisfied = tree::text(constraint, "/whenUnsatisfiable");
        if !["DoNotSchedule", "ScheduleAnyway"].contains(&unsatisfied) {
            let allowed = ["DoNotSchedule", "ScheduleAnyway"];
            errors.not_supported(&at.child("whenUnsatisfiable"), unsatisfied, &allowed);
        }
        if let Some(selector) = tree::present(constraint, "/labelSelector") {
            selectors::selector(&at.child("labelSelector"), selector, errors);
        }
    }
}

fn tolerations(path: &Path<'_>, spec: &Value, errors: &mut FieldErrors) {
    for (index, toleration) in tree::list(spec, "/tolerations").iter().enumerate() {
        let at = path.index(index);
        let [key, operator, value, effect] =
            ["/key", "/operator", "/value", "/effect"].map(|field| tree::text(toleration, field));
        if !key.is_empty() {
            errors.texts(&at.child("key"), key, label_key_errors(key));
        } else if operator != "Exists" {
            let detail =
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.invalid(&at.child("operator"), operator, detail);
        }
        if tree::integer(toleration, "/tolerationSeconds").is_some() && effect != "NoExecute" {
            let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.invalid(&at.child("effect"), effect, detail);
        }
        match operator {
            "Equal" | "" => {
                let texts = label_value_errors(value);
                if !texts.is_empty() {
                    errors.invalid(&at.child("operator"), value, texts.join(";"));
                }
            }
            "Exists" if !value.is_empty() => {
                let detail = "value must be empty when `operator` is 'Exists'";
                errors.invalid(&at.child("operator"), value, detail);
            }
            "Exists" => {}
            _ => errors.not_supported(&at.child("operator"), operator, &["Equal", "Exists"]),
        }
        if !effect.is_empty() {
            taint_effect(&at.child("effect"), effect, errors);
        }
    }
}

/// The effect of a taint, or the one that is tolerated.
pub(crate) fn taint_effect(path: &Path<'_>, effect: &str, errors: &mut FieldErrors) {
    errors.one_of(path, effect, &TAINT_EFFECTS);
}

fn host_aliases(path: &Path<'_>, spec: &Value, errors: &mut FieldErrors) {
    for (index, alias) in tree::list(spec, "/hostAliases").iter().enumerate() {
        let at = path.index(index);
        let address = tree::text(alias, "/ip");
        errors.texts(&at.child("ip"), address, names::address(address));
        let hostnames = at.child("hostnames");
        for (index, name) in tree::texts(alias, "/hostnames").enumerate() {
            errors.texts(&hostnames.index(index), name, names::subdomain(name));
        }
    }
}

fn affinity(path: &Path<'_>, affinity: &Value, errors: &mut FieldErrors) {
    let node = path.child("nodeAffinity");
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    if let Some(selector) = tree::present(affinity, &format!("/nodeAffinity/{required}")) {
        let at = node.child(required);
        let terms = tree::list(selector, "/nodeSelectorTerms");
        if terms.is_empty() {
            errors.required(&at.child("nodeSelectorTerms"), "must have at least one node selector term");
        }
        for (index, term) in terms.iter().enumerate() {
            node_term(&at.child("nodeSelectorTerms").index(index), term, errors);
        }
    }
    for (index, term) in tree::list(affinity, &format!("/nodeAffinity/{preferred}")).iter().enumerate() {
        let list = node.child(preferred);
        let at = list.index(index);
        weight(&at.child("weight"), term, errors);
        node_term(&at.child("preference"), term.get("preference").unwrap_or(&Value::Null), errors);
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        let at = path.child(kind);
        for (index, term) in tree::list(affinity, &format!("/{kind}/{required}")).iter().enumerate() {
            pod_term(&at.child(required).index(index), term, errors);
        }
        for (index, term) in tree::list(affinity, &format!("/{kind}/{preferred}")).iter().enumerate() {
            let list = at.child(preferred);
            let at = list.index(index);
            weight(&at.child("weight"), term, errors);
            pod_term(
                &at.child("podAffinityTerm"),
                term.get("podAffinityTerm").unwrap_or(&Value::Null),
                errors,
            );
        }
    }
}

fn weight(path: &Path<'_>, term: &Value, errors: &mut FieldErrors) {
    let weight = tree::integer(term, "/weight").unwrap_or_default();
    if !(1..=100).contains(&weight) {
        errors.invalid(path, weight, "must be in the range 1-100");
    }
}

fn node_term(path: &Path<'_>, term: &Value, errors: &mut FieldErrors) {
    let list = path.child("matchExpressions");
    for (index, expression) in tree::list(term, "/matchExpressions").iter().enumerate() {
        let at = list.index(index);
        let values = tree::list(expression, "/values");
        let needs = match tree::text(expression, "/operator") {
            "In" | "NotIn" if values.is_empty() => "must be specified when `operator` is 'In' or 'NotIn'",
            "Gt" | "Lt" if values.len() != 1 => {
                "must be specified single value when `operator` is 'Lt' or 'Gt'"
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.forbidden(&at.child("values"), detail);
                ""
            }
            "In" | "NotIn" | "Gt" | "Lt" | "Exists" | "DoesNotExist" => "",
            operator => {
                errors.invalid(&at.child("operator"), operator, "not a valid selector operator");
                ""
            }
        };
        if !needs.is_empty() {
            errors.required(&at.child("values"), needs);
        }
        let key = tree::text(expression, "/key");
        errors.texts(&at.child("key"), key, label_key_errors(key));
    }
}

fn pod_term(path: &Path<'_>, term: &Value, errors: &mut FieldErrors) {
    for field in ["labelSelector", "namespaceSelector"] {
        if let Some(selector) = tree::present(term, &format!("/{field}")) {
            selectors::selector(&path.child(field), selector, errors);
        }
    }
    let key = tree::text(term, "/topologyKey");
    if key.is_empty() {
        errors.required(&path.child("topologyKey"), "can not be empty");
    }
    errors.texts(&path.child("topologyKey"), key, label_key_errors(key));
}
