//! A change as an UPDATE message (RFC 2136).

use std::collections::BTreeSet;

use dnswire::base::iana::{Class, Opcode, Rtype};
use dnswire::base::message_builder::RecordSectionBuilder;
use dnswire::base::rdata::UnknownRecordData;
use dnswire::base::{MessageBuilder, Name, Record, StreamTarget, Ttl};
use portolan_plan::federation::dns::record::{Change, DomainName, RecordSet, RecordType, Write};

use super::Draft;
use super::record_data::{Data, code, encode, wire_name};
use crate::error::{ProviderError, Unsupported};

type Line = Record<Name<Vec<u8>>, Data>;

/// The message for one change, not yet signed.
pub(super) fn message(
    provider: &'static str,
    zone: &DomainName,
    change: &Change,
    id: u16,
) -> Result<Draft, ProviderError> {
    let lines = prerequisites(change).and_then(|needs| Ok((needs, updates(change)?)));
    let (needs, updates) = lines.map_err(|what| ProviderError::Unsupported { provider, what })?;
    build(zone, id, &needs, &updates).ok_or_else(|| ProviderError::Rejected {
        server: provider.to_owned(),
        name: change.name.clone(),
        reason: "the update is longer than a DNS message may be: 65,535 octets".to_owned(),
    })
}

fn build(zone: &DomainName, id: u16, needs: &[Line], updates: &[Line]) -> Option<Draft> {
    let mut builder = MessageBuilder::from_target(StreamTarget::new_vec()).ok()?;
    builder.header_mut().set_id(id);
    builder.header_mut().set_opcode(Opcode::UPDATE);
    let mut zone_section = builder.question();
    zone_section.push((wire_name(zone.as_str())?, Rtype::SOA)).ok()?;
    let mut prerequisite_section = zone_section.answer();
    needs.iter().try_for_each(|line| RecordSectionBuilder::push(&mut prerequisite_section, line)).ok()?;
    let mut update_section = prerequisite_section.authority();
    updates.iter().try_for_each(|line| RecordSectionBuilder::push(&mut update_section, line)).ok()?;
    Some(update_section.additional())
}

/// What the zone must have: every set as it was read, and nothing that the new sets cannot stand beside.
fn prerequisites(change: &Change) -> Result<Vec<Line>, Unsupported> {
    let mut lines = Vec::new();
    let mut absent: BTreeSet<(&DomainName, RecordType)> = BTreeSet::new();
    let is_deleted = |name: &DomainName, kind: &RecordType| {
        change
            .writes
            .iter()
            .any(|write| matches!(write, Write::Delete(set) if set.name == *name && set.kind == *kind))
    };
    for write in &change.writes {
        match write {
            Write::Delete(before) | Write::Put { before: Some(before), .. } => {
                lines.extend(present(before)?);
            }
            Write::Put { set, before: None } => {
                absent.insert((&set.name, set.kind.clone()));
            }
        }
        if let Write::Put { set, .. } = write {
            // A CNAME stands alone (RFC 1034, section 3.6.2). Servers ignore an update that breaks this, without an error.
            let excluded = match set.kind {
                RecordType::Cname => vec![RecordType::A, RecordType::Aaaa, RecordType::Txt],
                _ => vec![RecordType::Cname],
            };
            let excluded = excluded.into_iter().filter(|kind| !is_deleted(&set.name, kind));
            absent.extend(excluded.map(|kind| (&set.name, kind)));
        }
    }
    for (name, kind) in absent {
        lines.push(line(name, Class::NONE, 0, empty(code(&kind)?)?)?);
    }
    Ok(lines)
}

/// Prerequisite: the set exists with exactly this data (section 2.4.2).
fn present(set: &RecordSet) -> Result<Vec<Line>, Unsupported> {
    let targets = set.targets.iter();
    targets.map(|target| line(&set.name, Class::IN, 0, encode(&set.kind, target)?)).collect()
}

