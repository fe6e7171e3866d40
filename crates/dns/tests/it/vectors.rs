//! The test vectors of the multicluster DNS specification, over UDP and TCP.

use hickory_proto::op::ResponseCode;
use portolan_dns::{AddressType, Resolution, ZoneSettings};
use portolan_plan::dns::{RecordSink, ServiceChange, ServiceRecords, ZoneKind};

use crate::client::{BOTH, Over, ask, lines, query};
use crate::world::{World, objects};

const SOA: &str =
    "clusterset.local. 5 IN SOA ns.dns.clusterset.local. hostmaster.clusterset.local. 3 7200 1800 86400 5";

enum Want {
    /// Records without their owner, which is the name in the query.
    Records(&'static [&'static str]),
    NoData,
    NoName,
    Refused,
}

use Want::{NoData, NoName, Records, Refused};

/// Queries over UDP and TCP, with and without EDNS, and compares the whole answer.
fn check(world: &World, name: &str, kind: &str, want: &Want) {
    let case = format!("{name} {kind}");
    for (over, edns) in BOTH.into_iter().flat_map(|over| [(over, None), (over, Some(4096))]) {
        let answer = ask(world.server, over, &query(name, kind, edns));
        let case = format!("{case} over {over:?}, EDNS {edns:?}");
        let (records, authority, code) = match want {
            Records(records) => (*records, vec![], ResponseCode::NoError),
            NoData => (&[][..], vec![SOA.to_owned()], ResponseCode::NoError),
            NoName => (&[][..], vec![SOA.to_owned()], ResponseCode::NXDomain),
            Refused => (&[][..], vec![], ResponseCode::Refused),
        };
        let records: Vec<String> = records.iter().map(|record| format!("{name} {record}")).collect();
        assert_eq!(answer.metadata.response_code, code, "{case}");
        assert_eq!(lines(&answer.answers), records, "{case}");
        let authorities: Vec<String> =
            lines(&answer.authorities).iter().map(|line| line.to_ascii_lowercase()).collect();
        let authority: Vec<String> = authority.iter().map(|line| line.to_ascii_lowercase()).collect();
        assert_eq!(authorities, authority, "{case}");
        assert_eq!(answer.queries, query(name, kind, None).queries, "{case}: the question comes back");
        assert_eq!(answer.queries[0].name().to_string(), name, "{case}: as it was spelt");
        let flags = &answer.metadata;
        assert!(flags.recursion_desired && !flags.recursion_available && !flags.truncation, "{case}");
        assert_eq!(flags.authoritative, !matches!(want, Refused), "{case}");
        assert_eq!(answer.edns.as_ref().map(|edns| edns.max_payload()), edns.map(|_| 1232), "{case}");
    }
}

