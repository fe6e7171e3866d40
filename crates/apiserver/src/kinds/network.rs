//! Rules and cells that Services, endpoints and ingresses share.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::kinds::table::cells::{Row, joined};
use crate::tree;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names};

/// Lists of hosts, ports and addresses show this many entries.
pub(crate) const SHOWN: usize = 3;

pub(crate) fn node_name(path: &Path<'_>, entry: &Value, errors: &mut FieldErrors) {
    if let Some(name) = tree::present(entry, "/nodeName").and_then(Value::as_str) {
        errors.texts(&path.child("nodeName"), name, names::subdomain(name));
    }
}

/// Addresses, or host names where there is no address, of a load balancer; sorted, each once.
pub(crate) fn ingress_addresses(row: Row<'_>) -> String {
    let address = |entry| match tree::str_at(entry, "/ip") {
        "" => tree::str_at(entry, "/hostname"),
        address => address,
    };
    let entries = row.list("/status/loadBalancer/ingress").iter();
    let addresses: BTreeSet<&str> = entries.map(address).filter(|text| !text.is_empty()).collect();
    joined(addresses)
}
