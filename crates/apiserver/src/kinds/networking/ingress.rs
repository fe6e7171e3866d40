//! Ingresses.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule, Subresource, network, status,
};
use crate::tree;
use crate::tree::child;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names};

const SPEC: Path<'static> = Path::root("spec");
const PATH_TYPES: [&str; 3] = ["Exact", "ImplementationSpecific", "Prefix"];
/// Parts of a path that servers read differently.
const UNSAFE_PARTS: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];
const UNSAFE_ENDS: [&str; 2] = ["/..", "/."];

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Ingress", "ingresses")
        .singular("ingress")
        .namespaced()
        .short(&["ing"])
        .subresources(&[Subresource::status("Ingress")]),
    names: NameRule::Subdomain,
    generation: Generation::Spec,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: Defined(status::load_balancer),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

fn defaults(object: &mut Map<String, Value>) {
    if let Some(status) = child(object, "status") {
        child(status, "loadBalancer");
    }
}

fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    let spec = new.get("spec").unwrap_or(&Value::Null);
    let rules = tree::list(spec, "/rules");
    let backend = tree::present(spec, "/defaultBackend");
    if rules.is_empty() && backend.is_none() {
        let value = spec.get("rules").cloned().unwrap_or(Value::Null);
        errors.invalid(&SPEC, value, "either `defaultBackend` or `rules` must be specified");
    }
    if let Some(backend) = backend {
        self::backend(&SPEC.child("defaultBackend"), backend, errors);
    }
    let list = SPEC.child("rules");
    for (index, rule) in rules.iter().enumerate() {
        self::rule(&list.index(index), rule, errors);
    }
    let list = SPEC.child("tls");
    for (index, entry) in tree::list(spec, "/tls").iter().enumerate() {
        let at = list.index(index);
        let hosts = at.child("hosts");
        for (index, host) in tree::strings_at(entry, "/hosts").enumerate() {
            errors.texts(&hosts.index(index), host, names::host(host));
        }
        let secret = tree::str_at(entry, "/secretName");
        if !secret.is_empty() {
            errors.texts(&at.child("secretName"), secret, names::subdomain(secret));
        }
    }
    if let Some(class) = tree::present(spec, "/ingressClassName").and_then(Value::as_str) {
        errors.texts(&SPEC.child("ingressClassName"), class, names::subdomain(class));
    }
}

fn rule(path: &Path<'_>, rule: &Value, errors: &mut FieldErrors) {
    let host = tree::str_at(rule, "/host");
    if !host.is_empty() {
        if host.parse::<IpAddr>().is_ok() {
            errors.invalid(&path.child("host"), host, "must be a DNS name, not an IP address");
        }
        errors.texts(&path.child("host"), host, names::host(host));
    }
    let Some(http) = tree::present(rule, "/http") else { return };
    let at = path.child("http");
    let list = at.child("paths");
    let paths = tree::list(http, "/paths");
    if paths.is_empty() {
        errors.required(&list, "");
    }
    for (index, entry) in paths.iter().enumerate() {
        http_path(&list.index(index), entry, errors);
    }
}

fn http_path(path: &Path<'_>, entry: &Value, errors: &mut FieldErrors) {
    let kind = tree::str_at(entry, "/pathType");
    let text = tree::str_at(entry, "/path");
    let at = path.child("path");
    match kind {
        "" => {
            errors.required(&path.child("pathType"), "pathType must be specified");
            return;
        }
        "Exact" | "Prefix" => {
            if !text.starts_with('/') {
                errors.invalid(&at, text, "must be an absolute path");
            }
            for part in UNSAFE_PARTS.iter().filter(|part| text.contains(**part)) {
                errors.invalid(&at, text, format!("must not contain '{part}'"));
            }
            for end in UNSAFE_ENDS.iter().filter(|end| text.ends_with(**end)) {
                errors.invalid(&at, text, format!("cannot end with '{end}'"));
            }
        }
        "ImplementationSpecific" => {
            if !text.is_empty() && !text.starts_with('/') {
                errors.invalid(&at, text, "must be an absolute path");
            }
        }
        _ => errors.not_supported(&path.child("pathType"), kind, &PATH_TYPES),
    }
    backend(&path.child("backend"), entry.get("backend").unwrap_or(&Value::Null), errors);
}

fn backend(path: &Path<'_>, backend: &Value, errors: &mut FieldErrors) {
    let service = tree::present(backend, "/service");
    let resource = tree::present(backend, "/resource");
    match (service, resource) {
        (Some(_), Some(_)) => errors.invalid(path, "", "cannot set both resource and service backends"),
        (Some(service), None) => service_backend(path, service, errors),
        (None, Some(resource)) => {
            for field in ["kind", "name"] {
                if tree::str_at(resource, &format!("/{field}")).is_empty() {
                    errors.required(&path.child("resource").child(field), "");
                }
            }
        }
        (None, None) => errors.invalid(path, "", "resource or service backend is required"),
    }
}

fn service_backend(path: &Path<'_>, service: &Value, errors: &mut FieldErrors) {
    let at = path.child("service");
    match tree::str_at(service, "/name") {
        "" => errors.required(&at.child("name"), ""),
        name => errors.texts(&at.child("name"), name, names::label(name)),
    }
    let port = at.child("port");
    let name = tree::str_at(service, "/port/name");
    match (name, tree::integer(service, "/port/number").unwrap_or_default()) {
        ("", 0) => errors.required(path, "port name or number is required"),
        ("", number) => errors.port(&port.child("number"), number),
        (name, 0) => errors.texts(&port.child("name"), name, names::port(name)),
        _ => errors.invalid(path, "", "cannot set both port name & port number"),
    }
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Class", "Class that says which controller serves the ingress."),
        Column::string("Hosts", "Hosts that the rules match."),
        Column::string("Address", "Addresses of the load balancer."),
        Column::string("Ports", "Ports that are open."),
        AGE,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let ports = if row.list("/spec/tls").is_empty() { "80" } else { "80, 443" };
    vec![
        row.name(),
        json!(row.text_or("/spec/ingressClassName", "<none>")),
        json!(hosts(row.list("/spec/rules"))),
        json!(network::ingress_addresses(row)),
        json!(ports),
        row.age(),
    ]
}

/// The first hosts. Rules without a host take no place, but count among those left out.
fn hosts(rules: &[Value]) -> String {
    let mut shown = Vec::new();
    let mut has_more = false;
    for rule in rules {
        has_more |= shown.len() == network::SHOWN;
        let host = tree::str_at(rule, "/host");
        if !has_more && !host.is_empty() {
            shown.push(host);
        }
    }
    match shown.join(",") {
        all if all.is_empty() => "*".to_owned(),
        all if has_more => format!("{all} + {} more...", rules.len() - network::SHOWN),
        all => all,
    }
}
