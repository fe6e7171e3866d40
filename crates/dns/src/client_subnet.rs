//! The network of the client that a resolver asks for: EDNS client subnet (RFC 7871).

use std::net::IpAddr;

/// Code of the option.
pub(crate) const SUBNET_OPTION: u16 = 8;

/// The network of a client (RFC 7871).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subnet {
    /// Its address. Only the first `source` bits are known.
    pub(crate) address: IpAddr,
    /// Bits of the address that are known.
    pub(crate) source: u8,
}

impl Subnet {
    /// Reads the data of the option.
    pub(crate) fn parse(data: &[u8]) -> Option<Self> {
        let (head, octets) = data.split_at_checked(4)?;
        let (family, source) = (u16::from_be_bytes([head[0], head[1]]), head[2]);
        if octets.len() != usize::from(source).div_ceil(8) {
            return None;
        }
        let (address, bits): (IpAddr, u8) = match family {
            1 => {
                let mut full = [0; 4];
                full.get_mut(..octets.len())?.copy_from_slice(octets);
                (full.into(), 32)
            }
            2 => {
                let mut full = [0; 16];
                full.get_mut(..octets.len())?.copy_from_slice(octets);
                (full.into(), 128)
            }
            _ => return None,
        };
        (source <= bits).then_some(Self { address, source })
    }

    /// Octets of the option in an answer.
    pub(crate) fn length(&self) -> usize {
        8 + usize::from(self.source).div_ceil(8)
    }

    /// Appends the option; the answer is for all clients that share `scope` bits of the address.
    pub(crate) fn write(&self, scope: u8, out: &mut Vec<u8>) {
        let octets = usize::from(self.source).div_ceil(8);
        let length = u16::try_from(4 + octets).unwrap_or(0);
        let family = if self.address.is_ipv4() { 1 } else { 2 };
        out.extend_from_slice(&SUBNET_OPTION.to_be_bytes());
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&[0, family, self.source, scope]);
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
        for wrong in [&[0, 1, 24][..], &[0, 1, 24, 0, 192, 0], &[0, 1, 33, 0, 1, 2, 3, 4, 5], &[0, 3, 0, 0]] {
            assert_eq!(with(wrong), None, "{wrong:?}");
        }
        let subnet = Subnet::parse(&[0, 1, 24, 0, 192, 0, 2]).expect("a network");
        let mut out = Vec::new();
        subnet.write(16, &mut out);
        assert_eq!(out, [0, 8, 0, 7, 0, 1, 24, 16, 192, 0, 2]);
        assert_eq!(out.len(), subnet.length());
    }
}
