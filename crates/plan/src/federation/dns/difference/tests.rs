use std::collections::BTreeMap;

use super::*;

/// `NAME TYPE TARGET…`, with a time to live of 180 s.
fn set(text: &str) -> RecordSet {
    let mut parts = text.split(' ');
    let name = DomainName::parse(&format!("{}.example.com", parts.next().unwrap())).unwrap();
    let kind = RecordType::of(parts.next().unwrap());
    RecordSet::new(name, kind, 180, parts)
}

fn registry() -> Registry {
    Registry { owner: "myfed".to_owned(), prefix: String::new() }
}

fn wanted(sets: &[&str]) -> Vec<Wanted> {
    sets.iter().map(|text| Wanted { set: set(text), resource: "service/myns/nginx".to_owned() }).collect()
}

fn compare(zone: &[RecordSet], wanted: &[Wanted]) -> Difference {
    let registry = registry();
    let name = DomainName::parse("example.com").unwrap();
    difference(&name, &registry, wanted, &registry.read(zone.to_vec()))
}

/// The zone after all writes, each of which must fit to what is there.
fn applied(zone: &[RecordSet], difference: &Difference) -> Vec<RecordSet> {
    let mut sets: BTreeMap<RecordKey, RecordSet> = zone.iter().map(|set| (set.key(), set.clone())).collect();
    for write in difference.changes.iter().flat_map(|change| &change.writes) {
        match write {
            Write::Put { set, before } => assert_eq!(sets.insert(set.key(), set.clone()), *before),
            Write::Delete(set) => assert_eq!(sets.remove(&set.key()).as_ref(), Some(set)),
        }
    }
    sets.into_values().collect()
}

fn shown(sets: &[RecordSet]) -> Vec<String> {
    sets.iter().filter(|set| set.kind != RecordType::Txt).map(ToString::to_string).collect()
}

const STATES: [&[&str]; 6] = [
    &[],
    &["nginx A 192.0.2.1"],
    &["nginx A 192.0.2.1 192.0.2.2", "nginx AAAA 2001:db8::1"],
    &["nginx CNAME web.example.com."],
    &["web A 192.0.2.3", "nginx CNAME web.example.com."],
    &["web CNAME nginx.example.com.", "nginx AAAA 2001:db8::2"],
];

#[test]
fn every_state_is_reached_from_every_other_and_then_nothing_is_written() {
    for from in STATES {
        let zone = applied(&[], &compare(&[], &wanted(from)));
        for to in STATES {
            let wanted = wanted(to);
            let after = applied(&zone, &compare(&zone, &wanted));
            let mut want: Vec<RecordSet> = wanted.iter().map(|one| one.set.clone()).collect();
            want.sort_by_key(RecordSet::key);
            assert_eq!(shown(&after), shown(&want), "from {from:?} to {to:?}");
            assert_eq!(compare(&after, &wanted), Difference::default(), "from {from:?} to {to:?}");
            let marks = after.iter().filter(|set| set.kind == RecordType::Txt).count();
            assert_eq!(marks, to.len(), "each set has one mark");
        }
    }
}

#[test]
fn a_pass_that_was_killed_after_any_write_is_finished_by_the_next() {
    for from in STATES {
        let zone = applied(&[], &compare(&[], &wanted(from)));
        for to in STATES {
            let wanted = wanted(to);
            let whole = compare(&zone, &wanted);
            let writes: Vec<Write> = whole.changes.iter().flat_map(|change| change.writes.clone()).collect();
            for done in 0..writes.len() {
                let writes = writes[..done].to_vec();
                let name = DomainName::parse("example.com").unwrap();
                let part = Difference { changes: vec![Change { name, writes }], conflicts: Vec::new() };
                let killed = applied(&zone, &part);
                let next = compare(&killed, &wanted);
                assert!(next.conflicts.is_empty(), "{next:?}");
                let after = applied(&killed, &next);
                assert_eq!(after, applied(&zone, &whole), "from {from:?} to {to:?} after {done} writes");
            }
        }
    }
}

#[test]
fn sets_of_others_are_never_touched() {
    let text = |at: &str, text: &str| {
        let mut set = set(&format!("{at} TXT"));
        set.targets.insert(text.to_owned());
        set
    };
    let marked = |at: &str| text(at, "heritage=external-dns,external-dns/owner=other");
    for (case, zone, want, message) in [
        ("without a mark", vec![set("nginx A 192.0.2.9")], "nginx A 192.0.2.1", "without a mark of an owner"),
        (
            "another owner",
            vec![set("nginx A 192.0.2.9"), marked("a-nginx")],
            "nginx A 192.0.2.1",
            "belongs to the owner \"other\"",
        ),
        (
            "only the mark of another",
            vec![marked("a-nginx")],
            "nginx A 192.0.2.1",
            "belongs to the owner \"other\"",
        ),
        (
            "another type of address",
            vec![set("nginx AAAA 2001:db8::9")],
            "nginx A 192.0.2.1",
            "without a mark",
        ),
        ("any type beside a CNAME", vec![set("nginx MX mail")], "nginx CNAME web.example.com.", "type MX"),
        ("a CNAME in place of the mark", vec![set("a-nginx CNAME x.")], "nginx A 192.0.2.1", "a-nginx"),
    ] {
        let found = compare(&zone, &wanted(&[want]));
        assert!(found.changes.is_empty(), "{case}: {found:?}");
        assert_eq!(found.conflicts.len(), 1, "{case}: {found:?}");
        let said = found.conflicts[0].to_string();
        assert!(said.contains(message), "{case}: {said}");
        assert!(compare(&zone, &[]).changes.is_empty(), "{case}: nothing is deleted either");
    }
}

#[test]
fn text_and_mail_records_of_others_stay_beside_addresses() {
    let zone = vec![set("nginx MX mail"), set("nginx TXT v=spf1")];
    let found = compare(&zone, &wanted(&["nginx A 192.0.2.1"]));
    assert!(found.conflicts.is_empty());
    assert_eq!(applied(&zone, &found).len(), 4);
}

#[test]
fn names_that_cannot_be_published_are_reported() {
    let long = format!("{} A 192.0.2.1", "n".repeat(62));
    let outside =
        RecordSet::new(DomainName::parse("nginx.example.net").unwrap(), RecordType::A, 60, ["192.0.2.1"]);
    let other = |sets: &[&str]| {
        sets.iter()
            .map(|text| Wanted { set: set(text), resource: "service/z/z".to_owned() })
            .collect::<Vec<_>>()
    };
    for (case, sets, reason) in [
        ("a mark with a label that is too long", wanted(&[&long]), Reason::NoMark),
        (
            "another zone",
            vec![Wanted { set: outside, resource: "service/myns/nginx".to_owned() }],
            Reason::OutsideZone,
        ),
        (
            "two resources",
            [wanted(&["nginx A 192.0.2.1"]), other(&["nginx A 192.0.2.2"])].concat(),
            Reason::Claimed { by: "service/myns/nginx".to_owned() },
        ),
        (
            "a CNAME at the name of a mark",
            [wanted(&["nginx A 192.0.2.1"]), other(&["a-nginx CNAME web.example.com."])].concat(),
            Reason::MarkTaken(DomainName::parse("a-nginx.example.com").unwrap()),
        ),
    ] {
        let found = compare(&[], &sets);
        let reasons: Vec<&Reason> = found.conflicts.iter().map(|conflict| &conflict.reason).collect();
        assert_eq!(reasons, [&reason], "{case}");
    }
}
