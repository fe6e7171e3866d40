//! The names of a public zone at one instant. Cloning is cheap: the map is persistent.

use std::net::IpAddr;
use std::sync::Arc;

use portolan_plan::federation::dns::record::{RecordSet as PlannedSet, RecordType};
use rpds::HashTrieMapSync;

use crate::record_set::{A, AAAA, CNAME, EncodeError, RecordSet, RecordSetBuilder, TXT};
use crate::service::Sets;

/// A name: its record sets, or only names below it.
#[derive(Debug, Clone, Default)]
struct Node {
    sets: Sets,
    /// The same sets as they were written.
    written: Box<[PlannedSet]>,
    /// Names below it that have records.
    below: usize,
}

/// Names in wire format relative to the zone, without the root label.
#[derive(Debug, Clone)]
pub(crate) struct PublicNames {
    nodes: HashTrieMapSync<Box<[u8]>, Arc<Node>>,
    records: usize,
}

impl Default for PublicNames {
    fn default() -> Self {
        Self { nodes: HashTrieMapSync::new_sync(), records: 0 }
    }
}

impl PublicNames {
    /// Number of records.
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// The record sets of a name; empty for one that only has names below it, `None` for one that does not exist.
    #[inline]
    pub(crate) fn find(&self, name: &[u8]) -> Option<&[RecordSet]> {
        self.nodes.get(name).map(|node| &*node.sets)
    }

    /// The sets of a name as they were written.
    pub(crate) fn written(&self, name: &[u8]) -> &[PlannedSet] {
        self.nodes.get(name).map(|node| &*node.written).unwrap_or_default()
    }

    /// Every set as it was written.
    pub(crate) fn all_written(&self) -> impl Iterator<Item = &PlannedSet> {
        self.nodes.values().flat_map(|node| node.written.iter())
    }

    /// Every name with its sets.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&[u8], &[RecordSet])> {
        self.nodes.iter().map(|(name, node)| (&**name, &*node.sets))
    }

    /// Replaces the sets of a name. Returns the encoded sets before and after; `None` if nothing changed.
    pub(crate) fn put(
        &mut self,
        name: &[u8],
        written: Vec<PlannedSet>,
    ) -> Result<Option<(Sets, Sets)>, EncodeError> {
        let old = self.nodes.get(name).cloned().unwrap_or_default();
        if *old.written == *written {
            return Ok(None);
        }
        let sets: Sets = written.iter().map(encode).collect::<Result<_, _>>()?;
        let count = |sets: &Sets| sets.iter().map(RecordSet::count).sum::<usize>();
        self.records = self.records + count(&sets) - count(&old.sets);
        let (had, has) = (!old.sets.is_empty(), !sets.is_empty());
        let node = Node { sets: sets.clone(), written: written.into(), below: old.below };
        self.set(name, node);
        if had != has {
            self.count_in_ancestors(name, has);
        }
        Ok(Some((old.sets.clone(), sets)))
    }

    /// Names between a name and the zone exist too (RFC 4592, empty non-terminals).
    fn count_in_ancestors(&mut self, name: &[u8], is_added: bool) {
        let mut rest = name;
        while let Some((length, labels)) = rest.split_first() {
            rest = labels.get(usize::from(*length)..).unwrap_or_default();
            if rest.is_empty() {
                return;
            }
            let mut node = self.nodes.get(rest).map(|node| Node::clone(node)).unwrap_or_default();
            node.below = if is_added { node.below + 1 } else { node.below.saturating_sub(1) };
            self.set(rest, node);
        }
    }

    fn set(&mut self, name: &[u8], node: Node) {
        if node.sets.is_empty() && node.below == 0 {
            self.nodes.remove_mut(name);
        } else {
            self.nodes.insert_mut(name.into(), Arc::new(node));
        }
    }
}

fn encode(set: &PlannedSet) -> Result<RecordSet, EncodeError> {
    let kind = match set.kind {
        RecordType::A => A,
        RecordType::Aaaa => AAAA,
        RecordType::Cname => CNAME,
        RecordType::Txt => TXT,
        RecordType::Other(_) => return Err(EncodeError),
    };
    let mut builder = RecordSetBuilder::new(kind, set.ttl);
    for target in &set.targets {
        match kind {
            CNAME => builder.alias(target)?,
            TXT => builder.text(target)?,
            _ => {
                let address: IpAddr = target.parse().map_err(|_| EncodeError)?;
                if address.is_ipv4() != (kind == A) {
                    return Err(EncodeError);
                }
                builder.address(address);
            }
        }
    }
    builder.finish().ok_or(EncodeError)
}

#[cfg(test)]
mod tests {
    use portolan_plan::federation::dns::record::DomainName;

    use super::*;
    use crate::name::relative_wire;

    fn set(kind: RecordType, targets: &[&str]) -> PlannedSet {
        let name = DomainName::parse("a.b.example.com").expect("a name");
        PlannedSet::new(name, kind, 180, targets.iter().copied())
    }

    #[test]
    fn names_between_a_name_and_the_zone_exist_as_long_as_it_does() {
        let mut names = PublicNames::default();
        let (deep, middle, other) = (relative_wire("a.b.c"), relative_wire("b.c"), relative_wire("x.c"));
        names.put(&deep, vec![set(RecordType::A, &["192.0.2.1", "192.0.2.2"])]).expect("encoded");
        names.put(&other, vec![set(RecordType::A, &["192.0.2.3"])]).expect("encoded");
        assert_eq!(names.records(), 3);
        assert_eq!(names.find(&middle).map(<[RecordSet]>::len), Some(0));
        assert_eq!(names.find(&relative_wire("c")).map(<[RecordSet]>::len), Some(0));
        assert!(names.find(&relative_wire("d")).is_none());
        names.put(&middle, vec![set(RecordType::Txt, &["mark"])]).expect("encoded");
        names.put(&deep, Vec::new()).expect("encoded");
        assert!(names.find(&deep).is_none());
        assert_eq!(names.find(&middle).map(<[RecordSet]>::len), Some(1));
        names.put(&middle, Vec::new()).expect("encoded");
        assert!(names.find(&middle).is_none());
        assert!(names.find(&relative_wire("c")).is_some(), "x.c is below it");
        names.put(&other, Vec::new()).expect("encoded");
        assert_eq!((names.records(), names.all().count()), (0, 0));
    }

    #[test]
    fn equal_sets_are_no_change_and_wrong_ones_are_refused() {
        let mut names = PublicNames::default();
        let name = relative_wire("a");
        let same = || vec![set(RecordType::A, &["192.0.2.1"])];
        assert!(names.put(&name, same()).expect("encoded").is_some());
        assert!(names.put(&name, same()).expect("encoded").is_none());
        for wrong in [
            set(RecordType::A, &["2001:db8::1"]),
            set(RecordType::Aaaa, &["192.0.2.1"]),
            set(RecordType::Cname, &["a..b"]),
            set(RecordType::A, &[]),
            set(RecordType::Other("MX".to_owned()), &["x"]),
        ] {
            assert!(names.put(&name, vec![wrong.clone()]).is_err(), "{wrong}");
        }
        assert_eq!(names.written(&name), same());
    }
}
