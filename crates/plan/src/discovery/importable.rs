//! Which endpoints of an exported EndpointSlice an importing API server accepts (kubernetes
//! pkg/apis/discovery/validation/validation.go, pkg/apis/core/validation/validation.go `ValidateNonSpecialIP`).
//!
//! Endpoints that would be refused are left out, so that the others of the slice are imported, and the condition of the
//! export names them. An exporter's own API server has refused most of them already, unless it lies.

use std::fmt;
use std::net::IpAddr;

use portolan_api::kubernetes::{Endpoint, EndpointPort, EndpointSlice, View};
use portolan_object::Object;
use portolan_object::dns_label::is_label;

use crate::import_marks::is_imported;

/// Maximum addresses of an endpoint.
const MAX_ADDRESSES: usize = 100;
/// Maximum items in [`refused`].
const MAX_REFUSED: usize = 20;

/// Why something in a slice is not imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The slice has host names instead of addresses.
    AddressType,
    /// The slice cannot be read.
    Unreadable,
    /// The text is not an IP address of the family of the slice.
    NotAnAddress,
    /// `0.0.0.0` or `::`.
    Unspecified,
    /// An address of the host itself.
    Loopback,
    /// An address that is valid on one network link only.
    LinkLocal,
    /// The endpoint has no address, or more than 100.
    AddressCount,
    /// The host name of the endpoint is not a DNS label.
    Hostname,
    /// The number is not between 1 and 65535.
    PortNumber,
    /// An earlier port of the slice has the name.
    PortName,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AddressType => "has host names instead of IP addresses",
            Self::Unreadable => "cannot be read",
            Self::NotAnAddress => "is not an IP address of the family of the slice",
            Self::Unspecified => "is not an address of an endpoint",
            Self::Loopback => "is a loopback address",
            Self::LinkLocal => "is a link-local address",
            Self::AddressCount => "does not have between 1 and 100 addresses",
            Self::Hostname => "has a host name that is not a DNS label",
            Self::PortNumber => "is not a port number",
            Self::PortName => "is the name of two ports",
        })
    }
}

/// A part of a slice that is not imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Name of the slice.
    pub slice: String,
    /// The address, port or name.
    pub subject: String,
    /// The reason.
    pub reason: Reason,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of EndpointSlice {} {}", self.subject, self.slice, self.reason)
    }
}

/// Whether an endpoint of a slice with `address_type` can be imported.
///
/// # Errors
/// The address or host name, and the reason.
pub(super) fn check_endpoint(address_type: &str, endpoint: &Endpoint<'_>) -> Result<(), (String, Reason)> {
    let first = endpoint.addresses.first().copied().unwrap_or("an endpoint");
    if endpoint.addresses.is_empty() || endpoint.addresses.len() > MAX_ADDRESSES {
        return Err((first.to_owned(), Reason::AddressCount));
    }
    for address in &endpoint.addresses {
        check_address(address_type, address).map_err(|reason| ((*address).to_owned(), reason))?;
    }
    match endpoint.hostname {
        Some(name) if !is_label(name) => Err((first.to_owned(), Reason::Hostname)),
        _ => Ok(()),
    }
}

fn check_address(address_type: &str, address: &str) -> Result<(), Reason> {
    let parsed: IpAddr = address.parse().map_err(|_| Reason::NotAnAddress)?;
    let (is_unspecified, is_link_local) = match parsed {
        IpAddr::V4(parsed) => {
            let [first, second, third, _] = parsed.octets();
            (parsed.is_unspecified(), parsed.is_link_local() || (first, second, third) == (224, 0, 0))
        }
        IpAddr::V6(parsed) => {
            let first = parsed.segments()[0];
            (parsed.is_unspecified(), first & 0xffc0 == 0xfe80 || first & 0xff0f == 0xff02)
        }
    };
    let is_of_family = match parsed {
        IpAddr::V4(_) => address_type == "IPv4",
        IpAddr::V6(parsed) => address_type == "IPv6" && parsed.to_ipv4_mapped().is_none(),
    };
    match () {
        () if !is_of_family => Err(Reason::NotAnAddress),
        () if is_unspecified => Err(Reason::Unspecified),
        () if parsed.is_loopback() => Err(Reason::Loopback),
        () if is_link_local => Err(Reason::LinkLocal),
        () => Ok(()),
    }
}

/// Whether a port can be imported after the ports `before` it.
///
/// # Errors
/// The number or name, and the reason.
pub(super) fn check_port(
    port: &EndpointPort<'_>,
    before: &[EndpointPort<'_>],
) -> Result<(), (String, Reason)> {
    if let Some(number) = port.port.filter(|number| !(1..=65_535).contains(number)) {
        return Err((number.to_string(), Reason::PortNumber));
    }
    let name = |port: &EndpointPort<'_>| port.name.unwrap_or_default().to_owned();
    if before.iter().any(|earlier| name(earlier) == name(port)) {
        return Err((format!("{:?}", name(port)), Reason::PortName));
    }
    Ok(())
}

/// What is not imported of the slices of an exporter, at most 20 items.
pub fn refused<'a>(slices: impl IntoIterator<Item = &'a Object>) -> Vec<Refused> {
    let own = slices.into_iter().filter(|slice| !is_imported(slice) && !slice.is_deleting());
    own.flat_map(refused_of_slice).take(MAX_REFUSED).collect()
}

