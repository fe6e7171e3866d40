//! The record sets of one Service: what is wanted beside what a zone has.

use std::fmt;

use super::difference::Wanted;
use super::record::{DomainName, RecordSet, RecordType};
use super::registry::{Registry, Zone};

/// One record set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: DomainName,
    /// Its type.
    pub kind: RecordType,
    /// What it shall be; `None` if it shall not be.
    pub wanted: Option<RecordSet>,
    /// What the zone has.
    pub published: Option<RecordSet>,
    /// How the two compare.
    pub state: State,
}

/// How a wanted record set compares with that of the zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The zone has it.
    Published,
    /// The zone does not have it.
    Missing,
    /// The zone has it with other data or another time to live.
    Differs,
    /// The zone has it, and it is not wanted any more.
    Surplus,
    /// The control plane reports that the zone, which it serves itself, has it.
    Reported,
    /// The zone has one that is not the federation's; the owner if a mark names one.
    Foreign(Option<String>),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Published => f.write_str("published"),
            Self::Missing => f.write_str("missing"),
            Self::Differs => f.write_str("differs"),
            Self::Surplus => f.write_str("surplus"),
            Self::Reported => f.write_str("reported as published"),
            Self::Foreign(Some(owner)) => write!(f, "of owner {owner}"),
            Self::Foreign(None) => f.write_str("without a known owner"),
        }
    }
}

/// The record sets of one Service in a zone that the control plane serves itself, from memory; `is_published` is what it reports
/// of the zone.
pub fn reported_rows(resource: &str, wanted: &[Wanted], is_published: bool) -> Vec<Row> {
    let row = |set: &RecordSet| Row {
        name: set.name.clone(),
        kind: set.kind.clone(),
        wanted: Some(set.clone()),
        published: None,
        state: if is_published { State::Reported } else { State::Missing },
    };
    let mut rows: Vec<Row> =
        wanted.iter().filter(|one| one.resource == resource).map(|one| row(&one.set)).collect();
    rows.sort_by(|a, b| (&a.name, &a.kind).cmp(&(&b.name, &b.kind)));
    rows
}

/// Compares the record sets of one Service; sorted by name and type. `resource` is what its marks say.
pub fn rows(registry: &Registry, resource: &str, wanted: &[Wanted], zone: &Zone) -> Vec<Row> {
    let wanted: Vec<&RecordSet> =
        wanted.iter().filter(|one| one.resource == resource).map(|one| &one.set).collect();
    let mut rows: Vec<Row> = wanted
        .iter()
        .map(|set| {
            let found = zone.sets.get(&set.key());
            let owner = found.and_then(|found| found.owner.as_ref()).map(|owner| owner.id.as_str());
            let state = match found {
                None => State::Missing,
                Some(_) if owner != Some(registry.owner.as_str()) => State::Foreign(owner.map(str::to_owned)),
                Some(found) if found.set == **set => State::Published,
                Some(_) => State::Differs,
            };
            let published = found.map(|found| found.set.clone());
            Row {
                name: set.name.clone(),
                kind: set.kind.clone(),
                wanted: Some((*set).clone()),
                published,
                state,
            }
        })
        .collect();
    let is_wanted = |set: &RecordSet| wanted.iter().any(|wanted| wanted.key() == set.key());
    let surplus = zone.sets.values().filter(|found| {
        let owner = found.owner.as_ref();
        owner.is_some_and(|owner| owner.id == registry.owner && owner.resource == resource)
            && !is_wanted(&found.set)
    });
    rows.extend(surplus.map(|found| Row {
        name: found.set.name.clone(),
        kind: found.set.kind.clone(),
        wanted: None,
        published: Some(found.set.clone()),
        state: State::Surplus,
    }));
    rows.sort_by(|a, b| (&a.name, &a.kind).cmp(&(&b.name, &b.kind)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_a_record_set_is_told() {
        let registry = Registry { owner: "myfed".to_owned(), prefix: String::new() };
        let set = |name: &str, target: &str| {
            RecordSet::new(DomainName::parse(name).unwrap(), RecordType::A, 180, [target])
        };
        let theirs = Registry { owner: "other".to_owned(), prefix: String::new() };
        let marked = |by: &Registry, set: RecordSet, resource: &str| {
            [by.mark(&set, resource).unwrap(), set].into_iter().collect::<Vec<_>>()
        };
        let mine = "service/myns/nginx";
        let mut listed = Vec::new();
        listed.extend(marked(&registry, set("a.example.com", "192.0.2.1"), mine));
        listed.extend(marked(&registry, set("b.example.com", "192.0.2.9"), mine));
        listed.extend(marked(&registry, set("c.example.com", "192.0.2.1"), mine));
        listed.extend(marked(&registry, set("x.example.com", "192.0.2.1"), "service/myns/web"));
        listed.extend(marked(&theirs, set("d.example.com", "192.0.2.1"), mine));
        listed.push(set("e.example.com", "192.0.2.1"));
        let wanted: Vec<Wanted> = ["a", "b", "d", "e", "f"]
            .iter()
            .map(|label| {
                let set = set(&format!("{label}.example.com"), "192.0.2.1");
                Wanted { set, resource: mine.to_owned() }
            })
            .collect();
        let found = rows(&registry, mine, &wanted, &registry.read(listed));
        let told: Vec<String> = found.iter().map(|row| format!("{} {}", row.name, row.state)).collect();
        assert_eq!(
            told,
            [
                "a.example.com. published",
                "b.example.com. differs",
                "c.example.com. surplus",
                "d.example.com. of owner other",
                "e.example.com. without a known owner",
                "f.example.com. missing",
            ]
        );
    }
}
