//! Names of services and of endpoints: made from what the objects say, and refused where DNS could not have them.

use std::net::IpAddr;

use portolan_object::dns_label::{SUBDOMAIN_LIMIT, is_host_label};

use super::record::Problem;

/// The host name of an endpoint that has none: its address with hyphens.
pub(super) fn dashed(address: IpAddr) -> String {
    let mut name = address.to_string().replace(['.', ':'], "-");
    // A label neither begins nor ends with a hyphen; `fd00::` would.
    if name.starts_with('-') {
        name.insert(0, '0');
    }
    if name.ends_with('-') {
        name.push('0');
    }
    name
}

/// The name under which a service's records stand.
///
/// # Errors
/// When the service's or the namespace's name is not one label.
pub(super) fn base(service: &str, namespace: &str, zone: &str) -> Result<String, Problem> {
    match [service, namespace].into_iter().find(|name| !is_host_label(name)) {
        Some(name) => Err(Problem::ServiceName { name: name.to_owned() }),
        None => Ok(format!("{service}.{namespace}.svc.{zone}").to_ascii_lowercase()),
    }
}

/// Whether a prefix fits under a base.
pub(super) fn check_full(prefix: &str, base: &str) -> Result<(), Problem> {
    let name = if prefix.is_empty() { base.to_owned() } else { format!("{prefix}.{base}") };
    match name.len() {
        length if length > SUBDOMAIN_LIMIT => Err(Problem::TooLong { name, length }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_host_names() {
        let cases = [
            ("IPv4", "10.244.0.5", "10-244-0-5"),
            ("IPv6", "fd00:10::7", "fd00-10--7"),
            ("ends in a hyphen", "fd00::", "fd00--0"),
            ("begins with a hyphen", "::1", "0--1"),
        ];
        for (name, address, want) in cases {
            let got = dashed(address.parse().unwrap());
            assert_eq!(got, want, "{name}");
            assert!(is_host_label(&got), "{name}");
        }
    }
}
