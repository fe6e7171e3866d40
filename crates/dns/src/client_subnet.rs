//! The network of the client that a resolver asks for: EDNS client subnet (RFC 7871).

use std::net::{IpAddr, Ipv4Addr};

/// Code of the option.
pub(crate) const SUBNET_OPTION: u16 = 8;

/// Family of a client that does not want to be known.
const NO_FAMILY: u16 = 0;
const IPV4: u16 = 1;
const IPV6: u16 = 2;

/// The option of a query. A query with a malformed one is answered with FORMERR (RFC 7871, sections 6 and 7.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AskedSubnet {
    Absent,
    Malformed,
    Given(Subnet),
}

impl AskedSubnet {
    /// Adds the data of one option; of several the first counts, and all must be well formed.
    pub(crate) fn add(&mut self, data: &[u8]) {
        *self = match (Subnet::parse(data), *self) {
            (None, _) => Self::Malformed,
            (Some(subnet), Self::Absent) => Self::Given(subnet),
            (Some(_), before) => before,
        };
    }

    /// The network of a well-formed option.
    pub(crate) fn given(self) -> Option<Subnet> {
        match self {
            Self::Given(subnet) => Some(subnet),
            Self::Absent | Self::Malformed => None,
        }
    }
}

/// The network of a client (RFC 7871).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subnet {
    family: u16,
    /// Its address. Only the first `source` bits are known.
    pub(crate) address: IpAddr,
    /// Bits of the address that are known.
    pub(crate) source: u8,
}

impl Subnet {
    /// Reads the data of the option in a query: family, known bits, zero, and the octets that have the known bits. The other
    /// bits of these octets are zero.
    fn parse(data: &[u8]) -> Option<Self> {
        let (head, octets) = data.split_at_checked(4)?;
        let (family, source, scope) = (u16::from_be_bytes([head[0], head[1]]), head[2], head[3]);
        if scope != 0 || octets.len() != usize::from(source).div_ceil(8) {
            return None;
        }
        let unknown_bits = u32::from((8 - source % 8) % 8);
        if octets.last().is_some_and(|last| last.trailing_zeros() < unknown_bits) {
            return None;
        }
        let (address, bits): (IpAddr, u8) = match family {
            NO_FAMILY => (Ipv4Addr::UNSPECIFIED.into(), 0),
            IPV4 => {
                let mut full = [0; 4];
                full.get_mut(..octets.len())?.copy_from_slice(octets);
                (full.into(), 32)
            }
            IPV6 => {
                let mut full = [0; 16];
                full.get_mut(..octets.len())?.copy_from_slice(octets);
                (full.into(), 128)
            }
            _ => return None,
        };
        (source <= bits).then_some(Self { family, address, source })
    }

    /// Octets of the option in an answer.
    pub(crate) fn length(&self) -> usize {
        8 + usize::from(self.source).div_ceil(8)
    }

    /// Appends the option; the answer is for all clients that share `scope` bits of the address.
    pub(crate) fn write(&self, scope: u8, out: &mut Vec<u8>) {
        let octets = usize::from(self.source).div_ceil(8);
        let length = u16::try_from(4 + octets).unwrap_or(0);
        out.extend_from_slice(&SUBNET_OPTION.to_be_bytes());
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&self.family.to_be_bytes());
        out.extend_from_slice(&[self.source, scope]);
        match self.address {
            IpAddr::V4(address) => out.extend_from_slice(&address.octets()[..octets]),
            IpAddr::V6(address) => out.extend_from_slice(&address.octets()[..octets]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_of_the_client_is_read_and_repeated() {
        let with =
            |data: &[u8]| Subnet::parse(data).map(|subnet| (subnet.address.to_string(), subnet.source));
        assert_eq!(with(&[0, 1, 24, 0, 192, 0, 2]), Some(("192.0.2.0".to_owned(), 24)));
        assert_eq!(with(&[0, 2, 32, 0, 0x20, 1, 0xd, 0xb8]), Some(("2001:db8::".to_owned(), 32)));
        assert_eq!(
            with(&[0, 1, 0, 0]),
            Some(("0.0.0.0".to_owned(), 0)),
            "the client does not want to be known"
        );
        assert_eq!(with(&[0, 0, 0, 0]), Some(("0.0.0.0".to_owned(), 0)), "nor its family");
        let wrong: [(&str, &[u8]); 8] = [
            ("cut", &[0, 1, 24]),
            ("too few octets", &[0, 1, 24, 0, 192, 0]),
            ("too many octets", &[0, 1, 16, 0, 192, 0, 2]),
            ("more bits than an address has", &[0, 1, 33, 0, 1, 2, 3, 4, 5]),
            ("an unknown family", &[0, 3, 0, 0]),
            ("bits without a family", &[0, 0, 8, 0, 10]),
            ("bits beyond the known ones", &[0, 1, 20, 0, 192, 0, 2]),
            ("the scope of an answer", &[0, 1, 24, 24, 192, 0, 2]),
        ];
        for (case, data) in wrong {
            assert_eq!(with(data), None, "{case}");
        }
        let subnet = Subnet::parse(&[0, 1, 24, 0, 192, 0, 2]).expect("a network");
        let mut out = Vec::new();
        subnet.write(16, &mut out);
        assert_eq!(out, [0, 8, 0, 7, 0, 1, 24, 16, 192, 0, 2]);
        assert_eq!(out.len(), subnet.length());
    }

    #[test]
    fn of_several_options_the_first_counts_and_all_are_well_formed() {
        let (first, second) = ([0, 1, 24, 0, 192, 0, 2], [0, 1, 8, 0, 10]);
        let all = |options: &[&[u8]]| {
            let mut asked = AskedSubnet::Absent;
            options.iter().for_each(|data| asked.add(data));
            asked
        };
        assert_eq!(all(&[]), AskedSubnet::Absent);
        assert_eq!(all(&[&first, &second]).given(), Subnet::parse(&first));
        assert_eq!(all(&[&first, &[0]]), AskedSubnet::Malformed);
        assert_eq!(all(&[&[0], &second]), AskedSubnet::Malformed);
    }
}
