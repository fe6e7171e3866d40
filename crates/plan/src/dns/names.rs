//! What may stand in a DNS name, and names made from addresses.

use std::net::IpAddr;

use super::record::Problem;

const MAX_LABEL: usize = 63;
const MAX_NAME: usize = 253;

/// Whether `text` is one label of letters, digits and inner hyphens.
pub fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty()
        && text.len() <= MAX_LABEL
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether `text` is one or more such labels, joined by dots.
pub fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME && text.split('.').all(is_label)
}

/// The host name of an endpoint that has none: its address with hyphens.
pub fn dashed(address: IpAddr) -> String {
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
    match [service, namespace].into_iter().find(|name| !is_label(name)) {
        Some(name) => Err(Problem::ServiceName { name: name.to_owned() }),
        None => Ok(format!("{service}.{namespace}.svc.{zone}").to_ascii_lowercase()),
    }
}

/// Whether a prefix fits under a base.
pub(super) fn check_full(prefix: &str, base: &str) -> Result<(), Problem> {
    let name = if prefix.is_empty() { base.to_owned() } else { format!("{prefix}.{base}") };
    match name.len() {
        length if length > MAX_NAME => Err(Problem::TooLong { name, length }),
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
            assert!(is_label(&got), "{name}");
        }
    }

    #[test]
    fn labels_and_names() {
        let long = "a".repeat(64);
        let cases = [
            ("plain", "web-0", true, true),
            ("upper case", "Web", true, true),
            ("empty", "", false, false),
            ("dotted", "a.b", false, true),
            ("empty label", "a..b", false, false),
            ("underscore", "a_b", false, false),
            ("leading hyphen", "-a", false, false),
            ("trailing hyphen", "a-", false, false),
            ("too long", long.as_str(), false, false),
        ];
        for (name, text, label, dotted) in cases {
            assert_eq!((is_label(text), is_name(text)), (label, dotted), "{name}");
        }
    }
}