#[test]
fn records() {
    let cases: &[(&str, &str, Want)] = &[
        ("dns-version.clusterset.local.", "TXT", Records(&["28800 IN TXT 1.0.0"])),
        ("shop.retail.svc.clusterset.local.", "A", Records(&["5 IN A 10.42.42.42"])),
        ("shop.retail.svc.clusterset.local.", "AAAA", Records(&["5 IN AAAA fd42::2a"])),
        (
            "_https._tcp.shop.retail.svc.clusterset.local.",
            "SRV",
            Records(&["5 IN SRV 0 100 443 shop.retail.svc.clusterset.local."]),
        ),
        (
            "_quic._udp.shop.retail.svc.clusterset.local.",
            "SRV",
            Records(&["5 IN SRV 0 100 443 shop.retail.svc.clusterset.local."]),
        ),
        // Both ports have the number 443: one record.
        (
            "shop.retail.svc.clusterset.local.",
            "SRV",
            Records(&["5 IN SRV 0 100 443 shop.retail.svc.clusterset.local."]),
        ),
        ("solo.retail.svc.clusterset.local.", "A", Records(&["5 IN A 10.42.42.43"])),
        (
            "solo.retail.svc.clusterset.local.",
            "SRV",
            Records(&["5 IN SRV 0 100 8080 solo.retail.svc.clusterset.local."]),
        ),
        (
            "ledger.retail.svc.clusterset.local.",
            "A",
            Records(&["5 IN A 10.1.0.10", "5 IN A 10.1.0.11", "5 IN A 10.2.0.10"]),
        ),
        ("ledger-0.east.ledger.retail.svc.clusterset.local.", "A", Records(&["5 IN A 10.1.0.10"])),
        ("ledger-1.east.ledger.retail.svc.clusterset.local.", "A", Records(&["5 IN A 10.1.0.11"])),
        ("ledger-0.west.ledger.retail.svc.clusterset.local.", "A", Records(&["5 IN A 10.2.0.10"])),
        (
            "_db._tcp.ledger.retail.svc.clusterset.local.",
            "SRV",
            Records(&[
                "5 IN SRV 0 33 5432 ledger-0.east.ledger.retail.svc.clusterset.local.",
                "5 IN SRV 0 33 5432 ledger-0.west.ledger.retail.svc.clusterset.local.",
                "5 IN SRV 0 33 5432 ledger-1.east.ledger.retail.svc.clusterset.local.",
            ]),
        ),
        ("feed.retail.svc.clusterset.local.", "A", Records(&["5 IN A 10.1.0.77"])),
        ("feed.retail.svc.clusterset.local.", "AAAA", Records(&["5 IN AAAA fd01::4d"])),
        ("10-1-0-77.east.feed.retail.svc.clusterset.local.", "A", Records(&["5 IN A 10.1.0.77"])),
        ("fd01--4d.east.feed.retail.svc.clusterset.local.", "AAAA", Records(&["5 IN AAAA fd01::4d"])),
        // An unnamed port has one record per address.
        (
            "feed.retail.svc.clusterset.local.",
            "SRV",
            Records(&[
                "5 IN SRV 0 50 7000 10-1-0-77.east.feed.retail.svc.clusterset.local.",
                "5 IN SRV 0 50 7000 fd01--4d.east.feed.retail.svc.clusterset.local.",
            ]),
        ),
        // A cluster id with a dot.
        ("tally-0.north.lab.tally.audit.svc.clusterset.local.", "A", Records(&["5 IN A 10.3.0.10"])),
        // The owner has the spelling of the query.
        ("SHOP.Retail.SVC.clusterset.local.", "A", Records(&["5 IN A 10.42.42.42"])),
        ("clusterset.local.", "NS", Records(&["5 IN NS ns.dns.clusterset.local."])),
        (
            "clusterset.local.",
            "SOA",
            Records(&["5 IN SOA ns.dns.clusterset.local. hostmaster.clusterset.local. 3 7200 1800 86400 5"]),
        ),
    ];
    let world = World::of_vectors();
    for (name, kind, want) in cases {
        check(&world, name, kind, want);
    }
}

#[test]
fn missing_names_and_types() {
    let cases: &[(&str, &str, Want)] = &[
        ("solo.retail.svc.clusterset.local.", "AAAA", NoData),
        ("shop.retail.svc.clusterset.local.", "TXT", NoData),
        ("nosuch.retail.svc.clusterset.local.", "A", NoName),
        ("shop.nosuchns.svc.clusterset.local.", "A", NoName),
        ("nosuchns.svc.clusterset.local.", "A", NoName),
        ("idle.retail.svc.clusterset.local.", "A", NoName),
        ("ledger.retail.svc.clusterset.local.", "AAAA", NoData),
        ("ledger-1.west.ledger.retail.svc.clusterset.local.", "A", NoName),
        ("ledger-9.east.ledger.retail.svc.clusterset.local.", "A", NoName),
        ("ledger-0.north.ledger.retail.svc.clusterset.local.", "A", NoName),
        ("east.shop.retail.svc.clusterset.local.", "A", NoName),
        // An empty non-terminal exists (RFC 8020).
        ("east.ledger.retail.svc.clusterset.local.", "A", NoData),
        ("lab.tally.audit.svc.clusterset.local.", "A", NoData),
        ("ledger-0.east.shop.retail.svc.clusterset.local.", "A", NoName),
        ("_tcp.shop.retail.svc.clusterset.local.", "SRV", NoData),
        ("_nosuch._tcp.shop.retail.svc.clusterset.local.", "SRV", NoName),
        ("_https._udp.shop.retail.svc.clusterset.local.", "SRV", NoName),
        ("_tcp.feed.retail.svc.clusterset.local.", "SRV", NoName),
        ("below.shop.retail.svc.clusterset.local.", "A", NoName),
        ("retail.svc.clusterset.local.", "A", NoData),
        ("svc.clusterset.local.", "A", NoData),
        ("clusterset.local.", "A", NoData),
        ("dns-version.clusterset.local.", "A", NoData),
        ("ns.dns.clusterset.local.", "A", NoData),
        ("nosuch.clusterset.local.", "A", NoName),
        // Search domains produce such names.
        ("shop.retail.svc.clusterset.local.retail.svc.clusterset.local.", "A", NoName),
        ("42.42.42.10.in-addr.arpa.", "PTR", Refused),
        ("shop.retail.svc.cluster.local.", "A", Refused),
        ("example.com.", "A", Refused),
        ("local.", "A", Refused),
        (".", "NS", Refused),
        ("clusterset.local.", "AXFR", Refused),
    ];
    let world = World::of_vectors();
    for (name, kind, want) in cases {
        check(&world, name, kind, want);
    }
}

