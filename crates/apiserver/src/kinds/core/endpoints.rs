//! Endpoints.

use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::{Row, shortened};
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule, network, pod_spec,
};
use crate::tree;
use crate::tree::{children, default};
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names};

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Endpoints", "endpoints")
        .singular("endpoints")
        .namespaced()
        .short(&["ep"])
        .create_on_update(),
    names: NameRule::Subdomain,
    generation: Generation::None,
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
    for subset in children(object, "subsets") {
        for port in children(subset, "ports") {
            default(port, "protocol", "TCP");
        }
    }
}

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
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
            match tree::str_at(port, "/name") {
                "" if ports.len() > 1 => errors.required(&at.child("name"), ""),
                "" => {}
                name => errors.texts(&at.child("name"), name, names::label(name)),
            }
            errors.port(&at.child("port"), tree::integer(port, "/port").unwrap_or_default());
            errors.one_of(&at.child("protocol"), tree::str_at(port, "/protocol"), &pod_spec::PROTOCOLS);
        }
    }
}

fn endpoint_address(path: &Path<'_>, entry: &Value, errors: &mut FieldErrors) {
    let address = tree::str_at(entry, "/ip");
    let at = path.child("ip");
    errors.texts(&at, address, names::address(address));
    errors.texts(&at, address, names::endpoint_address(address));
    let hostname = tree::str_at(entry, "/hostname");
    if !hostname.is_empty() {
        errors.texts(&path.child("hostname"), hostname, names::label(hostname));
    }
    network::node_name(path, entry, errors);
}

static TABLE: Table =
    Table { columns: &[NAME, Column::string("Endpoints", "Addresses and ports that serve."), AGE], cells };

fn cells(row: Row<'_>) -> Vec<Value> {
    let subsets = row.list("/subsets");
    let cell = match subsets {
        [] => "<none>".to_owned(),
        _ => shortened(&subsets.iter().flat_map(subset).collect::<Vec<_>>(), network::SHOWN, ","),
    };
    vec![row.name(), json!(cell), row.age()]
}

/// `address:port` for each port of a subset, or the bare addresses where it has no ports.
fn subset(subset: &Value) -> Vec<String> {
    let addresses: Vec<&str> =
        tree::list(subset, "/addresses").iter().map(|entry| tree::str_at(entry, "/ip")).collect();
    let ports = tree::list(subset, "/ports");
    if ports.is_empty() {
        return addresses.into_iter().map(str::to_owned).collect();
    }
    let port_numbers = ports.iter().map(|port| tree::integer(port, "/port").unwrap_or_default());
    port_numbers.flat_map(|port| addresses.iter().map(move |address| host_port(address, port))).collect()
}

fn host_port(address: &str, port: i64) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}
