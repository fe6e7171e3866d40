//! Names of addresses: `in-addr.arpa` and `ip6.arpa`, for the cluster's own services.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use portolan_object::ObjectKey;
use rpds::HashTrieMapSync;

use crate::name::Name;
use crate::record_set::{Builder, PTR, RecordSet};
use crate::service::Service;
use crate::zone::Found;

/// Labels of a whole IPv4 address.
const V4_LABELS: usize = 4;
/// Labels of a whole IPv6 address, one per four bits.
const V6_LABELS: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// The names that one address has, by the service that gives them.
#[derive(Debug)]
struct Names {
    by_service: Vec<(ObjectKey, Vec<Box<str>>)>,
    sets: Box<[RecordSet]>,
}

/// All names of one family's addresses.
#[derive(Debug, Clone)]
pub(crate) struct Reverse {
    family: Family,
    names: HashTrieMapSync<IpAddr, Arc<Names>>,
}

impl Reverse {
    /// For both families.
    pub(crate) fn both() -> [Self; 2] {
        [Family::V4, Family::V6].map(|family| Self { family, names: HashTrieMapSync::new_sync() })
    }

    pub(crate) fn origin(&self) -> &'static str {
        match self.family {
            Family::V4 => "in-addr.arpa",
            Family::V6 => "ip6.arpa",
        }
    }

    /// Finds the name of which `relative` labels stand for an address.
    pub(crate) fn find(&self, name: &Name, relative: usize) -> Found<'_> {
        match address(self.family, name, relative) {
            Spelling::Whole(address) => {
                self.names.get(&address).map_or(Found::Missing, |names| Found::Sets(&names.sets))
            }
            // There may be addresses below. Which ones is not counted; to say so of an empty range does no harm.
            Spelling::Part => Found::Sets(&[]),
            Spelling::None => Found::Missing,
        }
    }

    /// Sets the names that one service gives to an address; `service` is `None` once it is gone.
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
        let mut set = Builder::new(PTR, ttl_secs);
        for name in by_service.iter().flat_map(|(_, names)| names) {
            if set.pointer(name).is_err() {
                tracing::warn!(%name, "a name cannot be encoded");
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

enum Spelling {
    Whole(IpAddr),
    Part,
    None,
}

fn address(family: Family, name: &Name, relative: usize) -> Spelling {
    let digits = (0..relative).map(|index| digit(family, name.label(index)));
    let Some(digits) = digits.collect::<Option<Vec<u8>>>() else { return Spelling::None };
    match (family, relative) {
        (Family::V4, V4_LABELS) => {
            Spelling::Whole(IpAddr::V4(Ipv4Addr::new(digits[3], digits[2], digits[1], digits[0])))
        }
        (Family::V6, V6_LABELS) => {
            let bits = digits.iter().rev().fold(0u128, |bits, &nibble| bits << 4 | u128::from(nibble));
            Spelling::Whole(IpAddr::V6(Ipv6Addr::from_bits(bits)))
        }
        (Family::V4, 0..V4_LABELS) | (Family::V6, 0..V6_LABELS) => Spelling::Part,
        _ => Spelling::None,
    }
}

/// The value of a label, where it is written as addresses are: no leading zeros, one hexadecimal digit.
fn digit(family: Family, label: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(label).ok()?;
    match family {
        Family::V4 => text.parse::<u8>().ok().filter(|number| number.to_string() == text),
        Family::V6 if text.len() == 1 => u8::from_str_radix(text, 16).ok(),
        Family::V6 => None,
    }
}
