//! What to write so that a zone has the wanted record sets.
//!
//! Only sets with this writer's mark are changed or deleted. A name with records of other software, or with the
//! mark of another owner, is left alone and reported.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::record::{Change, DomainName, RecordKey, RecordSet, RecordType, Write};
use super::registry::{Found, Registry, Zone, owner_of};

/// A record set that the zone shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The set.
    pub set: RecordSet,
    /// What it is for, see [`Owner::resource`](super::registry::Owner).
    pub resource: String,
}

/// Why a wanted name cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The name.
    pub name: DomainName,
    /// What wants it.
    pub resource: String,
    /// Why not, and what to do.
    pub reason: Reason,
}

/// Reasons of a [`Conflict`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The zone has a set that nothing marks.
    Unowned(RecordType),
    /// The set has the mark of another owner.
    Owned {
        /// Type of the set.
        kind: RecordType,
        /// Id in the mark.
        owner: String,
    },
    /// Two resources want the same set.
    Claimed {
        /// The resource that has it.
        by: String,
    },
    /// The zone has no such name.
    OutsideZone,
    /// The mark would have a name that is too long.
    NoMark,
    /// A CNAME has its name alone, but another set's mark, or an alias in place of this set's mark, has the other name.
    MarkTaken(DomainName),
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.reason {
            Reason::Unowned(kind) => write!(
                f,
                "{name} has a record of type {kind} without a mark of an owner; it is left alone: delete it there, or \
                 rename the Service"
            ),
            Reason::Owned { kind, owner } => write!(
                f,
                "{name} has a record of type {kind} that belongs to the owner {owner:?}; it is left alone: delete it \
                 there, or rename the Service"
            ),
            Reason::Claimed { by } => write!(
                f,
                "{name} is published for {by} already: rename one of the two, or keep it from the Federation"
            ),
            Reason::OutsideZone => write!(f, "{name} is not within the zone"),
            Reason::NoMark => write!(
                f,
                "the TXT record that marks {name} as owned would have a label of more than 63 characters: use a \
                 shorter name or a registry prefix that ends with a dot and has %{{record_type}}"
            ),
            Reason::MarkTaken(mark) => write!(
                f,
                "{name} cannot be written because {mark} would have a CNAME and the TXT record that marks an owner: \
                 use a registry prefix that ends with a dot and has %{{record_type}}"
            ),
        }
    }
}

/// The writes that remain, and what cannot be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// One change per name, sorted by name.
    pub changes: Vec<Change>,
    /// Sorted by name.
    pub conflicts: Vec<Conflict>,
}

/// Compares what a zone shall have with what it has.
///
/// `wanted` must be everything that this writer wants in the zone: owned sets that are not among it are deleted.
pub fn difference(zone_name: &DomainName, registry: &Registry, wanted: &[Wanted], zone: &Zone) -> Difference {
    let mut result = Difference::default();
    let by_name = wanted_by_name(zone_name, wanted, &mut result.conflicts);
    let mut present: BTreeMap<&DomainName, Vec<&Found>> = BTreeMap::new();
    for (key, found) in &zone.sets {
        present.entry(&key.name).or_default().push(found);
    }
    let keys = by_name.values().flatten().map(|one| one.set.key()).chain(zone.sets.keys().cloned());
    let marks: BTreeSet<RecordKey> = keys.filter_map(|key| registry.mark_key(&key)).collect();
    let comparison = Comparison { registry, zone, mark_names: marks.iter().map(|key| &key.name).collect() };
    let names: BTreeSet<&DomainName> = by_name.keys().chain(present.keys()).copied().collect();
    for name in names {
        let wanted = by_name.get(name).map_or(&[][..], Vec::as_slice);
        let present = present.get(name).map_or(&[][..], Vec::as_slice);
        match comparison.writes(wanted, present) {
            Ok(writes) if writes.is_empty() => {}
            Ok(writes) => result.changes.push(Change { name: name.clone(), writes }),
            Err(reason) => {
                let resource = wanted.first().map(|one| one.resource.clone()).unwrap_or_default();
                result.conflicts.push(Conflict { name: name.clone(), resource, reason });
            }
        }
    }
    // The rest of an interrupted deletion: marks of this writer without a set.
    let strays = zone.marks.iter().filter(|(key, mark)| !marks.contains(key) && comparison.is_own_mark(mark));
    result.changes.extend(
        strays
            .map(|(key, mark)| Change { name: key.name.clone(), writes: vec![Write::Delete(mark.clone())] }),
    );
    result.conflicts.sort_by(|a, b| (&a.name, &a.resource).cmp(&(&b.name, &b.resource)));
    result
}

