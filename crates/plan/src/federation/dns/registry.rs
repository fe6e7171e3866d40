//! Who owns a record set: marks in TXT records, as ExternalDNS writes and reads them.
//!
//! The mark of a set is a TXT record beside it, at a name made from the set's name and type. Two federations, or a
//! federation and ExternalDNS, share a zone with different owner ids and never touch the sets of each other.
//!
//! external-dns registry/txt/registry.go, registry/mapper/mapper.go

use std::collections::{BTreeMap, BTreeSet};

use super::record::{DomainName, NameError, RecordKey, RecordSet, RecordType};

/// Time to live of marks in seconds. Only owners read them.
const MARK_TTL: u32 = 300;
const HERITAGE: &str = "heritage=external-dns";
const OWNER: &str = "external-dns/owner";
const RESOURCE: &str = "external-dns/resource";
/// Replaced in a prefix by the type in lower case.
const TYPE_TEMPLATE: &str = "%{record_type}";

/// Owner of a record set.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// Id of the writer, unique among all that share the zone.
    pub id: String,
    /// What the set is for: `KIND/NAMESPACE/NAME`. Empty if the mark does not say.
    pub resource: String,
}

impl Owner {
    /// Content of the TXT record.
    fn text(&self) -> String {
        let mut text = format!("{HERITAGE},{OWNER}={}", self.id);
        if !self.resource.is_empty() {
            text.push_str(&format!(",{RESOURCE}={}", self.resource));
        }
        text
    }

    /// Reads the content of a TXT record; `None` if it is no mark.
    fn read(text: &str) -> Option<Self> {
        let text = text.trim_matches('"');
        let mut parts = text.split(',');
        if parts.next() != Some(HERITAGE) {
            return None;
        }
        let values: BTreeMap<&str, &str> = parts.filter_map(|part| part.split_once('=')).collect();
        let value = |key| values.get(key).copied().unwrap_or_default().to_owned();
        Some(Self { id: value(OWNER), resource: value(RESOURCE) })
    }
}

/// How marks are named and who writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// Id of this writer.
    pub owner: String,
    /// Put before the first label of a mark's name, as `--txt-prefix` of ExternalDNS. `%{record_type}` in it takes the
    /// place of the type.
    pub prefix: String,
}

/// A record set of a zone with its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The set as listed.
    pub set: RecordSet,
    /// `None` if nothing marks it.
    pub owner: Option<Owner>,
}

/// A zone, read with the marks of this registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zone {
    /// Every set that is not a mark.
    pub sets: BTreeMap<RecordKey, Found>,
    /// Every mark, by its key. A name can have other text beside the mark; the whole set is kept.
    pub marks: BTreeMap<RecordKey, RecordSet>,
}

impl Registry {
    /// Name of the mark of a set.
    pub fn mark_name(&self, name: &DomainName, kind: &RecordType) -> Result<DomainName, NameError> {
        let kind = kind.as_str().to_lowercase();
        let prefix = self.prefix.replace(TYPE_TEMPLATE, &kind);
        if self.prefix.contains(TYPE_TEMPLATE) {
            return DomainName::parse(&format!("{prefix}{name}"));
        }
        DomainName::parse(&format!("{prefix}{kind}-{name}"))
    }

    /// The mark of a set of this writer.
    pub fn mark(&self, set: &RecordSet, resource: &str) -> Result<RecordSet, NameError> {
        let owner = Owner { id: self.owner.clone(), resource: resource.to_owned() };
        Ok(RecordSet {
            name: self.mark_name(&set.name, &set.kind)?,
            kind: RecordType::Txt,
            ttl: MARK_TTL,
            targets: BTreeSet::from([owner.text()]),
            routing: set.routing.clone(),
        })
    }

    /// Key of the mark of a set; `None` if the name would be too long, so that there is no mark.
    pub fn mark_key(&self, key: &RecordKey) -> Option<RecordKey> {
        let name = self.mark_name(&key.name, &key.kind).ok()?;
        Some(RecordKey { name, kind: RecordType::Txt, set_identifier: key.set_identifier.clone() })
    }