/// The update section: every write removes its set (section 2.5.2), and a put adds the records (section 2.5.1).
fn updates(change: &Change) -> Result<Vec<Line>, Unsupported> {
    let mut lines = Vec::new();
    for write in &change.writes {
        let set = write.set();
        if !matches!(write, Write::Put { before: None, .. }) {
            lines.push(line(&set.name, Class::ANY, 0, empty(code(&set.kind)?)?)?);
        }
        if let Write::Put { set, .. } = write {
            for target in &set.targets {
                lines.push(line(&set.name, Class::IN, set.ttl, encode(&set.kind, target)?)?);
            }
        }
    }
    Ok(lines)
}

fn line(name: &DomainName, class: Class, ttl: u32, data: Data) -> Result<Line, Unsupported> {
    let wire = wire_name(name.as_str()).ok_or_else(|| Unsupported::Data(name.as_str().to_owned()))?;
    Ok(Record::new(wire, class, Ttl::from_secs(ttl), data))
}

fn empty(kind: Rtype) -> Result<Data, Unsupported> {
    UnknownRecordData::from_octets(kind, Vec::new()).map_err(|_| Unsupported::Data(kind.to_string()))
}

#[cfg(test)]
mod tests {
    use dnswire::base::iana::Class;

    use super::*;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn set(kind: RecordType, targets: &[&str]) -> RecordSet {
        RecordSet::new(name("nginx.example.com"), kind, 180, targets.iter().copied())
    }

    fn print(lines: &[Line]) -> Vec<String> {
        let class = |class: Class| match class {
            Class::NONE => "NONE".to_owned(),
            Class::ANY => "ANY".to_owned(),
            other => other.to_string(),
        };
        let show = |line: &Line| {
            format!(
                "{} {} {} {}",
                line.ttl().as_secs(),
                class(line.class()),
                line.data().rtype(),
                line.data().data().len()
            )
        };
        lines.iter().map(show).collect()
    }

    #[test]
    fn a_new_set_must_be_absent_and_a_changed_one_as_it_was_read() {
        let a = set(RecordType::A, &["192.0.2.1", "192.0.2.2"]);
        let before = set(RecordType::A, &["192.0.2.9"]);
        let cname = set(RecordType::Cname, &["other.example.com."]);
        type Case = (&'static str, Vec<Write>, &'static [&'static str], &'static [&'static str]);
        let cases: [Case; 3] = [
            (
                "new",
                vec![Write::Put { set: a.clone(), before: None }],
                &["0 NONE A 0", "0 NONE CNAME 0"],
                &["180 IN A 4", "180 IN A 4"],
            ),
            (
                "changed",
                vec![Write::Put { set: a.clone(), before: Some(before) }],
                &["0 IN A 4", "0 NONE CNAME 0"],
                &["0 ANY A 0", "180 IN A 4", "180 IN A 4"],
            ),
            (
                "another type",
                vec![Write::Delete(a), Write::Put { set: cname, before: None }],
                &["0 IN A 4", "0 IN A 4", "0 NONE AAAA 0", "0 NONE CNAME 0", "0 NONE TXT 0"],
                &["0 ANY A 0", "180 IN CNAME 19"],
            ),
        ];
        for (case, writes, needs, wanted) in cases {
            let change = Change { name: name("nginx.example.com"), writes };
            assert_eq!(print(&prerequisites(&change).unwrap()), needs, "{case}: prerequisites");
            assert_eq!(print(&updates(&change).unwrap()), wanted, "{case}: updates");
        }
    }

    #[test]
    fn data_that_does_not_fit_its_type_is_refused() {
        for (kind, target) in
            [(RecordType::A, "2001:db8::1"), (RecordType::Aaaa, "192.0.2.1"), (RecordType::Cname, "a..b")]
        {
            let writes = vec![Write::Put { set: set(kind.clone(), &[target]), before: None }];
            let change = Change { name: name("nginx.example.com"), writes };
            let error = message("RFC 2136", &name("example.com"), &change, 1).map(|_| ()).unwrap_err();
            assert!(matches!(error, ProviderError::Unsupported { .. }), "{kind} {target}: {error}");
        }
    }
}
