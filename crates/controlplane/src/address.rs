//! The addresses and names of an API server: where it listens, where clients reach it, what its certificate covers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::str::FromStr;

use portolan_net::pki::ServerNames;

use crate::service_cidr::ServiceCidr;

/// Names of the Service `default/kubernetes`, and of this machine.
const NAMES: [&str; 5] = [
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "localhost",
];
/// Addresses of RFC 5737 and RFC 3849, which no machine has: a route to them is the default route.
const DOCUMENTATION: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];

/// A further name or address of the API server, covered by its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsSan {
    /// A DNS name; the first label may be `*`.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// Why a text is neither a name nor an address that a certificate can cover.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?}: {reason}")]
pub struct TlsSanError {
    text: String,
    reason: &'static str,
}

impl FromStr for TlsSan {
    type Err = TlsSanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |reason| Err(TlsSanError { text: text.to_owned(), reason });
        if let Ok(address) = text.parse::<IpAddr>() {
            return match address.is_unspecified() {
                true => error("clients cannot connect to it: give an address of this machine"),
                false => Ok(Self::Address(address)),
            };
        }
        if text.contains("://") {
            return error("give only the name or address of the URL");
        }
        if text.parse::<SocketAddr>().is_ok()
            || text.rsplit_once(':').is_some_and(|(_, port)| is_number(port))
        {
            return error("give the name or address without a port");
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if !is_dns_name(name) {
            return error("neither an IP address nor a DNS name");
        }
        Ok(Self::Name(name.to_ascii_lowercase()))
    }
}

impl fmt::Display for TlsSan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// RFC 1123, with `*` as first label allowed. The last label is not a number, or it would be a mistyped address.
fn is_dns_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(is_word)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let rest = name.strip_prefix("*.").unwrap_or(name);
    name.len() <= 253 && rest.split('.').all(is_label) && !rest.rsplit('.').next().is_some_and(is_number)
}

/// Checks `--advertise-address`.
///
/// # Errors
/// The reason and the next step, when no client could connect to the address.
pub fn parse_advertise_address(text: &str) -> Result<IpAddr, AdvertiseAddressError> {
    let error = |reason| AdvertiseAddressError { text: text.to_owned(), reason };
    let address: IpAddr =
        text.parse().map_err(|_| error("not an IP address: a name belongs to --tls-san"))?;
    let is_broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    if address.is_unspecified() || address.is_multicast() || is_broadcast {
        return Err(error("clients cannot connect to it: give an address of this machine"));
    }
    Ok(address)
}

/// Why an address cannot be advertised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?}: {reason}")]
pub struct AdvertiseAddressError {
    text: String,
    reason: &'static str,
}

/// The address by which clients on other machines reach a server that listens on `listening`: the given one, else the
/// listening one, else that of the interface with the default route. `None` on a machine without a route.
pub(crate) fn advertised(listening: SocketAddr, given: Option<IpAddr>) -> Option<SocketAddr> {
    let specified = Some(listening.ip()).filter(|address| !address.is_unspecified());
    let address = given.or(specified).or_else(|| default_interface(listening.ip()))?;
    Some(SocketAddr::new(address, listening.port()))
}

