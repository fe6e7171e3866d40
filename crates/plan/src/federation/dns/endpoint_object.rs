//! Record sets in DNSEndpoints, which ExternalDNS publishes.
//!
//! A DNSEndpoint has the record sets of one name. The marks of these sets are in an annotation: ExternalDNS writes TXT records
//! of its own.

use std::collections::BTreeMap;

use portolan_api::external_dns::{DNSEndpoint, DnsEndpointSpec, Endpoint};
use portolan_api::labels;
use portolan_api::meta::ObjectMeta;

use super::record::{Change, DomainName, RecordSet, RecordType, Write};

/// Label of the DNSEndpoints of federations.
pub const LABEL: &str = "portolan.dev/federation-records";
/// Annotation with the marks: a JSON object from the name of a mark to its text.
pub const MARKS: &str = "portolan.dev/marks";
/// Time to live of marks in seconds. It is written nowhere.
const MARK_TTL: u32 = 300;

type Marks = BTreeMap<String, String>;

/// A change does not fit the DNSEndpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    /// The object is not a federation's.
    Foreign,
    /// The object is not as it was when it was read.
    Changed,
}

/// Name of the DNSEndpoint of a name.
pub fn object_name(name: &DomainName) -> &str {
    name.without_dot()
}

/// The record sets of a DNSEndpoint, with their marks; none if it is not a federation's. What is malformed is left out.
pub fn sets(object: &DNSEndpoint) -> Vec<RecordSet> {
    if object.metadata.label(LABEL) != Some(labels::TRUE) {
        return Vec::new();
    }
    let answers = object.spec.endpoints.iter().filter_map(|endpoint| {
        let name = DomainName::parse(&endpoint.dns_name).ok()?;
        let ttl = u32::try_from(endpoint.record_ttl).unwrap_or_default();
        let kind = RecordType::of(&endpoint.record_type);
        let targets = endpoint.targets.iter().map(|target| match kind {
            RecordType::Cname => {
                DomainName::parse(target).map_or_else(|_| target.clone(), |name| name.to_string())
            }
            _ => target.clone(),
        });
        Some(RecordSet::new(name, kind.clone(), ttl, targets.collect::<Vec<_>>()))
    });
    let marks = marks(object).into_iter().filter_map(|(name, text)| {
        Some(RecordSet::new(DomainName::parse(&name).ok()?, RecordType::Txt, MARK_TTL, [text]))
    });
    answers.chain(marks).collect()
}

fn marks(object: &DNSEndpoint) -> Marks {
    let noted = object.metadata.annotations.get(MARKS);
    noted.and_then(|noted| serde_json::from_str(noted).ok()).unwrap_or_default()
}

/// The DNSEndpoint of a name after a change; `None` if it has no record sets any more.
///
/// # Errors
/// When the object is not a federation's, or not as the change expects.
pub fn apply(
    namespace: &str,
    old: Option<&DNSEndpoint>,
    change: &Change,
) -> Result<Option<DNSEndpoint>, Misfit> {
    let mut object = match old {
        Some(old) if old.metadata.label(LABEL) != Some(labels::TRUE) => return Err(Misfit::Foreign),
        Some(old) => old.clone(),
        None => new(namespace, &change.name),
    };
    let mut present: BTreeMap<_, _> = sets(&object).into_iter().map(|set| (set.key(), set)).collect();
    for write in &change.writes {
        let key = write.set().key();
        let expected = match write {
            Write::Put { before, .. } => before.as_ref(),
            Write::Delete(set) => Some(set),
        };
        if present.get(&key) != expected {
            return Err(Misfit::Changed);
        }
        match write {
            Write::Put { set, .. } => drop(present.insert(key, set.clone())),
            Write::Delete(_) => drop(present.remove(&key)),
        }
    }
    let (texts, answers): (Vec<RecordSet>, Vec<RecordSet>) =
        present.into_values().partition(|set| set.kind == RecordType::Txt);
    if answers.is_empty() {
        return Ok(None);
    }
    let marks: Marks = texts
        .into_iter()
        .filter_map(|set| Some((set.name.without_dot().to_owned(), set.targets.into_iter().next()?)))
        .collect();
    object.metadata.annotations.insert(MARKS.to_owned(), serde_json::json!(marks).to_string());
    object.spec.endpoints = answers.iter().map(endpoint).collect();
    Ok(Some(object))
}

