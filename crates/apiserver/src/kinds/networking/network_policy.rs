//! Network policies.

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
};
use crate::tree;
use crate::tree::{child, children, default};
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names, selectors};

const SPEC: Path<'static> = Path::root("spec");

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "NetworkPolicy", "networkpolicies")
        .singular("networkpolicy")
        .namespaced()
        .short(&["netpol"]),
    names: NameRule::Subdomain,
    generation: Generation::Spec,
    status: StatusRule::None,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

fn defaults(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    child(spec, "podSelector");
    let has = |spec: &Map<String, Value>, name: &str| {
        spec.get(name).and_then(Value::as_array).is_some_and(|list| !list.is_empty())
    };
    if !has(spec, "policyTypes") {
        let types = if has(spec, "egress") { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
        spec.insert("policyTypes".to_owned(), types);
    }
    for direction in ["ingress", "egress"] {
        for rule in children(spec, direction) {
            for port in children(rule, "ports") {
                default(port, "protocol", "TCP");
            }
        }
    }
}

fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    let spec = new.get("spec").unwrap_or(&Value::Null);
    if let Some(selector) = tree::present(spec, "/podSelector") {
        selectors::selector(&SPEC.child("podSelector"), selector, errors);
    }
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        let list = SPEC.child(direction);
        for (index, rule) in tree::list(spec, &format!("/{direction}")).iter().enumerate() {
            let at = list.index(index);
            let ports = at.child("ports");
            for (index, port) in tree::list(rule, "/ports").iter().enumerate() {
                policy_port(&ports.index(index), port, errors);
            }
            let list = at.child(peers);
            for (index, peer) in tree::list(rule, &format!("/{peers}")).iter().enumerate() {
                policy_peer(&list.index(index), peer, errors);
            }
        }
    }
    let list = SPEC.child("policyTypes");
    let types = tree::list(spec, "/policyTypes");
    if types.len() > 2 {
        errors.invalid(&list, types.to_vec(), "may not specify more than two policyTypes");
        return;
    }
    for (index, kind) in tree::strings_at(spec, "/policyTypes").enumerate() {
        errors.one_of(&list.index(index), kind, &["Ingress", "Egress"]);
    }
}

fn policy_port(path: &Path<'_>, port: &Value, errors: &mut FieldErrors) {
    let protocol = tree::str_at(port, "/protocol");
    if !protocol.is_empty() {
        errors.one_of(&path.child("protocol"), protocol, &["TCP", "UDP", "SCTP"]);
    }
    let end = tree::integer(port, "/endPort");
    let at = path.child("endPort");
    match tree::present(port, "/port") {
        Some(Value::String(name)) => {
            if let Some(end) = end {
                errors.invalid(&at, end, "may not be specified when `port` is non-numeric");
            }
            errors.texts(&path.child("port"), name, names::port(name));
        }
        Some(number) => {
            let number = number.as_i64().unwrap_or_default();
            errors.port(&path.child("port"), number);
            if let Some(end) = end {
                if end < number {
                    errors.invalid(&at, number, "must be greater than or equal to `port`");
                }
                errors.port(&at, end);
            }
        }
        None => {
            if let Some(end) = end {
                errors.invalid(&at, end, "may not be specified when `port` is not specified");
            }
        }
    }
}

fn policy_peer(path: &Path<'_>, peer: &Value, errors: &mut FieldErrors) {
    let mut count = 0;
    for field in ["podSelector", "namespaceSelector"] {
        if let Some(selector) = tree::present(peer, &format!("/{field}")) {
            count += 1;
            selectors::selector(&path.child(field), selector, errors);
        }
    }
    let block = tree::present(peer, "/ipBlock");
    if let Some(block) = block {
        ip_block(&path.child("ipBlock"), block, errors);
    }
    match (count, block) {
        (0, None) => errors.required(path, "must specify a peer"),
        (1.., Some(_)) => errors.forbidden(path, "may not specify both ipBlock and another peer"),
        _ => {}
    }
}

fn ip_block(path: &Path<'_>, block: &Value, errors: &mut FieldErrors) {
    let text = tree::str_at(block, "/cidr");
    if text.is_empty() {
        errors.required(&path.child("cidr"), "");
        return;
    }
    errors.texts(&path.child("cidr"), text, names::range(text));
    let Ok(range) = text.parse::<IpNet>() else { return };
    let list = path.child("except");
    for (index, text) in tree::strings_at(block, "/except").enumerate() {
        let at = list.index(index);
        errors.texts(&at, text, names::range(text));
        let Ok(except) = text.parse::<IpNet>() else { continue };
        if !range.contains(&except) || range.prefix_len() >= except.prefix_len() {
            errors.invalid(&at, text, "must be a strict subset of `cidr`");
        }
    }
}

static TABLE: Table = Table {
    columns: &[NAME, Column::string("Pod-Selector", "Labels of the pods that the policy is for."), AGE],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.selector("/spec/podSelector")), row.age()]
}
