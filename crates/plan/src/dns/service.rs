//! Records of a Service in its own cluster (Kubernetes DNS specification 1.1.0).
//!
//! The playground's clusters have no other DNS. Records of the deprecated `pod` subdomain are left out.

use std::net::IpAddr;

use portolan_api::labels::endpoint_slice::SERVICE_NAME;
use portolan_object::dns_label::is_host_name;
use portolan_object::{Object, ObjectKey};
use serde_json::Value;

use super::endpoints::{self, Naming};
use super::import::add_with_address;
use super::names;
use super::record::{Data, Problem, ServiceRecords};

/// The Service that a slice belongs to.
pub fn owner_of(slice: &Object) -> Option<ObjectKey> {
    let name = slice.label(SERVICE_NAME).filter(|name| !name.is_empty())?;
    Some(ObjectKey::namespaced(slice.namespace(), name))
}

/// All records of `service` under `zone`; `slices` are those of the Service.
pub fn records(service: &Object, slices: &[&Object], zone: &str) -> ServiceRecords {
    let base = match names::base(service.name(), service.namespace(), zone) {
        Ok(base) => base,
        Err(problem) => return ServiceRecords::failed(problem),
    };
    let mut records = ServiceRecords::default();
    if service.str_at(&["spec", "type"]) == "ExternalName" {
        add_alias(&mut records, service.str_at(&["spec", "externalName"]));
        return records.finish(&base);
    }
    let ports = endpoints::ports(service.at(&["spec", "ports"]), &mut records.problems);
    if service.str_at(&["spec", "clusterIP"]) == "None" {
        endpoints::add_headless(&mut records, slices, Naming::WithoutCluster, &ports);
        return records.finish(&base);
    }
    let addresses = addresses(service);
    if !addresses.is_empty() {
        add_with_address(&mut records, &addresses, &ports);
        records.reverse.extend(addresses.into_iter().map(|address| (address, String::new())));
    }
    records.finish(&base)
}

fn add_alias(records: &mut ServiceRecords, target: &str) {
    let name = target.trim_end_matches('.');
    // Unlike host names, targets may have underscores.
    if is_host_name(&name.replace('_', "a")) {
        records.add("", Data::Alias(name.to_ascii_lowercase()));
    } else {
        records.problems.push(Problem::ExternalName { name: target.to_owned() });
    }
}

/// The API server has checked the addresses of Services; one that is still empty is not assigned yet.
fn addresses(service: &Object) -> Vec<IpAddr> {
    let several = service.at(&["spec", "clusterIPs"]).and_then(Value::as_array);
    let several: Vec<IpAddr> =
        several.into_iter().flatten().filter_map(|text| text.as_str()?.parse().ok()).collect();
    if several.is_empty() {
        service.str_at(&["spec", "clusterIP"]).parse().into_iter().collect()
    } else {
        several
    }
}

#[cfg(test)]
mod tests;
