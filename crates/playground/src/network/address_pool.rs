//! Allocates the pod addresses of one cluster.
//!
//! An address is reused only after the whole range was allocated, so that a client with the address of a deleted pod
//! does not reach another pod. Pure: after a restart, [`AddressPool::claim`] restores the addresses of existing pods.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// Addresses at the start of a range that no pod gets: the network, its gateway, and room for infrastructure like
/// the cluster's DNS.
const RESERVED_ADDRESSES: u32 = 5;

/// Free and taken addresses of one range.
#[derive(Debug)]
pub(crate) struct AddressPool {
    range: Ipv4Net,
    taken: BTreeSet<Ipv4Addr>,
    /// Where the next allocation starts.
    next: u32,
}

/// Why an address cannot be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// In use by another pod.
    #[error("address {0} is taken")]
    Taken(Ipv4Addr),
    /// Not in the range of the cluster's pods.
    #[error("address {address} is outside of {range}")]
    Outside {
        /// The requested address.
        address: Ipv4Addr,
        /// The range of the cluster's pods.
        range: Ipv4Net,
    },
}

impl AddressPool {
    /// An empty pool over `range`.
    pub(crate) fn new(range: Ipv4Net) -> Self {
        let first = u32::from(range.network()).saturating_add(RESERVED_ADDRESSES);
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

    /// Takes the address of an existing pod.
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

    /// Frees an address.
    pub(crate) fn release(&mut self, address: Ipv4Addr) {
        self.taken.remove(&address);
    }

    fn bounds(&self) -> Option<(u32, u32)> {
        let first = u32::from(self.range.network()).checked_add(RESERVED_ADDRESSES)?;
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
    fn addresses_are_not_reused_until_the_range_is_exhausted() {
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
    fn a_range_without_room_allocates_nothing() {
        for range in ["10.0.0.0/30", "10.0.0.0/32", "255.255.255.255/32"] {
            assert_eq!(allocate(&mut pool(range)), "none", "{range}");
        }
    }
}
