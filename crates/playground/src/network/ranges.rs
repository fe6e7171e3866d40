//! The addresses of a cluster's pods or Services: a range of IPv4, and one of IPv6 where the cluster is dual-stack.
//!
//! Pure. Both are written in one text, as Kubernetes takes them: `10.10.0.0/16,fd00:10::/64`. What has an address of the
//! first range has the one at the same place of the second.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Deserialize;

/// One range or two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Ranges {
    /// The one that everything has an address of.
    pub v4: Ipv4Net,
    /// The second one.
    pub v6: Option<Ipv6Net>,
}

/// A text that is not one range or two.
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
    /// All ranges, that of IPv4 first.
    pub fn iter(&self) -> impl Iterator<Item = IpNet> + use<> {
        std::iter::once(IpNet::V4(self.v4)).chain(self.v6.map(IpNet::V6))
    }

    /// Whether an address is in one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.iter().any(|range| range.contains(&address))
    }

    /// A range of these and one of the others that have addresses in common.
    pub fn overlap(&self, others: &Self) -> Option<(IpNet, IpNet)> {
        let mut pairs = self.iter().flat_map(|own| others.iter().map(move |other| (own, other)));
        pairs.find(|(own, other)| own.contains(other) || other.contains(own))
    }

    /// Whether every address of the first range has one of the second.
    pub fn are_matched(&self) -> bool {
        self.v6.is_none_or(|v6| v6.max_prefix_len() - v6.prefix_len() >= 32 - self.v4.prefix_len())
    }

    /// The address of the second range that belongs to one of the first.
    pub fn second(&self, address: Ipv4Addr) -> Option<Ipv6Addr> {
        let v6 = self.v6.filter(|_| self.v4.contains(&address))?;
        let place = address.to_bits() - self.v4.network().to_bits();
        let second = Ipv6Addr::from_bits(v6.network().to_bits().checked_add(u128::from(place))?);
        v6.contains(&second).then_some(second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(text: &str) -> Ranges {
        text.parse().expect("ranges")
    }

    #[test]
    fn texts() {
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
    fn second_addresses() {
        let both = ranges("10.10.0.0/16,fd00:10::/112");
        let second = |ranges: &Ranges, address: &str| {
            let address = address.parse().expect("an address");
            ranges.second(address).map(|second| second.to_string()).unwrap_or_default()
        };
        assert_eq!(second(&both, "10.10.0.5"), "fd00:10::5");
        assert_eq!(second(&both, "10.10.1.5"), "fd00:10::105");
        assert_eq!(second(&both, "10.9.0.5"), "", "not of the range");
        assert_eq!(second(&ranges("10.10.0.0/16"), "10.10.0.5"), "");
        assert!(both.are_matched() && !ranges("10.10.0.0/16,fd00:10::/120").are_matched());
        assert_eq!(second(&ranges("10.10.0.0/16,fd00:10::/120"), "10.10.1.5"), "", "no room");
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
