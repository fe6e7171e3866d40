//! Endpoints, endpoint slices and network policies.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::container::PROTOCOLS;
use super::errors::FieldErrors;
use super::names::{self, label_value_errors};
use super::path::Path;
use super::{metadata, selectors};
use crate::tree;

const SPEC: Path<'static> = Path::root("spec");
const MAX_ENDPOINTS: usize = 1000;
const MAX_ADDRESSES: usize = 100;
const MAX_PORTS: usize = 20_000;

pub(crate) fn endpoints(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    // Unchanged subsets were good enough once.
    if old.is_some_and(|old| old.get("subsets") == new.get("subsets")) {
        return;
    }
    let list = Path::root("subsets");
    for (index, subset) in tree::list(new, "/subsets").iter().enumerate() {
        let at = list.index(index);
        let ready = tree::list(subset, "/addresses");
        let others = tree::list(subset, "/notReadyAddresses");
        if ready.is_empty() && others.is_empty() {
            errors.required(&at, "must specify `addresses` or `notReadyAddresses`");
        }
        for (field, addresses) in [("addresses", ready), ("notReadyAddresses", others)] {
            let list = at.child(field);
            for (index, address) in addresses.iter().enumerate() {
                endpoint_address(&list.index(index), address, errors);
            }
        }
        let ports = tree::list(subset, "/ports");
        let list = at.child("ports");
        for (index, port) in ports.iter().enumerate() {
            let at = list.index(index);
            match tree::text(port, "/name") {
                "" if ports.len() > 1 => errors.required(&at.child("name"), ""),
                "" => {}
                name => errors.texts(&at.child("name"), name, names::label(name)),
            }
            errors.port(&at.child("port"), tree::integer(port, "/port").unwrap_or_default());
            errors.one_of(&at.child("protocol"), tree::text(port, "/protocol"), &PROTOCOLS);
        }
    }
}

fn endpoint_address(path: &Path<'_>, entry: &Value, errors: &mut FieldErrors) {
    let address = tree::text(entry, "/ip");
    let at = path.child("ip");
    errors.texts(&at, address, names::address(address));
    errors.texts(&at, address, names::endpoint_address(address));
    let hostname = tree::text(entry, "/hostname");
    if !hostname.is_empty() {
        errors.texts(&path.child("hostname"), hostname, names::label(hostname));
    }
    node_name(path, entry, errors);
}

fn node_name(path: &Path<'_>, entry: &Value, errors: &mut FieldErrors) {
    if let Some(name) = tree::present(entry, "/nodeName").and_then(Value::as_str) {
        errors.texts(&path.child("nodeName"), name, names::subdomain(name));
    }
}

pub(crate) fn endpoint_slice(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let family = tree::text(new, "/addressType");
    errors.one_of(&Path::root("addressType"), family, &["FQDN", "IPv4", "IPv6"]);
    slice_ports(new, errors);
    if old.is_none_or(|old| old.get("endpoints") != new.get("endpoints")) {
        slice_endpoints(new, family, errors);
    }
    if let Some(old) = old {
        errors.immutable(&Path::root("addressType"), new, old, "/addressType");
    }
}

fn slice_ports(slice: &Value, errors: &mut FieldErrors) {
    let list = Path::root("ports");
    let ports = tree::list(slice, "/ports");
    if ports.len() > MAX_PORTS {
        errors.too_many(&list, ports.len(), MAX_PORTS);
        return;
    }
    let mut known = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let at = list.index(index);
        let name = tree::text(port, "/name");
        if !name.is_empty() {
            errors.texts(&at.child("name"), name, names::label(name));
        }
        if !known.insert(name) {
            errors.duplicate(&at.child("name"), name);
        }
        errors.one_of(&at.child("protocol"), tree::text(port, "/protocol"), &PROTOCOLS);
        let protocol = tree::text(port, "/appProtocol");
        if !protocol.is_empty() {
            errors.texts(&at.child("appProtocol"), protocol, metadata::qualified_name_errors(protocol));
        }
    }
}

