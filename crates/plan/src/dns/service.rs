//! Records of a Service in its own cluster (Kubernetes DNS specification 1.1.0).
//!
//! Used in the playground's clusters, which have no other DNS server. The deprecated `pod` subdomain has no records.

use std::net::IpAddr;

use portolan_object::Object;
use portolan_object::dns_label::is_host_name;
use serde_json::Value;

use super::endpoints::{self, Naming};
use super::import::add_with_address;
use super::names;
use super::record::{Data, Problem, ServiceRecords};

/// All records of `service` in `zone`; `slices` are the EndpointSlices of the Service.
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
    // Unlike host names, the target of a CNAME may contain underscores.
    if is_host_name(&name.replace('_', "a")) {
        records.add("", Data::Alias(name.to_ascii_lowercase()));
    } else {
        records.problems.push(Problem::ExternalName { name: target.to_owned() });
    }
}

/// Addresses of a Service; empty until the API server has assigned one.
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
