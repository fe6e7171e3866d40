//! Records of a Service in its own cluster (Kubernetes DNS specification 1.1.0).
//!
//! Used in the playground's clusters, which have no other DNS server. The deprecated `pod` subdomain has no records.

use std::net::IpAddr;

use portolan_api::kubernetes::{Service, View};
use portolan_object::Object;
use portolan_object::dns_label::is_host_name;

use super::endpoints::{self, ListedPort, Naming};
use super::import::add_with_address;
use super::names;
use super::problem::Problem;
use super::record::{RecordData, ServiceRecords};

/// All records of `service` in `zone`; `slices` are the EndpointSlices of the Service.
pub fn records(service: &Object, slices: &[&Object], zone: &str) -> ServiceRecords {
    let base = match names::base(service.name(), service.namespace(), zone) {
        Ok(base) => base,
        Err(problem) => return ServiceRecords::failed(problem),
    };
    let spec = match Service::read(service) {
        Ok(service) => service.spec,
        Err(error) => return ServiceRecords::failed(Problem::Unreadable { message: error.to_string() }),
    };
    let mut records = ServiceRecords::default();
    if spec.kind == "ExternalName" {
        add_alias(&mut records, spec.external_name);
        return records.finish(&base);
    }
    let ports = endpoints::ports(spec.ports.iter().map(ListedPort::from), &mut records.problems);
    if spec.is_headless() {
        endpoints::add_headless(&mut records, slices, Naming::WithoutCluster, &ports);
        return records.finish(&base);
    }
    // Empty until the API server has assigned an address.
    let addresses: Vec<IpAddr> = spec.addresses().into_iter().filter_map(|text| text.parse().ok()).collect();
    if !addresses.is_empty() {
        add_with_address(&mut records, &addresses, &ports);
        records.reverse.extend(addresses.into_iter().map(|address| (address, String::new())));
    }
    records.finish(&base)
}

fn add_alias(records: &mut ServiceRecords, target: &str) {
    let name = target.trim_end_matches('.');
    // Unlike host names, the target of a CNAME may contain underscores.
    if is_host_name(&name.replace('_', "a")) {
        records.add("", RecordData::Alias(name.to_ascii_lowercase()));
    } else {
        records.problems.push(Problem::ExternalName { name: target.to_owned() });
    }
}

#[cfg(test)]
mod tests;
