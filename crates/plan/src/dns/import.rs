//! Records of a ServiceImport in its importing cluster (KEP-1645, "DNS", specification 1.0.0).
//!
//! Reads objects of the importing cluster only: the import, and the EndpointSlices that discovery created for it. Other
//! EndpointSlices are ignored, because write access to EndpointSlices in a namespace must not be enough to answer for
//! other clusters.

use std::net::IpAddr;

use portolan_api::annotations::service_import::DERIVED_SERVICE;
use portolan_api::kubernetes::{Service, View};
use portolan_api::labels;
use portolan_api::labels::endpoint_slice::IMPORT_NAME;
use portolan_api::multicluster::ServiceImportView;
use portolan_object::{Object, ObjectKey};

use super::endpoints::{self, ListedPort, Naming};
use super::names;
use super::problem::Problem;
use super::record::{RecordData, ServiceRecords};
use crate::import_marks::{is_import_of_set, is_managed, is_slice_of_explicit_import, is_slice_of_set};

/// Keys under which the derived Service of an import can be, in the order to look: the Service that the import names, and that
/// of an import which a user or a policy made.
pub fn derived_services(import: &Object) -> impl Iterator<Item = ObjectKey> {
    let named = import.annotation(DERIVED_SERVICE).filter(|name| !name.is_empty()).map(str::to_owned);
    let names = named.into_iter().chain([portolan_api::names::derived_service(import.name())]);
    names.map(|name| ObjectKey::namespaced(import.namespace(), name))
}

/// All records of `import` in `zone`; `slices` are the EndpointSlices of the import, and `derived` is its derived Service.
///
/// An import that a user or a policy made has no addresses itself: its derived Service has them. The same holds for one that
/// `portolan services migrate` has marked, until the set has written it. The marks of Service and import arrive one after the
/// other, so the address does not depend on the form that either of them has.
///
/// Parts of the service without valid DNS name are reported in [`ServiceRecords::problems`] and left out.
pub fn records(import: &Object, derived: Option<&Object>, slices: &[&Object], zone: &str) -> ServiceRecords {
    let base = match names::base(import.name(), import.namespace(), zone) {
        Ok(base) => base,
        Err(problem) => return ServiceRecords::failed(problem),
    };
    // Discovery deletes foreign slices of the same form only, so slices of the other form are not trusted.
    let is_trusted: fn(&Object) -> bool =
        if is_import_of_set(import) { is_slice_of_set } else { is_slice_of_explicit_import };
    let slices: Vec<&Object> = slices.iter().copied().filter(|slice| is_trusted(slice)).collect();
    let spec = match ServiceImportView::read(import) {
        Ok(import) => import.spec,
        Err(error) => return ServiceRecords::failed(Problem::Unreadable { message: error.to_string() }),
    };
    let mut records = ServiceRecords::default();
    let ports = endpoints::ports(spec.ports.iter().map(ListedPort::from), &mut records.problems);
    match spec.kind {
        "ClusterSetIP" => {
            let derived = derived.filter(|service| !is_written_by_set(import) && is_derived(service, import));
            let derived = derived.and_then(|service| Service::read(service).ok());
            let of_service = derived.map(|service| service.spec.addresses());
            let ips = of_service.filter(|ips| !ips.is_empty()).unwrap_or(spec.ips);
            let addresses = addresses(&ips, &mut records.problems);
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

/// Whether the set of the cluster has written the import. Its control plane labels what it writes.
fn is_written_by_set(import: &Object) -> bool {
    is_import_of_set(import) && import.label(labels::CONTROL_PLANE).is_some()
}

/// Whether Portolan manages a Service as the derived Service of an import.
fn is_derived(service: &Object, import: &Object) -> bool {
    is_managed(service)
        && service.namespace() == import.namespace()
        && service.label(IMPORT_NAME) == Some(import.name())
}

/// Address records, and SRV records with the service itself as target.
pub(super) fn add_with_address(
    records: &mut ServiceRecords,
    addresses: &[IpAddr],
    ports: &[endpoints::Port],
) {
    for address in addresses {
        records.add("", RecordData::Address(*address));
    }
    for port in ports {
        let server = RecordData::Server { priority: 0, weight: 0, port: port.number, target: String::new() };
        records.add("", server.clone());
        if let Some(prefix) = port.prefix() {
            records.add(prefix, server);
        }
    }
}

/// Addresses of an import.
fn addresses(ips: &[&str], problems: &mut Vec<Problem>) -> Vec<IpAddr> {
    let parse = |text: &&str| {
        let address = text.parse().ok();
        if address.is_none() {
            let (text, place) = ((*text).to_owned(), "spec.ips".to_owned());
            problems.push(Problem::Address { text, place, expected: "IP" });
        }
        address
    };
    ips.iter().filter_map(parse).collect()
}

#[cfg(test)]
pub(super) mod tests;
