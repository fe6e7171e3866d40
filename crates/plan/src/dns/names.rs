//! DNS names of services and endpoints, and checks that they are valid.

use std::net::IpAddr;

use portolan_object::dns_label::{SUBDOMAIN_LIMIT, is_host_label};

use super::problem::Problem;

/// Host name of an endpoint without `hostname`: its address with hyphens.
pub(super) fn dashed(address: IpAddr) -> String {
    let mut name = address.to_string().replace(['.', ':'], "-");
    // A label must not begin or end with a hyphen, as `fd00::` would.
    if name.starts_with('-') {
        name.insert(0, '0');
    }
    if name.ends_with('-') {
        name.push('0');
    }
    name
}

/// Full name of a service, `<service>.<namespace>.svc.<zone>`.
///
/// # Errors
/// When the name of the service or of the namespace is not a DNS label.
pub(super) fn base(service: &str, namespace: &str, zone: &str) -> Result<String, Problem> {
    match [service, namespace].into_iter().find(|name| !is_host_label(name)) {
        Some(name) => Err(Problem::ServiceName { name: name.to_owned() }),
        None => Ok(format!("{service}.{namespace}.svc.{zone}").to_ascii_lowercase()),
    }
}

/// Checks that `<prefix>.<base>` is not too long.
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
