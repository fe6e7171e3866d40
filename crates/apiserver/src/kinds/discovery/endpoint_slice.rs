//! Endpoint slices.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::{Row, or_word, shortened};
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule, network, pod_spec,
};
use crate::tree;
use crate::tree::{child, children, default};
use crate::validation::names::label_value_errors;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, metadata, names};

const MAX_ENDPOINTS: usize = 1000;
const MAX_ADDRESSES: usize = 100;
const MAX_PORTS: usize = 20_000;

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "EndpointSlice", "endpointslices")
        .singular("endpointslice")
        .namespaced(),
    names: NameRule::Subdomain,
    generation: Generation::ContentAndLabels,
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
    for name in ["endpoints", "ports"] {
        object.entry(name).or_insert(Value::Null);
    }
    for endpoint in children(object, "endpoints") {
        child(endpoint, "conditions");
    }
    for port in children(object, "ports") {
        if port.get("name").is_none_or(Value::is_null) {
            port.insert("name".to_owned(), json!(""));
        }
        default(port, "protocol", "TCP");
    }
}

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let family = tree::str_at(new, "/addressType");
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
        let name = tree::str_at(port, "/name");
        if !name.is_empty() {
            errors.texts(&at.child("name"), name, names::label(name));
        }
        if !known.insert(name) {
            errors.duplicate(&at.child("name"), name);
        }
        errors.one_of(&at.child("protocol"), tree::str_at(port, "/protocol"), &pod_spec::PROTOCOLS);
        let protocol = tree::str_at(port, "/appProtocol");
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
        for (index, address) in tree::strings_at(endpoint, "/addresses").enumerate() {
            slice_address(&path, index, address, family, errors);
        }
        network::node_name(&at, endpoint, errors);
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
            let name = tree::str_at(hint, "/name");
            let at = list.index(index);
            if !known.insert(name) {
                errors.duplicate(&at.child("name"), name);
            }
            errors.texts(&at.child("name"), name, rule(name));
        }
    }
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("AddressType", "Family of the addresses."),
        Column::string("Ports", "Ports of each endpoint."),
        Column::string("Endpoints", "Addresses of the endpoints."),
        AGE,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let ports: Vec<String> = row.list("/ports").iter().map(slice_port).collect();
    let endpoints = row.list("/endpoints").iter();
    let addresses: Vec<String> =
        endpoints.flat_map(|endpoint| tree::strings_at(endpoint, "/addresses")).map(str::to_owned).collect();
    let cell = |words: &[String]| json!(or_word(shortened(words, network::SHOWN, ","), "<unset>"));
    vec![row.name(), json!(row.text("/addressType")), cell(&ports), cell(&addresses), row.age()]
}

fn slice_port(port: &Value) -> String {
    match (tree::integer(port, "/port"), tree::present(port, "/name")) {
        (Some(number), _) => number.to_string(),
        (None, Some(name)) => name.as_str().unwrap_or_default().to_owned(),
        (None, None) => "*".to_owned(),
    }
}