fn new(namespace: &str, name: &DomainName) -> DNSEndpoint {
    let mut metadata = ObjectMeta::namespaced(namespace, object_name(name));
    metadata.labels.insert(LABEL.to_owned(), labels::TRUE.to_owned());
    DNSEndpoint { metadata, spec: DnsEndpointSpec::default(), ..DNSEndpoint::default() }
}

/// A record set as ExternalDNS takes it.
pub fn endpoint(set: &RecordSet) -> Endpoint {
    let bare = |target: &String| target.strip_suffix('.').unwrap_or(target).to_owned();
    Endpoint {
        dns_name: set.name.without_dot().to_owned(),
        record_type: set.kind.as_str().to_owned(),
        targets: set.targets.iter().map(bare).collect(),
        record_ttl: set.ttl.into(),
        ..Endpoint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).expect("a name")
    }

    fn answer(kind: RecordType, target: &str) -> RecordSet {
        RecordSet::new(name("web.example.com"), kind, 180, [target])
    }

    fn mark(kind: &str) -> RecordSet {
        let name = name(&format!("{kind}-web.example.com"));
        RecordSet::new(name, RecordType::Txt, MARK_TTL, ["heritage=external-dns,external-dns/owner=myfed"])
    }

    fn change(writes: Vec<Write>) -> Change {
        Change { name: name("web.example.com"), writes }
    }

    fn put(set: RecordSet) -> Write {
        Write::Put { set, before: None }
    }

    #[test]
    fn a_change_is_made_in_the_object_of_its_name_and_read_back() {
        let address = answer(RecordType::A, "192.0.2.1");
        let first = apply("dns", None, &change(vec![put(mark("a")), put(address.clone())]));
        let first = first.expect("it fits").expect("an object");
        assert_eq!(first.metadata.key().to_string(), "dns/web.example.com");
        assert_eq!(first.spec.endpoints.len(), 1, "marks are no records");
        assert_eq!(sets(&first), [address.clone(), mark("a")]);

        let alias = answer(RecordType::Cname, "example.com.");
        let writes = vec![
            put(mark("cname")),
            Write::Delete(address.clone()),
            put(alias.clone()),
            Write::Delete(mark("a")),
        ];
        let second = apply("dns", Some(&first), &change(writes)).expect("it fits").expect("an object");
        assert_eq!(second.spec.endpoints[0].targets, ["example.com"]);
        assert_eq!(sets(&second), [alias.clone(), mark("cname")]);

        let gone = change(vec![Write::Delete(alias), Write::Delete(mark("cname"))]);
        assert_eq!(apply("dns", Some(&second), &gone), Ok(None));
        assert_eq!(apply("dns", Some(&first), &gone), Err(Misfit::Changed));
        let again = change(vec![put(address)]);
        assert_eq!(apply("dns", Some(&first), &again), Err(Misfit::Changed));
    }

    #[test]
    fn objects_of_others_are_left_alone() {
        let theirs = DNSEndpoint {
            metadata: ObjectMeta::namespaced("dns", "web.example.com"),
            spec: DnsEndpointSpec { endpoints: vec![endpoint(&answer(RecordType::A, "192.0.2.9"))] },
            ..DNSEndpoint::default()
        };
        assert_eq!(sets(&theirs), []);
        let ours = change(vec![put(answer(RecordType::A, "192.0.2.1"))]);
        assert_eq!(apply("dns", Some(&theirs), &ours), Err(Misfit::Foreign));
    }
}