/// Asks the routing table, as kube-apiserver does; nothing is sent. An IPv6 socket may be reached by IPv4 as well.
fn default_interface(listening: IpAddr) -> Option<IpAddr> {
    DOCUMENTATION.iter().rev().filter(|target| listening.is_ipv6() || target.is_ipv4()).find_map(|&target| {
        let any: IpAddr =
            if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect((target, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_unspecified())
    })
}

/// The URL for clients on this machine.
pub(crate) fn local_url(listening: SocketAddr) -> String {
    let address = match listening.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    format!("https://{}", SocketAddr::new(address, listening.port()))
}

/// Everything that the serving certificate covers: names inside of clusters, loopback, the addresses of the server, and
/// further names.
pub(crate) fn server_names(
    listening: SocketAddr,
    advertised: Option<SocketAddr>,
    sans: &[TlsSan],
    services: ServiceCidr,
) -> ServerNames {
    let mut dns: Vec<String> = NAMES.map(str::to_owned).into();
    let mut addresses = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    addresses.extend(services.api_server_addresses());
    addresses.extend(Some(listening.ip()).filter(|address| !address.is_unspecified()));
    addresses.extend(advertised.map(|advertised| advertised.ip()));
    for san in sans {
        match san {
            TlsSan::Name(name) => dns.push(name.clone()),
            TlsSan::Address(address) => addresses.push(*address),
        }
    }
    ServerNames {
        common_name: "kube-apiserver".to_owned(),
        dns: distinct(dns),
        addresses: distinct(addresses),
    }
}

/// Drops repeated values; keeps the order.
fn distinct<T: PartialEq>(values: Vec<T>) -> Vec<T> {
    values.into_iter().fold(Vec::new(), |mut distinct, value| {
        if !distinct.contains(&value) {
            distinct.push(value);
        }
        distinct
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn sans_are_names_or_addresses() {
        let cases = [
            ("10.0.0.5", "10.0.0.5"),
            ("fd00::5", "fd00::5"),
            ("hub.example.org", "hub.example.org"),
            ("Hub.Example.ORG.", "hub.example.org"),
            ("*.example.org", "*.example.org"),
            ("hub-1", "hub-1"),
        ];
        for (text, want) in cases {
            assert_eq!(text.parse::<TlsSan>().expect(text).to_string(), want);
        }
    }

    #[test]
    fn sans_that_no_certificate_covers_are_explained() {
        let cases = [
            ("", "neither an IP address nor a DNS name"),
            ("hub example", "neither an IP address nor a DNS name"),
            ("10.0.0.300", "neither an IP address nor a DNS name"),
            ("-hub", "neither an IP address nor a DNS name"),
            ("hub..org", "neither an IP address nor a DNS name"),
            ("münchen.example", "neither an IP address nor a DNS name"),
            ("0.0.0.0", "clients cannot connect to it: give an address of this machine"),
            ("::", "clients cannot connect to it: give an address of this machine"),
            ("https://hub.example.org", "give only the name or address of the URL"),
            ("hub.example.org:6443", "give the name or address without a port"),
            ("10.0.0.5:6443", "give the name or address without a port"),
            ("[fd00::5]:6443", "give the name or address without a port"),
        ];
        for (text, want) in cases {
            let error = text.parse::<TlsSan>().expect_err(text).to_string();
            assert_eq!(error, format!("{text:?}: {want}"));
        }
    }

    #[test]
    fn addresses_that_cannot_be_advertised_are_explained() {
        assert_eq!(parse_advertise_address("10.0.0.5").expect("an address").to_string(), "10.0.0.5");
        assert_eq!(parse_advertise_address("fd00::5").expect("an address").to_string(), "fd00::5");
        let cases = [
            ("hub.example.org", "not an IP address: a name belongs to --tls-san"),
            ("10.0.0.5:6443", "not an IP address: a name belongs to --tls-san"),
            ("0.0.0.0", "clients cannot connect to it: give an address of this machine"),
            ("::", "clients cannot connect to it: give an address of this machine"),
            ("224.0.0.1", "clients cannot connect to it: give an address of this machine"),
            ("255.255.255.255", "clients cannot connect to it: give an address of this machine"),
        ];
        for (text, want) in cases {
            let error = parse_advertise_address(text).expect_err(text).to_string();
            assert_eq!(error, format!("{text:?}: {want}"));
        }
    }

    #[test]
    fn kubeconfigs_of_this_machine_use_an_address_that_works() {
        let cases = [
            ("127.0.0.1:6443", "https://127.0.0.1:6443"),
            ("10.0.0.5:6443", "https://10.0.0.5:6443"),
            ("0.0.0.0:6443", "https://127.0.0.1:6443"),
            ("[::]:6443", "https://[::1]:6443"),
            ("[fd00::5]:6443", "https://[fd00::5]:6443"),
        ];
        for (listening, want) in cases {
            assert_eq!(local_url(socket(listening)), want);
        }
    }

    #[test]
    fn the_given_address_is_advertised_before_the_listening_one() {
        let given = "203.0.113.9".parse().ok();
        assert_eq!(advertised(socket("0.0.0.0:6443"), given), Some(socket("203.0.113.9:6443")));
        assert_eq!(advertised(socket("10.0.0.5:6443"), given), Some(socket("203.0.113.9:6443")));
        assert_eq!(advertised(socket("10.0.0.5:6443"), None), Some(socket("10.0.0.5:6443")));
        let found = advertised(socket("0.0.0.0:6443"), None);
        assert!(found.is_none_or(|found| found.is_ipv4() && !found.ip().is_unspecified()), "{found:?}");
    }

    #[test]
    fn the_certificate_covers_every_way_to_the_server() {
        let sans = ["hub.example.org", "203.0.113.9", "localhost"].map(|san| san.parse().expect("a SAN"));
        let names = server_names(
            socket("0.0.0.0:6443"),
            Some(socket("10.0.0.5:6443")),
            &sans,
            "10.96.0.0/16,fd00:96::/112".parse().expect("ranges"),
        );
        let addresses: Vec<String> = names.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["127.0.0.1", "::1", "10.96.0.1", "fd00:96::1", "10.0.0.5", "203.0.113.9"]);
        assert_eq!(&names.dns[4..], ["localhost", "hub.example.org"]);
    }
}