/// Groups the wanted sets. Of two resources that want one name, the first in order has it.
fn wanted_by_name<'a>(
    zone: &DomainName,
    wanted: &'a [Wanted],
    conflicts: &mut Vec<Conflict>,
) -> BTreeMap<&'a DomainName, Vec<&'a Wanted>> {
    let mut by_name: BTreeMap<&DomainName, Vec<&Wanted>> = BTreeMap::new();
    let mut sorted: Vec<&Wanted> = wanted.iter().collect();
    sorted.sort_by(|a, b| a.resource.cmp(&b.resource));
    for one in sorted {
        let conflict =
            |reason| Conflict { name: one.set.name.clone(), resource: one.resource.clone(), reason };
        if !one.set.name.is_within(zone) {
            conflicts.push(conflict(Reason::OutsideZone));
            continue;
        }
        let of_name = by_name.entry(&one.set.name).or_default();
        match of_name.first() {
            Some(first) if first.resource != one.resource => {
                conflicts.push(conflict(Reason::Claimed { by: first.resource.clone() }));
            }
            _ => of_name.push(one),
        }
    }
    by_name
}

struct Comparison<'a> {
    registry: &'a Registry,
    zone: &'a Zone,
    /// Names of the marks of all sets, wanted and present.
    mark_names: BTreeSet<&'a DomainName>,
}

impl Comparison<'_> {
    /// The writes for one name, in the order of [`Change::writes`].
    fn writes(&self, wanted: &[&Wanted], present: &[&Found]) -> Result<Vec<Write>, Reason> {
        if !wanted.is_empty() {
            self.refuse_foreign(wanted, present)?;
        }
        let keys: BTreeSet<RecordKey> = wanted.iter().map(|one| one.set.key()).collect();
        let (mut marks, mut deletions, mut puts, mut old_marks) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for found in present.iter().filter(|found| self.is_own(found)) {
            let key = found.set.key();
            if !keys.contains(&key) {
                deletions.push(Write::Delete(found.set.clone()));
                let mark = self.registry.mark_key(&key).and_then(|key| self.zone.marks.get(&key));
                let own = mark.filter(|mark| self.is_own_mark(mark));
                old_marks.extend(own.cloned().map(Write::Delete));
            }
        }
        for one in wanted {
            let set = self.registry.mark(&one.set, &one.resource).map_err(|_| Reason::NoMark)?;
            let before = self.zone.marks.get(&set.key());
            // A provider may have stored another time to live.
            let is_current =
                |present: &RecordSet| present.targets == set.targets && present.routing == set.routing;
            if !before.is_some_and(is_current) {
                marks.push(Write::Put { before: before.cloned(), set });
            }
            let before = self.zone.sets.get(&one.set.key()).map(|found| &found.set);
            if before != Some(&one.set) {
                puts.push(Write::Put { set: one.set.clone(), before: before.cloned() });
            }
        }
        Ok(marks.into_iter().chain(deletions).chain(puts).chain(old_marks).collect())
    }

    /// Refuses a name at which others have an answer, or which cannot have the wanted types.
    fn refuse_foreign(&self, wanted: &[&Wanted], present: &[&Found]) -> Result<(), Reason> {
        let wants_alias = wanted.iter().any(|one| one.set.kind == RecordType::Cname);
        let in_the_way = |found: &&&Found| !self.is_own(found) && (wants_alias || found.set.kind.is_answer());
        if let Some(found) = present.iter().find(in_the_way) {
            let kind = found.set.kind.clone();
            return Err(match &found.owner {
                Some(owner) => Reason::Owned { kind, owner: owner.id.clone() },
                None => Reason::Unowned(kind),
            });
        }
        for one in wanted {
            let mark = self.registry.mark_key(&one.set.key()).ok_or(Reason::NoMark)?;
            let present = self.zone.marks.get(&mark).and_then(owner_of);
            if let Some(owner) = present.filter(|owner| owner.id != self.registry.owner) {
                return Err(Reason::Owned { kind: one.set.kind.clone(), owner: owner.id });
            }
            let alias = RecordKey { kind: RecordType::Cname, set_identifier: String::new(), ..mark.clone() };
            if self.zone.sets.contains_key(&alias) {
                return Err(Reason::MarkTaken(mark.name));
            }
            if wants_alias && self.mark_names.contains(&one.set.name) {
                return Err(Reason::MarkTaken(one.set.name.clone()));
            }
        }
        Ok(())
    }

    fn is_own(&self, found: &Found) -> bool {
        found.set.kind.is_answer()
            && found.owner.as_ref().is_some_and(|owner| owner.id == self.registry.owner)
    }

    fn is_own_mark(&self, mark: &RecordSet) -> bool {
        owner_of(mark).is_some_and(|owner| owner.id == self.registry.owner)
    }
}

#[cfg(test)]
mod tests;