    /// Finds the owner of every set of a zone.
    ///
    /// Marks of releases of ExternalDNS before 0.12 have the name of the set, without type; they count for every set of the
    /// name that has no mark of its own.
    pub fn read(&self, listed: Vec<RecordSet>) -> Zone {
        let is_mark = |set: &RecordSet| set.kind == RecordType::Txt && owner_of(set).is_some();
        let (marks, sets): (Vec<_>, Vec<_>) = listed.into_iter().partition(is_mark);
        let marks: BTreeMap<RecordKey, RecordSet> = marks.into_iter().map(|set| (set.key(), set)).collect();
        let find = |set: &RecordSet| {
            let key = set.key();
            let untyped =
                RecordKey { name: self.untyped_mark(&set.name)?, kind: RecordType::Txt, ..key.clone() };
            let own = self.mark_key(&key).and_then(|key| marks.get(&key));
            owner_of(own.or_else(|| marks.get(&untyped))?)
        };
        let sets = sets.into_iter().map(|set| (set.key(), Found { owner: find(&set), set })).collect();
        Zone { sets, marks }
    }

    fn untyped_mark(&self, name: &DomainName) -> Option<DomainName> {
        DomainName::parse(&format!("{}{name}", self.prefix.replace(TYPE_TEMPLATE, ""))).ok()
    }
}

/// The owner that a TXT set names.
pub fn owner_of(set: &RecordSet) -> Option<Owner> {
    set.targets.iter().find_map(|text| Owner::read(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn registry(prefix: &str) -> Registry {
        Registry { owner: "myfed".to_owned(), prefix: prefix.to_owned() }
    }

    #[test]
    fn marks_are_named_as_external_dns_names_them() {
        for (prefix, kind, want) in [
            ("", RecordType::A, "a-nginx.example.com."),
            ("", RecordType::Aaaa, "aaaa-nginx.example.com."),
            ("", RecordType::Cname, "cname-nginx.example.com."),
            ("fed-", RecordType::A, "fed-a-nginx.example.com."),
            ("%{record_type}-fed-", RecordType::Cname, "cname-fed-nginx.example.com."),
            ("txt.", RecordType::A, "txt.a-nginx.example.com."),
        ] {
            let found = registry(prefix).mark_name(&name("nginx.example.com"), &kind).unwrap();
            assert_eq!(found.as_str(), want, "{prefix:?} {kind}");
        }
    }

    #[test]
    fn a_mark_names_owner_and_resource() {
        let set = RecordSet::new(name("nginx.example.com"), RecordType::A, 180, ["198.51.100.1"]);
        let mark = registry("").mark(&set, "service/myns/nginx").unwrap();
        let text = "heritage=external-dns,external-dns/owner=myfed,external-dns/resource=service/myns/nginx";
        assert_eq!(mark.targets, BTreeSet::from([text.to_owned()]));
    }

    #[test]
    fn the_owner_is_found_by_the_mark_of_the_type_or_the_untyped_one() {
        let owned = |owner: &str| format!("\"heritage=external-dns,external-dns/owner={owner}\"");
        let set = |at: &str, kind, target: String| RecordSet::new(name(at), kind, 60, [target]);
        let listed = vec![
            set("a.example.com", RecordType::A, "192.0.2.1".to_owned()),
            set("a-a.example.com", RecordType::Txt, owned("one")),
            set("b.example.com", RecordType::A, "192.0.2.2".to_owned()),
            set("b.example.com", RecordType::Txt, owned("two")),
            set("c.example.com", RecordType::A, "192.0.2.3".to_owned()),
            set("c.example.com", RecordType::Txt, "v=spf1 -all".to_owned()),
        ];
        let zone = registry("").read(listed);
        let owner = |at: &str| {
            let key = RecordKey { name: name(at), kind: RecordType::A, set_identifier: String::new() };
            zone.sets[&key].owner.as_ref().map(|owner| owner.id.as_str())
        };
        assert_eq!(
            (owner("a.example.com"), owner("b.example.com"), owner("c.example.com")),
            (Some("one"), Some("two"), None)
        );
        assert_eq!((zone.sets.len(), zone.marks.len()), (4, 2), "other text is a set like any other");
    }
}
