//! Which region a client is near to, by its network or by a database of places.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::places::Places;
use crate::name::relative_wire;

/// The regions of networks of one length, each as a label in wire format.
type Regions = HashMap<IpAddr, Arc<[u8]>>;

/// Regions of client networks. Of several networks with an address, the smallest counts.
#[derive(Debug, Clone, Default)]
pub struct Nearness {
    v4: Networks,
    v6: Networks,
    /// Regions for clients in networks without a region, and in regions without an answer.
    places: Option<Places>,
}

/// The networks of one address family.
#[derive(Debug, Clone, Default)]
struct Networks {
    /// By length of the prefix, the longest first.
    by_length: Vec<(u8, Regions)>,
    /// Addresses at which a network begins, or the first one after its end, in order. Between two of them every address has
    /// the same region.
    boundaries: Vec<u128>,
}

/// A client, as far as answers depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// An address of its network.
    pub(crate) address: IpAddr,
    /// Bits of the address that are known.
    pub(crate) known: u8,
}

impl Nearness {
    /// Regions with their networks. A region is a label of domain names.
    pub fn new<'a>(regions: impl IntoIterator<Item = (&'a str, Vec<IpNet>)>) -> Self {
        let mut nearness = Self::default();
        let mut families = [BTreeMap::new(), BTreeMap::new()];
        for (region, networks) in regions {
            let label: Arc<[u8]> = relative_wire(&region.to_ascii_lowercase()).into();
            for network in networks {
                let is_v6 = network.addr().is_ipv6();
                let of_length: &mut Regions =
                    families[usize::from(is_v6)].entry(network.prefix_len()).or_default();
                of_length.insert(network.network(), label.clone());
                let family = if is_v6 { &mut nearness.v6 } else { &mut nearness.v4 };
                family.boundaries.push(number(network.network()));
                // The last address of all has none after it.
                let last = number(network.broadcast());
                if last != last_of_family(is_v6) {
                    family.boundaries.push(last + 1);
                }
            }
        }
        let [v4, v6] = families;
        for (family, by_length) in [(&mut nearness.v4, v4), (&mut nearness.v6, v6)] {
            family.by_length = by_length.into_iter().rev().collect();
            family.boundaries.sort_unstable();
            family.boundaries.dedup();
        }
        nearness
    }

    /// Adds regions by a database of places.
    #[must_use]
    pub fn with_places(mut self, places: Places) -> Self {
        self.places = Some(places);
        self
    }

    /// The value that `of` has for the region of the client's network; otherwise for the nearest region by the database that has one.
    /// Returns also how many bits of the address decided.
    pub(crate) fn find<T>(&self, place: Place, of: impl Fn(&[u8]) -> Option<T>) -> (Option<T>, u8) {
        let bits = self.scope(place);
        let of_network = self.region(place).and_then(&of);
        match &self.places {
            Some(places) if of_network.is_none() => {
                let (found, more) = places.nearest(place.address.to_canonical(), of);
                (found, bits.max(more))
            }
            _ => (of_network, bits),
        }
    }

    fn networks(&self, address: IpAddr) -> &Networks {
        if address.is_ipv4() { &self.v4 } else { &self.v6 }
    }

    /// The region of a client as a label in wire format.
    fn region(&self, place: Place) -> Option<&[u8]> {
        let address = place.address.to_canonical();
        let networks = &self.networks(address).by_length;
        networks.iter().filter(|(length, _)| *length <= place.known).find_map(|(length, regions)| {
            let network = IpNet::new(address, *length).ok()?.network();
            regions.get(&network).map(|label| &**label)
        })
    }

    /// How many bits of the address decide: every client that shares them has the same region. More than are known if the
    /// network of the client has several regions.
    fn scope(&self, place: Place) -> u8 {
        let address = place.address.to_canonical();
        let boundaries = &self.networks(address).boundaries;
        let address_number = number(address);
        let next = boundaries.partition_point(|boundary| *boundary <= address_number);
        let before = next.checked_sub(1).and_then(|at| boundaries[at].checked_sub(1));
        let after = boundaries.get(next).copied();
        let bits = if address.is_ipv4() { 32 } else { 128 };
        // A network as long as this has the address, and not the neighbour on the other side of the boundary.
        let shared = |other: u128| (address_number ^ other).leading_zeros() - (128 - bits);
        let decisive = before.into_iter().chain(after).map(|other| shared(other) + 1).max();
        u8::try_from(decisive.unwrap_or(0)).unwrap_or(u8::MAX)
    }
}

/// An address as a number.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

fn last_of_family(is_v6: bool) -> u128 {
    if is_v6 { u128::MAX } else { u128::from(u32::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nearness() -> Nearness {
        let networks = |all: &[&str]| all.iter().map(|one| one.parse().expect("a network")).collect();
        Nearness::new([
            ("us", networks(&["10.0.0.0/8", "2001:db8::/32"])),
            ("EU", networks(&["10.1.0.0/16", "255.255.255.0/24"])),
        ])
    }

    fn place(address: &str, known: u8) -> Place {
        Place { address: address.parse().expect("an address"), known }
    }

    #[test]
    fn the_smallest_network_counts_as_far_as_the_address_is_known() {
        let nearness = nearness();
        for (address, known, want) in [
            ("10.2.3.4", 32, Some("us")),
            ("10.1.3.4", 32, Some("eu")),
            // Too little is known of the address.
            ("10.1.0.0", 12, Some("us")),
            ("::ffff:10.1.0.1", 128, Some("eu")),
            ("2001:db8::1", 56, Some("us")),
            ("192.0.2.1", 32, None),
        ] {
            let region = nearness.region(place(address, known));
            let region = region.map(|label| String::from_utf8_lossy(&label[1..]).into_owned());
            assert_eq!(region.as_deref(), want, "{address}/{known}");
        }
    }

    #[test]
    fn an_answer_is_for_no_client_that_has_another_region() {
        let nearness = nearness();
        for (address, known, want) in [
            ("10.1.3.0", 24, 16),
            // 10.0.0.0/16 is beside 10.1.0.0/16; 10.128.0.0/9 has nothing of it.
            ("10.0.3.0", 24, 16),
            ("10.2.3.0", 24, 15),
            ("10.200.0.0", 24, 9),
            // The network of the client has two regions.
            ("10.0.0.0", 12, 16),
            // Beside 10.0.0.0/8, and beside 255.255.255.0/24.
            ("11.0.0.0", 24, 8),
            ("192.0.2.0", 24, 3),
            ("255.255.255.0", 24, 24),
            ("2001:db8::", 56, 32),
            ("2001:db9::", 56, 32),
            ("fe80::", 56, 1),
        ] {
            assert_eq!(nearness.scope(place(address, known)), want, "{address}/{known}");
        }
        assert_eq!(Nearness::default().scope(place("192.0.2.0", 24)), 0, "nothing depends on the client");
    }

    #[test]
    fn every_address_of_a_scope_has_the_region_of_the_answer() {
        let nearness = nearness();
        for first in 0..=255_u8 {
            for second in [0, 1, 2, 127, 128, 255] {
                let place = place(&format!("{first}.{second}.0.1"), 32);
                let scope = nearness.scope(place);
                let network = IpNet::new(place.address, scope).expect("a length");
                for address in [network.network(), network.broadcast()] {
                    let other = Place { address, known: 32 };
                    assert_eq!(nearness.region(other), nearness.region(place), "{place:?} /{scope}");
                }
            }
        }
    }
}
