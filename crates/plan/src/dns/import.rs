//! Records of a ServiceImport in the cluster that imports it (KEP-1645, DNS specification 1.0.0, forms D2 to D6).
//!
//! Only objects of the importing cluster are read: the import, and the EndpointSlices with its name in the label
//! `multicluster.kubernetes.io/service-name` that discovery brought. A slice of anybody else is no answer, or whoever
//! may write slices in a namespace could answer for other clusters.

use std::net::IpAddr;

use portolan_api::labels::endpoint_slice::IMPORT_NAME;
use portolan_object::{Object, ObjectKey};
use serde_json::Value;

use super::endpoints::{self, Naming};
use super::names;
use super::record::{Data, Problem, ServiceRecords};
use crate::discovery::cluster_set::is_of_set;
use crate::discovery::slices::{is_of_explicit_import, is_of_set_import};

/// The import that a slice belongs to; `None` for a slice that discovery did not bring.
pub fn owner_of(slice: &Object) -> Option<ObjectKey> {
    let is_brought = is_of_set_import(slice) || is_of_explicit_import(slice);
    let name = slice.label(IMPORT_NAME).filter(|name| is_brought && !name.is_empty())?;
    Some(ObjectKey::namespaced(slice.namespace(), name))
}

/// All records of `import` under `zone`; `slices` are those of the import.
///
/// What cannot be named is in [`ServiceRecords::problems`]; it takes nothing else down with it.
pub fn records(import: &Object, slices: &[&Object], zone: &str) -> ServiceRecords {
    let base = match names::base(import.name(), import.namespace(), zone) {
        Ok(base) => base,
        Err(problem) => return ServiceRecords::failed(problem),
    };
    // Discovery takes back what it did not put there, but looks at an import of a set for slices of the set only.
    let is_trusted = if is_of_set(import) { is_of_set_import } else { is_of_explicit_import };
    let slices: Vec<&Object> = slices.iter().copied().filter(|slice| is_trusted(slice)).collect();
    let mut records = ServiceRecords::default();
    let ports = endpoints::ports(import.at(&["spec", "ports"]), &mut records.problems);
    match import.str_at(&["spec", "type"]) {
        "ClusterSetIP" => {
            let addresses = addresses(import, &mut records.problems);
            if addresses.is_empty() {
                return records.finish(&base);
            }
            add_with_address(&mut records, &addresses, &ports);
        }
        "Headless" => endpoints::add_headless(&mut records, &slices, Naming::WithCluster, &ports),
        kind => return ServiceRecords::failed(Problem::Type { kind: kind.to_owned() }),
    }
    records.finish(&base)
}

/// D2 and D3: the addresses, and SRV records whose target is the service itself.
pub(super) fn add_with_address(
    records: &mut ServiceRecords,
    addresses: &[IpAddr],
    ports: &[endpoints::Port],
) {
    for address in addresses {
        records.add("", Data::Address(*address));
    }
    for port in ports {
        let server = Data::Server { priority: 0, weight: 0, port: port.number, target: String::new() };
        records.add("", server.clone());
        if let Some(prefix) = port.prefix() {
            records.add(prefix, server);
        }
    }
}

/// None is no problem: an import that a user made is answered by its derived Service alone.
fn addresses(import: &Object, problems: &mut Vec<Problem>) -> Vec<IpAddr> {
    let listed = import.at(&["spec", "ips"]).and_then(Value::as_array).into_iter().flatten();
    let texts: Vec<&str> = listed.filter_map(Value::as_str).collect();
    let parse = |text: &&str| {
        let address = text.parse().ok();
        if address.is_none() {
            let (text, place) = ((*text).to_owned(), "spec.ips".to_owned());
            problems.push(Problem::Address { text, place, expected: "IP" });
        }
        address
    };
    texts.iter().filter_map(parse).collect()
}

#[cfg(test)]
pub(super) mod tests;
