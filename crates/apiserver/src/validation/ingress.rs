//! Ingresses and their classes.

use std::net::IpAddr;

use serde_json::Value;

use super::errors::FieldErrors;
use super::path::Path;
use super::{metadata, names};
use crate::tree;

const SPEC: Path<'static> = Path::root("spec");
const PATH_TYPES: [&str; 3] = ["Exact", "ImplementationSpecific", "Prefix"];

/// Parts of a path that servers read differently.
const UNSAFE_PARTS: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];
const UNSAFE_ENDS: [&str; 2] = ["/..", "/."];

pub(crate) fn ingress(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
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
        for (index, host) in tree::texts(entry, "/hosts").enumerate() {
            errors.texts(&hosts.index(index), host, names::host(host));
        }
        let secret = tree::text(entry, "/secretName");
        if !secret.is_empty() {
            errors.texts(&at.child("secretName"), secret, names::subdomain(secret));
        }
    }
    if let Some(class) = tree::present(spec, "/ingressClassName").and_then(Value::as_str) {
        errors.texts(&SPEC.child("ingressClassName"), class, names::subdomain(class));
    }
}

fn rule(path: &Path<'_>, rule: &Value, errors: &mut FieldErrors) {
    let host = tree::text(rule, "/host");
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
    let kind = tree::text(entry, "/pathType");
    let text = tree::text(entry, "/path");
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
                if tree::text(resource, &format!("/{field}")).is_empty() {
                    errors.required(&path.child("resource").child(field), "");
                }
            }
        }
        (None, None) => errors.invalid(path, "", "resource or service backend is required"),
    }
}

fn service_backend(path: &Path<'_>, service: &Value, errors: &mut FieldErrors) {
    let at = path.child("service");
    match tree::text(service, "/name") {
        "" => errors.required(&at.child("name"), ""),
        name => errors.texts(&at.child("name"), name, names::label(name)),
    }
    let port = at.child("port");
    let name = tree::text(service, "/port/name");
    match (name, tree::integer(service, "/port/number").unwrap_or_default()) {
        ("", 0) => errors.required(path, "port name or number is required"),
        ("", number) => errors.port(&port.child("number"), number),
        (name, 0) => errors.texts(&port.child("name"), name, names::port(name)),
        _ => errors.invalid(path, "", "cannot set both port name & port number"),
    }
}

pub(crate) fn ingress_class(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let controller = tree::text(new, "/spec/controller");
    let path = SPEC.child("controller");
    if controller.len() > 250 {
        errors.too_long(&path.to_string(), 250);
    }
    match controller.split_once('/') {
        _ if controller.is_empty() => errors.required(&path, ""),
        Some((domain, rest)) if !domain.is_empty() && !rest.is_empty() => {
            errors.texts(&path, domain, metadata::domain_errors(domain));
        }
        _ => errors.invalid(&path, controller, "must be a domain-prefixed path (such as \"acme.io/foo\")"),
    }
    if let Some(old) = old {
        errors.immutable(&path, new, old, "/spec/controller");
    }
}
