//! The address ranges of a cluster's pods or Services: IPv4, and IPv6 where the cluster is dual-stack.
//!
//! Pure. Written as one string, as Kubernetes does: `10.10.0.0/16,fd00:10::/64`. The n-th address of the IPv4 range
//! belongs to the same pod or Service as the n-th address of the IPv6 range.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Deserialize;

/// An IPv4 range and an optional IPv6 range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Ranges {
    /// Range of the primary addresses.
    pub v4: Ipv4Net,
    /// Range of the secondary addresses of a dual-stack cluster.
    pub v6: Option<Ipv6Net>,
}

/// A string that is not one IPv4 range, or one with an IPv6 range after it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a range like 10.10.0.0/16, nor two like 10.10.0.0/16,fd00:10::/64")]
pub struct RangesError(String);

impl From<Ipv4Net> for Ranges {
    fn from(v4: Ipv4Net) -> Self {
        Self { v4, v6: None }
    }
}

impl FromStr for Ranges {
    type Err = RangesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || -> Option<Self> {
            match text.split_once(',') {
                None => Some(Self { v4: text.trim().parse().ok()?, v6: None }),
                Some((v4, v6)) => {
                    Some(Self { v4: v4.trim().parse().ok()?, v6: Some(v6.trim().parse().ok()?) })
                }
            }
        };
        read().ok_or_else(|| RangesError(text.to_owned()))
    }
}

impl TryFrom<String> for Ranges {
    type Error = RangesError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.iter().map(|range| range.to_string()).collect();
        f.write_str(&texts.join(","))
    }
}

impl Ranges {
    /// All ranges, IPv4 first.
    pub fn iter(&self) -> impl Iterator<Item = IpNet> + use<> {
        std::iter::once(IpNet::V4(self.v4)).chain(self.v6.map(IpNet::V6))
    }

    /// Whether an address is in one of the ranges.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.iter().any(|range| range.contains(&address))
    }

    /// The first pair of ranges, one of each side, with addresses in common.
    pub fn overlap(&self, others: &Self) -> Option<(IpNet, IpNet)> {
        let mut pairs = self.iter().flat_map(|own| others.iter().map(move |other| (own, other)));
        pairs.find(|(own, other)| own.contains(other) || other.contains(own))
    }

    /// Whether the IPv6 range has an address for every address of the IPv4 range.
    pub fn ipv6_covers_ipv4(&self) -> bool {
        self.v6.is_none_or(|v6| v6.max_prefix_len() - v6.prefix_len() >= 32 - self.v4.prefix_len())
    }

    /// The IPv6 address that belongs to an IPv4 address of the range.
    pub fn ipv6_for(&self, address: Ipv4Addr) -> Option<Ipv6Addr> {
        let v6 = self.v6.filter(|_| self.v4.contains(&address))?;
        let offset = address.to_bits() - self.v4.network().to_bits();
        let address = Ipv6Addr::from_bits(v6.network().to_bits().checked_add(u128::from(offset))?);
        v6.contains(&address).then_some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(text: &str) -> Ranges {
        text.parse().expect("ranges")
    }

    #[test]
    fn ranges_are_read_and_written() {
        for text in ["10.10.0.0/16", "10.10.0.0/16,fd00:10::/64"] {
            assert_eq!(ranges(text).to_string(), text);
        }
        assert_eq!(ranges("10.10.0.0/16, fd00:10::/64").to_string(), "10.10.0.0/16,fd00:10::/64");
        for text in
            ["", "10.10.0.0", "fd00:10::/64", "fd00:10::/64,10.10.0.0/16", "10.0.0.0/8,fd00::/64,fd01::/64"]
        {
            let error = text.parse::<Ranges>().expect_err(text).to_string();
            assert!(error.contains("nor two like"), "{error}");
        }
    }

    #[test]
    fn ipv6_addresses() {
        let both = ranges("10.10.0.0/16,fd00:10::/112");
        let ipv6 = |ranges: &Ranges, address: &str| {
            let address = address.parse().expect("an address");
            ranges.ipv6_for(address).map(|address| address.to_string()).unwrap_or_default()
        };
        assert_eq!(ipv6(&both, "10.10.0.5"), "fd00:10::5");
        assert_eq!(ipv6(&both, "10.10.1.5"), "fd00:10::105");
        assert_eq!(ipv6(&both, "10.9.0.5"), "", "not in the range");
        assert_eq!(ipv6(&ranges("10.10.0.0/16"), "10.10.0.5"), "");
        assert!(both.ipv6_covers_ipv4() && !ranges("10.10.0.0/16,fd00:10::/120").ipv6_covers_ipv4());
        assert_eq!(ipv6(&ranges("10.10.0.0/16,fd00:10::/120"), "10.10.1.5"), "", "no room");
    }

    #[test]
    fn overlaps() {
        let overlap =
            |one: &str, other: &str| ranges(one).overlap(&ranges(other)).map(|(a, b)| format!("{a} {b}"));
        assert_eq!(overlap("10.10.0.0/16", "10.11.0.0/16"), None);
        assert_eq!(overlap("10.10.0.0/16", "10.10.1.0/24").as_deref(), Some("10.10.0.0/16 10.10.1.0/24"));
        assert_eq!(
            overlap("10.10.0.0/16,fd00::/64", "10.11.0.0/16,fd00::/48").as_deref(),
            Some("fd00::/64 fd00::/48")
        );
    }
}