/// Whether a slice has something that is not imported.
pub fn has_refused(slice: &Object) -> bool {
    !refused([slice]).is_empty()
}

fn refused_of_slice(slice: &Object) -> Vec<Refused> {
    let refused =
        |(subject, reason): (String, Reason)| Refused { slice: slice.name().to_owned(), subject, reason };
    let address_type = EndpointSlice::address_type(slice);
    if !matches!(address_type, "IPv4" | "IPv6") {
        return vec![refused(("addressType".to_owned(), Reason::AddressType))];
    }
    let Ok(view) = EndpointSlice::read(slice) else {
        return vec![refused(("content".to_owned(), Reason::Unreadable))];
    };
    let endpoints = view.endpoints.iter().filter_map(|endpoint| check_endpoint(address_type, endpoint).err());
    let ports = view.ports.iter().enumerate().filter_map(|(index, port)| {
        let before = view.ports.get(..index).unwrap_or_default();
        check_port(port, before).err()
    });
    endpoints.chain(ports).take(MAX_REFUSED).map(refused).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses() {
        let cases = [
            ("IPv4", "10.0.0.1", None),
            ("IPv4", "0.0.0.0", Some(Reason::Unspecified)),
            ("IPv4", "127.0.0.1", Some(Reason::Loopback)),
            ("IPv4", "127.9.9.9", Some(Reason::Loopback)),
            ("IPv4", "169.254.169.254", Some(Reason::LinkLocal)),
            ("IPv4", "224.0.0.251", Some(Reason::LinkLocal)),
            ("IPv4", "224.0.1.1", None),
            ("IPv4", "fd00::1", Some(Reason::NotAnAddress)),
            ("IPv4", "10.0.0", Some(Reason::NotAnAddress)),
            ("IPv4", "", Some(Reason::NotAnAddress)),
            ("IPv4", "host.example", Some(Reason::NotAnAddress)),
            ("IPv6", "fd00::1", None),
            ("IPv6", "::", Some(Reason::Unspecified)),
            ("IPv6", "::1", Some(Reason::Loopback)),
            ("IPv6", "fe80::1", Some(Reason::LinkLocal)),
            ("IPv6", "febf::1", Some(Reason::LinkLocal)),
            ("IPv6", "ff02::1", Some(Reason::LinkLocal)),
            ("IPv6", "::ffff:127.0.0.1", Some(Reason::NotAnAddress)),
            ("IPv6", "10.0.0.1", Some(Reason::NotAnAddress)),
        ];
        for (family, address, want) in cases {
            assert_eq!(check_address(family, address).err(), want, "{family} {address}");
        }
    }

    #[test]
    fn what_is_not_imported_is_named() {
        let slice = |endpoints: serde_json::Value, ports: serde_json::Value, family: &str| {
            Object(json!({ "metadata": { "name": "web-1" }, "addressType": family,
                "endpoints": endpoints, "ports": ports }))
        };
        let endpoints = json!([{ "addresses": ["10.0.0.1"] }, { "addresses": ["127.0.0.1"] }, { "addresses": [] },
            { "addresses": ["10.0.0.2"], "hostname": "a.b" }]);
        let ports =
            json!([{ "name": "a", "port": 80 }, { "name": "a", "port": 81 }, { "name": "b", "port": 70000 }]);
        let slices = [slice(endpoints, ports, "IPv4"), slice(json!([]), json!([]), "FQDN")];
        let texts: Vec<String> = refused(&slices).iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "127.0.0.1 of EndpointSlice web-1 is a loopback address",
                "an endpoint of EndpointSlice web-1 does not have between 1 and 100 addresses",
                "10.0.0.2 of EndpointSlice web-1 has a host name that is not a DNS label",
                "\"a\" of EndpointSlice web-1 is the name of two ports",
                "70000 of EndpointSlice web-1 is not a port number",
                "addressType of EndpointSlice web-1 has host names instead of IP addresses",
            ]
        );
        let many: Vec<serde_json::Value> = (0..500).map(|_| json!({ "addresses": ["::1"] })).collect();
        assert_eq!(refused([&slice(json!(many), json!([]), "IPv4")]).len(), MAX_REFUSED);
        let mut imported = slice(json!([{ "addresses": ["127.0.0.1"] }]), json!([]), "IPv4");
        imported.set_label("multicluster.kubernetes.io/source-cluster", "east");
        assert!(!has_refused(&imported), "imported slices are not exported");
    }
}
