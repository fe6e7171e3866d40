//! Address ranges in CIDR notation.

use std::net::IpAddr;

/// Whether two ranges in CIDR notation share an address; false if one is malformed.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    let (Some(one), Some(other)) = (range(one), range(other)) else { return false };
    one.is_ipv4 == other.is_ipv4 && {
        let shift = one.host_bits.max(other.host_bits);
        one.address.checked_shr(shift).unwrap_or_default()
            == other.address.checked_shr(shift).unwrap_or_default()
    }
}

struct Range {
    is_ipv4: bool,
    address: u128,
    host_bits: u32,
}

fn range(text: &str) -> Option<Range> {
    let (address, length) = text.split_once('/')?;
    let length: u32 = length.parse().ok()?;
    let (is_ipv4, address, width) = match address.parse().ok()? {
        IpAddr::V4(address) => (true, u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (false, u128::from(address), 128),
    };
    Some(Range { is_ipv4, address, host_bits: u32::checked_sub(width, length)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_overlap_when_one_holds_the_other() {
        let cases = [
            ("10.0.0.0/8", "10.1.0.0/16", true),
            ("10.1.0.0/16", "10.0.0.0/8", true),
            ("10.1.0.0/16", "10.2.0.0/16", false),
            ("10.1.0.0/16", "10.1.0.0/16", true),
            ("0.0.0.0/0", "10.1.0.0/16", true),
            ("::/0", "fd00::/64", true),
            ("fd00::/64", "fd00:0:0:1::/64", false),
            ("0.0.0.0/0", "::/0", false),
            ("10.0.0.0/33", "10.0.0.0/8", false),
            ("nonsense", "10.0.0.0/8", false),
        ];
        for (one, other, want) in cases {
            assert_eq!(overlap(one, other), want, "{one} and {other}");
        }
    }
}
