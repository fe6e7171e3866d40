//! `--service-cidr`: the ranges that Services get their addresses from.
//!
//! As for kube-apiserver, that is one range, or one of each address family; the first is the default family.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;

/// A range has at least eight addresses, as kube-apiserver demands.
const MIN_HOST_BITS: u8 = 3;

/// The ranges of the addresses of Services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceCidr {
    /// Range of the default address family.
    pub primary: IpNet,
    /// Range of the other address family, for dual-stack Services.
    pub secondary: Option<IpNet>,
}

/// Why a text gives no ranges.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{range}: {reason}")]
pub struct ServiceCidrError {
    range: String,
    reason: String,
}

impl ServiceCidr {
    /// One range.
    pub const fn single(range: IpNet) -> Self {
        Self { primary: range, secondary: None }
    }

    /// The addresses of the Service `default/kubernetes`: the first one after the network address of each range.
    pub(crate) fn api_server_addresses(self) -> impl Iterator<Item = IpAddr> {
        [Some(self.primary), self.secondary].into_iter().flatten().map(|range| match range {
            IpNet::V4(range) => Ipv4Addr::from_bits(range.network().to_bits() | 1).into(),
            IpNet::V6(range) => Ipv6Addr::from_bits(range.network().to_bits() | 1).into(),
        })
    }
}

impl Default for ServiceCidr {
    /// `10.96.0.0/16`.
    fn default() -> Self {
        Self::single(IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(10, 96, 0, 0)), 16))
    }
}

impl fmt::Display for ServiceCidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.primary)?;
        self.secondary.map_or(Ok(()), |secondary| write!(f, ",{secondary}"))
    }
}

impl FromStr for ServiceCidr {
    type Err = ServiceCidrError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ranges: Vec<IpNet> =
            text.split(',').map(|range| parse(range.trim())).collect::<Result<_, _>>()?;
        let error = |reason: &str| ServiceCidrError { range: text.to_owned(), reason: reason.to_owned() };
        let is_v4 = |range: &IpNet| matches!(range, IpNet::V4(_));
        match ranges[..] {
            [primary] => Ok(Self::single(primary)),
            [primary, secondary] if is_v4(&primary) != is_v4(&secondary) => {
                Ok(Self { primary, secondary: Some(secondary) })
            }
            [_, _] => Err(error("the two ranges must be one of IPv4 and one of IPv6")),
            _ => Err(error("give one range, or one of IPv4 and one of IPv6")),
        }
    }
}

fn parse(text: &str) -> Result<IpNet, ServiceCidrError> {
    let error = |reason: String| ServiceCidrError { range: format!("{text:?}"), reason };
    let range: IpNet =
        text.parse().map_err(|_| error("not a range such as 10.96.0.0/16 or fd00:96::/112".to_owned()))?;
    if range.addr() != range.network() {
        return Err(error(format!("has bits after its prefix: give {}", range.trunc())));
    }
    if range.max_prefix_len() - range.prefix_len() < MIN_HOST_BITS {
        let most = range.max_prefix_len() - MIN_HOST_BITS;
        return Err(error(format!("too small for Services: give a prefix of at most /{most}")));
    }
    let (first, last) = (range.network(), range.broadcast());
    let is_unusable = |address: IpAddr| {
        address.is_loopback() || address.is_multicast() || address.is_unspecified() || is_link_local(address)
    };
    if is_unusable(first) || is_unusable(last) {
        let reason = "holds loopback, link-local, multicast or unspecified addresses: give a private range";
        return Err(error(reason.to_owned()));
    }
    Ok(range)
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_or_one_of_each_family() {
        for text in
            ["10.96.0.0/16", "fd00:96::/112", "10.96.0.0/12,fd00:96::/108", "fd00:96::/64,192.168.0.0/24"]
        {
            let ranges: ServiceCidr = text.parse().expect(text);
            assert_eq!(ranges.to_string(), text);
        }
        assert_eq!(ServiceCidr::default().to_string(), "10.96.0.0/16");
        let both: ServiceCidr = "10.96.0.0/16, fd00:96::/112".parse().expect("two ranges");
        let addresses: Vec<String> = both.api_server_addresses().map(|address| address.to_string()).collect();
        assert_eq!(addresses, ["10.96.0.1", "fd00:96::1"]);
    }

    #[test]
    fn ranges_that_cannot_be_used_are_explained() {
        let cases = [
            ("", "\"\": not a range such as 10.96.0.0/16 or fd00:96::/112"),
            ("10.96.0.0", "\"10.96.0.0\": not a range such as"),
            ("10.96.0.0/33", "\"10.96.0.0/33\": not a range such as"),
            ("10.96.0.5/16", "\"10.96.0.5/16\": has bits after its prefix: give 10.96.0.0/16"),
            ("10.96.0.0/30", "too small for Services: give a prefix of at most /29"),
            ("fd00::/126", "too small for Services: give a prefix of at most /125"),
            ("127.0.0.0/8", "holds loopback, link-local, multicast or unspecified addresses"),
            ("224.0.0.0/4", "holds loopback, link-local, multicast or unspecified addresses"),
            ("169.254.0.0/16", "holds loopback, link-local, multicast or unspecified addresses"),
            ("0.0.0.0/0", "holds loopback, link-local, multicast or unspecified addresses"),
            ("10.96.0.0/16,10.97.0.0/16", "the two ranges must be one of IPv4 and one of IPv6"),
            ("10.96.0.0/16,fd00::/112,fd01::/112", "give one range, or one of IPv4 and one of IPv6"),
        ];
        for (text, want) in cases {
            let error = text.parse::<ServiceCidr>().expect_err(text).to_string();
            assert!(error.contains(want), "{text}: {error}");
        }
    }
}
