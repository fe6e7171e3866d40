//! Validation of pods and pod templates.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{container, volume};
use crate::tree;
use crate::validation::names::{label_key_errors, label_value_errors};
use crate::validation::path::Path;
use crate::validation::{FieldErrors, metadata, names, selectors};

const TAINT_EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// The template of a workload.
pub(crate) fn validate_template(path: &Path<'_>, template: &Value, errors: &mut FieldErrors) {
    metadata::labels(&path.child("labels"), template.pointer("/metadata/labels"), errors);
    metadata::annotations(&path.child("annotations"), template.pointer("/metadata/annotations"), errors);
    let spec = template.get("spec").unwrap_or(&Value::Null);
    let at = path.child("spec");
    validate_pod_spec(&at, spec, errors);
    if !tree::list(spec, "/ephemeralContainers").is_empty() {
        let detail = "ephemeral containers not allowed in pod template";
        errors.forbidden(&at.child("ephemeralContainers"), detail);
    }
}

pub(crate) fn validate_pod_spec(path: &Path<'_>, spec: &Value, errors: &mut FieldErrors) {
    let volumes = volume::volumes(&path.child("volumes"), spec, errors);
    container::containers(&path.child("containers"), spec, &volumes, errors);
    container::init_containers(&path.child("initContainers"), spec, &volumes, errors);
    if tree::is_true(spec, "/hostNetwork") {
        container::host_network_ports(&path.child("containers"), spec, errors);
    }
    let restart = tree::str_at(spec, "/restartPolicy");
    errors.one_of(&path.child("restartPolicy"), restart, &["Always", "OnFailure", "Never"]);
    let dns = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    errors.one_of(&path.child("dnsPolicy"), tree::str_at(spec, "/dnsPolicy"), &dns);
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
        let value = tree::str_at(spec, &format!("/{name}"));
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
        config.map(|config| tree::strings_at(config, "/nameservers").collect()).unwrap_or_default();
    if tree::str_at(spec, "/dnsPolicy") == "None" {
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
        let name = tree::str_at(gate, "/name");
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
        if tree::str_at(constraint, "/topologyKey").is_empty() {
            errors.required(&at.child("topologyKey"), "can not be empty");
        }
        let unsatisfied = tree::str_at(constraint, "/whenUnsatisfiable");
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
            ["/key", "/operator", "/value", "/effect"].map(|field| tree::str_at(toleration, field));
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
        let address = tree::str_at(alias, "/ip");
        errors.texts(&at.child("ip"), address, names::address(address));
        let hostnames = at.child("hostnames");
        for (index, name) in tree::strings_at(alias, "/hostnames").enumerate() {
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
        let needs = match tree::str_at(expression, "/operator") {
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
        let key = tree::str_at(expression, "/key");
        errors.texts(&at.child("key"), key, label_key_errors(key));
    }
}

fn pod_term(path: &Path<'_>, term: &Value, errors: &mut FieldErrors) {
    for field in ["labelSelector", "namespaceSelector"] {
        if let Some(selector) = tree::present(term, &format!("/{field}")) {
            selectors::selector(&path.child(field), selector, errors);
        }
    }
    let key = tree::str_at(term, "/topologyKey");
    if key.is_empty() {
        errors.required(&path.child("topologyKey"), "can not be empty");
    }
    errors.texts(&path.child("topologyKey"), key, label_key_errors(key));
}
