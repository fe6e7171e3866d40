//! Hands out the addresses of one cluster's pod network.
//!
//! Addresses go round the range before one is used again, so that a client holding the address of a deleted pod
//! meets nobody rather than a stranger. Pure: which pods exist after a restart is told by [`AddressPool::claim`].

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// Addresses at the start of a range that no pod gets: the network itself, its gateway, and room for
/// infrastructure such as a cluster's DNS.
const KEPT: u32 = 5;

/// The free and taken addresses of one range.
#[derive(Debug)]
pub(crate) struct AddressPool {
    range: Ipv4Net,
    taken: BTreeSet<Ipv4Addr>,
    /// The address to try first next time.
    next: u32,
}

/// Why an address cannot be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// Another pod has it.
    #[error("address {0} is taken")]
    Taken(Ipv4Addr),
    /// It belongs to another range.
    #[error("address {address} is outside of {range}")]
    Outside {
        /// The address asked for.
        address: Ipv4Addr,
        /// The range of the cluster's pods.
        range: Ipv4Net,
    },
}

impl AddressPool {
    /// An empty pool over `range`.
    pub(crate) fn new(range: Ipv4Net) -> Self {
        let first = u32::from(range.network()).saturating_add(KEPT);
        Self { range, taken: BTreeSet::new(), next: first }
    }

    /// The next free address, `None` when all are taken.
    pub(crate) fn allocate(&mut self) -> Option<Ipv4Addr> {
        let (first, last) = self.bounds()?;
        let start = self.next.clamp(first, last);
        let free =
            (start..=last).chain(first..start).map(Ipv4Addr::from).find(|a| !self.taken.contains(a))?;
        self.taken.insert(free);
        self.next = u32::from(free).checked_add(1).filter(|next| *next <= last).unwrap_or(first);
        Some(free)
    }

    /// Takes the address that a pod already has.
    pub(crate) fn claim(&mut self, address: Ipv4Addr) -> Result<(), ClaimError> {
        if !self.range.contains(&address) {
            return Err(ClaimError::Outside { address, range: self.range });
        }
        if !self.taken.insert(address) {
            return Err(ClaimError::Taken(address));
        }
        self.next = self.next.max(u32::from(address).saturating_add(1));
        Ok(())
    }

    /// Gives an address back.
    pub(crate) fn release(&mut self, address: Ipv4Addr) {
        self.taken.remove(&address);
    }

    fn bounds(&self) -> Option<(u32, u32)> {
        let first = u32::from(self.range.network()).checked_add(KEPT)?;
        let last = u32::from(self.range.broadcast()).checked_sub(1)?;
        (first <= last).then_some((first, last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(range: &str) -> AddressPool {
        AddressPool::new(range.parse().expect("range"))
    }

    fn allocate(pool: &mut AddressPool) -> String {
        pool.allocate().map_or_else(|| "none".to_owned(), |address| address.to_string())
    }

    #[test]
    fn addresses_are_not_reused_until_the_range_is_through() {
        let mut pool = pool("10.10.0.0/29");
        assert_eq!(allocate(&mut pool), "10.10.0.5");
        pool.release("10.10.0.5".parse().expect("address"));
        assert_eq!(allocate(&mut pool), "10.10.0.6");
        assert_eq!(allocate(&mut pool), "10.10.0.5");
        assert_eq!(allocate(&mut pool), "none");
    }

    #[test]
    fn a_claimed_address_is_not_given_to_another_pod() {
        let mut pool = pool("10.10.0.0/16");
        let address = "10.10.0.9".parse().expect("address");
        assert_eq!(pool.claim(address), Ok(()));
        assert_eq!(pool.claim(address), Err(ClaimError::Taken(address)));
        assert_eq!(allocate(&mut pool), "10.10.0.10");
    }

    #[test]
    fn a_foreign_address_cannot_be_claimed() {
        let mut pool = pool("10.10.0.0/16");
        let address = "10.12.0.9".parse().expect("address");
        assert!(matches!(pool.claim(address), Err(ClaimError::Outside { .. })));
    }

    #[test]
    fn a_range_without_room_gives_nothing() {
        for range in ["10.0.0.0/30", "10.0.0.0/32", "255.255.255.255/32"] {
            assert_eq!(allocate(&mut pool(range)), "none", "{range}");
        }
    }
}