#[test]
fn before_the_first_sync_the_answer_is_servfail() {
    let world = World::empty(vec![ZoneSettings::new(ZoneKind::ClusterSet)]);
    world.import(&objects());
    for name in
        ["shop.retail.svc.clusterset.local.", "nosuch.retail.svc.clusterset.local.", "clusterset.local."]
    {
        for over in BOTH {
            let answer = ask(world.server, over, &query(name, "A", Some(1232)));
            assert_eq!(answer.metadata.response_code, ResponseCode::ServFail, "{name}");
            assert!(answer.answers.is_empty() && answer.authorities.is_empty(), "{name}");
        }
        assert_eq!(world.zones.resolve(name, AddressType::V4), Resolution::NotSynced, "{name}");
    }
    assert!(!world.zones.is_synced());
    world.zones.synced(ZoneKind::ClusterSet);
    assert!(world.zones.is_synced());
    let answer = ask(world.server, Over::Udp, &query("shop.retail.svc.clusterset.local.", "A", None));
    assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
}

#[test]
fn a_changed_service_does_not_affect_others() {
    let world = World::of_vectors();
    let deleted = ServiceChange {
        service: portolan_object::ObjectKey::namespaced("retail", "ledger"),
        records: ServiceRecords::default(),
    };
    world.zones.publish(ZoneKind::ClusterSet, vec![deleted.clone(), deleted]);
    let address = |name| world.zones.resolve(name, AddressType::V4);
    assert_eq!(address("ledger.retail.svc.clusterset.local"), Resolution::NoName);
    assert_eq!(address("east.ledger.retail.svc.clusterset.local"), Resolution::NoName);
    assert_eq!(
        address("shop.retail.svc.clusterset.local"),
        Resolution::Addresses(vec!["10.42.42.42".parse().unwrap()])
    );
    assert_eq!(address("retail.svc.clusterset.local"), Resolution::NoAddress, "other services are in there");
    assert_eq!(address("audit.svc.clusterset.local"), Resolution::NoAddress);
    let service = portolan_object::ObjectKey::namespaced("audit", "tally");
    world
        .zones
        .publish(ZoneKind::ClusterSet, vec![ServiceChange { service, records: ServiceRecords::default() }]);
    assert_eq!(address("audit.svc.clusterset.local"), Resolution::NoName, "the last service is deleted");
    world.import(&objects());
    assert_eq!(world.zones.records(), [("clusterset.local".to_owned(), 29)]);
}

#[test]
fn the_first_address_rotates() {
    let world = World::of_vectors();
    let name = "ledger.retail.svc.clusterset.local.";
    let firsts: std::collections::BTreeSet<String> = (0..64)
        .map(|_| {
            let answer = ask(world.server, Over::Udp, &query(name, "A", None));
            assert_eq!(answer.answers.len(), 3);
            answer.answers[0].data.to_string()
        })
        .collect();
    assert_eq!(firsts.len(), 3, "each address comes first at times");
}
