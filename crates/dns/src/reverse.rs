//! Reverse zones `in-addr.arpa` and `ip6.arpa`: PTR records for addresses of the cluster's own services.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use portolan_object::ObjectKey;
use rpds::HashTrieMapSync;

use crate::lookup::Lookup;
use crate::name::Name;
use crate::record_set::{PTR, RecordSet, RecordSetBuilder};
use crate::service::Service;

/// Labels of a complete IPv4 address, one per octet.
const V4_LABELS: usize = 4;
/// Labels of a complete IPv6 address, one per four bits.
const V6_LABELS: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// Names of one address, by the service that defines them.
#[derive(Debug)]
struct Names {
    by_service: Vec<(ObjectKey, Vec<Box<str>>)>,
    sets: Box<[RecordSet]>,
}

/// Names of all addresses of one family.
#[derive(Debug, Clone)]
pub(crate) struct Reverse {
    family: Family,
    names: HashTrieMapSync<IpAddr, Arc<Names>>,
}

impl Reverse {
    /// Empty reverse zones for IPv4 and IPv6.
    pub(crate) fn both() -> [Self; 2] {
        [Family::V4, Family::V6].map(|family| Self { family, names: HashTrieMapSync::new_sync() })
    }

    pub(crate) fn origin(&self) -> &'static str {
        match self.family {
            Family::V4 => "in-addr.arpa",
            Family::V6 => "ip6.arpa",
        }
    }

    /// Looks up the address spelled by the first `relative` labels of a name.
    pub(crate) fn find(&self, name: &Name, relative: usize) -> Lookup<'_> {
        match parse_address(self.family, name, relative) {
            AddressLabels::Complete(address) => {
                self.names.get(&address).map_or(Lookup::NoName, |names| Lookup::Exists(&names.sets))
            }
            // There may be addresses below this name. They are not counted per range, so every range counts as existing.
            AddressLabels::Prefix => Lookup::Exists(&[]),
            AddressLabels::Invalid => Lookup::NoName,
        }
    }

    /// Replaces the names that one service defines for an address; `service` is `None` once it is deleted.
    pub(crate) fn set(&mut self, address: IpAddr, key: &ObjectKey, service: Option<&Service>, ttl_secs: u32) {
        if address.is_ipv4() != (self.family == Family::V4) {
            return;
        }
        let before = self.names.get(&address);
        let mut by_service = before.map(|names| names.by_service.clone()).unwrap_or_default();
        by_service.retain(|(other, _)| other != key);
        let given = service.iter().flat_map(|service| service.reverse.iter());
        let given: Vec<Box<str>> =
            given.filter(|(of, _)| *of == address).map(|(_, name)| name.clone()).collect();
        if !given.is_empty() {
            by_service.push((key.clone(), given));
        }
        let mut set = RecordSetBuilder::new(PTR, ttl_secs);
        for name in by_service.iter().flat_map(|(_, names)| names) {
            if set.pointer(name).is_err() {
                tracing::warn!(%name, "cannot encode the target of a PTR record, leaving it out");
            }
        }
        match set.finish() {
            Some(set) => {
                let sets = Box::new([set]);
                self.names.insert_mut(address, Arc::new(Names { by_service, sets }));
            }
            None => {
                self.names.remove_mut(&address);
            }
        }
    }
}

enum AddressLabels {
    Complete(IpAddr),
    Prefix,
    Invalid,
}

fn parse_address(family: Family, name: &Name, relative: usize) -> AddressLabels {
    let digits = (0..relative).map(|index| digit(family, name.label(index)));
    let Some(digits) = digits.collect::<Option<Vec<u8>>>() else { return AddressLabels::Invalid };
    match (family, relative) {
        (Family::V4, V4_LABELS) => {
            AddressLabels::Complete(IpAddr::V4(Ipv4Addr::new(digits[3], digits[2], digits[1], digits[0])))
        }
        (Family::V6, V6_LABELS) => {
            let bits = digits.iter().rev().fold(0u128, |bits, &nibble| bits << 4 | u128::from(nibble));
            AddressLabels::Complete(IpAddr::V6(Ipv6Addr::from_bits(bits)))
        }
        (Family::V4, 0..V4_LABELS) | (Family::V6, 0..V6_LABELS) => AddressLabels::Prefix,
        _ => AddressLabels::Invalid,
    }
}

/// Value of one label: a decimal octet without leading zeros for IPv4, one hexadecimal digit for IPv6.
fn digit(family: Family, label: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(label).ok()?;
    match family {
        Family::V4 => text.parse::<u8>().ok().filter(|number| number.to_string() == text),
        Family::V6 if text.len() == 1 => u8::from_str_radix(text, 16).ok(),
        Family::V6 => None,
    }
}