fn slice_endpoints(slice: &Value, family: &str, errors: &mut FieldErrors) {
    let list = Path::root("endpoints");
    let endpoints = tree::list(slice, "/endpoints");
    if endpoints.len() > MAX_ENDPOINTS {
        errors.too_many(&list, endpoints.len(), MAX_ENDPOINTS);
        return;
    }
    for (index, endpoint) in endpoints.iter().enumerate() {
        let at = list.index(index);
        let path = at.child("addresses");
        let addresses = tree::list(endpoint, "/addresses");
        if addresses.is_empty() {
            errors.required(&path, "must contain at least 1 address");
        } else if addresses.len() > MAX_ADDRESSES {
            errors.too_many(&path, addresses.len(), MAX_ADDRESSES);
        }
        for (index, address) in tree::texts(endpoint, "/addresses").enumerate() {
            slice_address(&path, index, address, family, errors);
        }
        node_name(&at, endpoint, errors);
        if let Some(name) = tree::present(endpoint, "/hostname").and_then(Value::as_str) {
            errors.texts(&at.child("hostname"), name, names::label(name));
        }
        hints(&at.child("hints"), endpoint, errors);
    }
}

fn slice_address(list: &Path<'_>, index: usize, address: &str, family: &str, errors: &mut FieldErrors) {
    let at = list.index(index);
    match family {
        "IPv4" | "IPv6" => {
            let texts = names::address(address);
            if !texts.is_empty() {
                errors.texts(&at, address, texts);
                return;
            }
            if address.parse::<IpAddr>().is_ok_and(|parsed| parsed.is_ipv6()) != (family == "IPv6") {
                errors.invalid(list, address, format!("must be an {family} address"));
            }
            errors.texts(&at, address, names::endpoint_address(address));
        }
        "FQDN" => {
            let name = address.strip_suffix('.').unwrap_or(address);
            let texts = names::subdomain(name);
            if name.is_empty() {
                errors.required(&at, "");
            } else if !texts.is_empty() {
                errors.invalid(&at, name, texts.join(","));
            } else if !name.contains('.') {
                let detail = "should be a domain with at least two segments separated by dots";
                errors.invalid(&at, name, detail);
            }
        }
        _ => {}
    }
}

fn hints(path: &Path<'_>, endpoint: &Value, errors: &mut FieldErrors) {
    let rules: [(&str, names::Rule); 2] = [("forZones", label_value_errors), ("forNodes", names::subdomain)];
    for (field, rule) in rules {
        let list = path.child(field);
        let hints = tree::list(endpoint, &format!("/hints/{field}"));
        if hints.len() > 8 {
            errors.too_many(&list, hints.len(), 8);
            continue;
        }
        let mut known = BTreeSet::new();
        for (index, hint) in hints.iter().enumerate() {
            let name = tree::text(hint, "/name");
            let at = list.index(index);
            if !known.insert(name) {
                errors.duplicate(&at.child("name"), name);
            }
            errors.texts(&at.child("name"), name, rule(name));
        }
    }
}

pub(crate) fn network_policy(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
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
    for (index, kind) in tree::texts(spec, "/policyTypes").enumerate() {
        errors.one_of(&list.index(index), kind, &["Ingress", "Egress"]);
    }
}

fn policy_port(path: &Path<'_>, port: &Value, errors: &mut FieldErrors) {
    let protocol = tree::text(port, "/protocol");
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
    let text = tree::text(block, "/cidr");
    if text.is_empty() {
        errors.required(&path.child("cidr"), "");
        return;
    }
    errors.texts(&path.child("cidr"), text, names::range(text));
    let Ok(range) = text.parse::<IpNet>() else { return };
    let list = path.child("except");
    for (index, text) in tree::texts(block, "/except").enumerate() {
        let at = list.index(index);
        errors.texts(&at, text, names::range(text));
        let Ok(except) = text.parse::<IpNet>() else { continue };
        if !range.contains(&except) || range.prefix_len() >= except.prefix_len() {
            errors.invalid(&at, text, "must be a strict subset of `cidr`");
        }
    }
}
