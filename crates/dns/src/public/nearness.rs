//! Which region a client is near to, by its network.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::name::relative_wire;

/// The regions of networks of one length, each as a label in wire format.
type Regions = HashMap<IpAddr, Arc<[u8]>>;

/// Regions of client networks. Of several networks with an address, the smallest counts.
#[derive(Debug, Clone, Default)]
pub struct Nearness {
    /// By length of the prefix, the longest first.
    v4: Vec<(u8, Regions)>,
    v6: Vec<(u8, Regions)>,
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
        let mut families = [BTreeMap::new(), BTreeMap::new()];
        for (region, networks) in regions {
            let label: Arc<[u8]> = relative_wire(&region.to_ascii_lowercase()).into();
            for network in networks {
                let family = usize::from(network.addr().is_ipv6());
                let of_length: &mut Regions = families[family].entry(network.prefix_len()).or_default();
                of_length.insert(network.network(), label.clone());
            }
        }
        let [v4, v6] = families.map(|family| family.into_iter().rev().collect());
        Self { v4, v6 }
    }

    /// The region of a client as a label in wire format, and the bits of the address that decided.
    pub(crate) fn region(&self, place: Place) -> Option<(&[u8], u8)> {
        let address = place.address.to_canonical();
        let networks = if address.is_ipv4() { &self.v4 } else { &self.v6 };
        networks.iter().filter(|(length, _)| *length <= place.known).find_map(|(length, regions)| {
            let network = IpNet::new(address, *length).ok()?.network();
            Some((&**regions.get(&network)?, *length))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_network_counts_as_far_as_the_address_is_known() {
        let networks = |all: &[&str]| all.iter().map(|one| one.parse().expect("a network")).collect();
        let nearness = Nearness::new([
            ("us", networks(&["10.0.0.0/8", "2001:db8::/32"])),
            ("EU", networks(&["10.1.0.0/16"])),
        ]);
        let region = |address: &str, known: u8| {
            let place = Place { address: address.parse().expect("an address"), known };
            nearness
                .region(place)
                .map(|(label, bits)| (String::from_utf8_lossy(&label[1..]).into_owned(), bits))
        };
        let of = |name: &str, bits| Some((name.to_owned(), bits));
        assert_eq!(region("10.2.3.4", 32), of("us", 8));
        assert_eq!(region("10.1.3.4", 32), of("eu", 16));
        assert_eq!(region("10.1.0.0", 12), of("us", 8), "too little is known of the address");
        assert_eq!(region("::ffff:10.1.0.1", 128), of("eu", 16));
        assert_eq!(region("2001:db8::1", 56), of("us", 32));
        assert_eq!(region("192.0.2.1", 32), None);
    }
}
