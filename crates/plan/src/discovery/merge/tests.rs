use super::*;

fn port(name: &str, protocol: &str, number: i32) -> ServicePort {
    ServicePort { name: name.to_owned(), protocol: protocol.to_owned(), app_protocol: None, port: number }
}

fn export(cluster: &str, since: &str) -> ValidExport {
    ValidExport {
        cluster: cluster.to_owned(),
        since: format!("2026-01-01T00:00:{since}Z"),
        kind: ServiceImportType::ClusterSetIP,
        ports: vec![port("http", "TCP", 80)],
        session_affinity: "None".to_owned(),
        affinity_seconds: None,
        internal_traffic_policy: Some("Cluster".to_owned()),
        traffic_distribution: None,
        families: vec!["IPv4".to_owned()],
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
    }
}

fn merged(exports: Vec<ValidExport>) -> Merged {
    merge(exports, None).unwrap()
}

fn reasons_of(merged: &Merged) -> Vec<&'static str> {
    merged.conflicts.iter().map(|conflict| conflict.reason).collect()
}

fn ports_of(merged: &Merged) -> Vec<String> {
    merged.ports.iter().map(|port| format!("{}:{}/{}", port.name, port.port, port.protocol)).collect()
}

#[test]
fn without_exports_there_is_no_service() {
    assert_eq!(merge(Vec::new(), None), None);
}

#[test]
fn the_oldest_export_comes_first_and_ids_break_ties() {
    let orders = [
        (vec![("east", "05"), ("west", "01")], vec!["west", "east"]),
        (vec![("west", "01"), ("east", "01")], vec!["east", "west"]),
        (vec![("c", "02"), ("b", "02"), ("a", "03")], vec!["b", "c", "a"]),
    ];
    for (exports, want) in orders {
        let exports: Vec<ValidExport> =
            exports.into_iter().map(|(cluster, since)| export(cluster, since)).collect();
        let mut reversed = exports.clone();
        reversed.reverse();
        assert_eq!(merged(exports.clone()).clusters, want);
        assert_eq!(merged(exports), merged(reversed), "the order of arrival does not count");
    }
}

/// Union of ports with conflict resolution (KEP-1645, "Service Port").
#[test]
fn ports() {
    let tcp = |number| port("tcp", "TCP", number);
    let cases = [
        ("the same", vec![tcp(42)], vec![tcp(42)], vec!["tcp:42/TCP"], vec![("tcp", 0)], false),
        (
            "another order is the same",
            vec![tcp(42), port("udp", "UDP", 42)],
            vec![port("udp", "UDP", 42), tcp(42)],
            vec!["tcp:42/TCP", "udp:42/UDP"],
            vec![("tcp", 0), ("udp", 1)],
            false,
        ),
        (
            "a harmless union is a conflict (C-11)",
            vec![tcp(42), port("udp", "UDP", 42)],
            vec![tcp(42), port("stcp", "SCTP", 142)],
            vec!["tcp:42/TCP", "udp:42/UDP", "stcp:142/SCTP"],
            vec![("stcp", 2), ("tcp", 0)],
            true,
        ),
        ("a clash of names (C-12)", vec![tcp(42)], vec![tcp(43)], vec!["tcp:42/TCP"], vec![], true),
        (
            "another name for another number (C-19)",
            vec![tcp(42)],
            vec![port("tcp2", "TCP", 4242)],
            vec!["tcp:42/TCP", "tcp2:4242/TCP"],
            vec![("tcp2", 1)],
            true,
        ),
        (
            "another name for the same number (27)",
            vec![port("http", "TCP", 80)],
            vec![port("web", "TCP", 80)],
            vec!["http:80/TCP"],
            vec![("web", 0)],
            true,
        ),
        (
            "the same number of another protocol",
            vec![port("dns", "UDP", 53)],
            vec![port("dns-tcp", "TCP", 53)],
            vec!["dns:53/UDP", "dns-tcp:53/TCP"],
            vec![("dns-tcp", 1)],
            true,
        ),
        (
            "without a name beside a name (28)",
            vec![port("", "TCP", 80)],
            vec![port("metrics", "TCP", 9090)],
            vec![":80/TCP", "metrics:9090/TCP"],
            vec![("metrics", 1)],
            true,
        ),
    ];
    for (name, first, second, want, route, conflicts) in cases {
        let exports = vec![
            ValidExport { ports: first, ..export("east", "01") },
            ValidExport { ports: second, ..export("west", "02") },
        ];
        let merged = merged(exports);
        assert_eq!(ports_of(&merged), want, "{name}");
        let routed: Vec<(&str, usize)> =
            merged.port_mappings["west"].iter().map(|(name, place)| (name.as_str(), *place)).collect();
        assert_eq!(routed, route, "{name}: route");
        let reasons = if conflicts { vec!["PortConflict"] } else { vec![] };
        assert_eq!(reasons_of(&merged), reasons, "{name}: conflict");
    }
}

#[test]
fn three_clusters_fold_in_order() {
    let with = |cluster, since, number| ValidExport {
        ports: vec![port("tcp", "TCP", number)],
        ..export(cluster, since)
    };
    let merged = merged(vec![with("c", "03", 44), with("b", "02", 43), with("a", "01", 42)]);
    assert_eq!(ports_of(&merged), ["tcp:42/TCP"]);
    assert_eq!(merged.port_mappings["b"], PortMapping::new());
    assert_eq!(merged.port_mappings["c"], PortMapping::new());
}

#[test]
fn a_port_without_a_name_gets_one_where_it_needs_one() {
    let unnamed = port("", "TCP", 80);
    let alone = merged(vec![ValidExport { ports: vec![unnamed.clone()], ..export("east", "01") }]);
    assert_eq!(alone.port_name(&unnamed), "");
    let ports = vec![unnamed.clone(), port("tcp-80", "TCP", 81)];
    let beside = merged(vec![ValidExport { ports: ports.clone(), ..export("east", "01") }]);
    assert_eq!(beside.port_name(&unnamed), "tcp-80x", "not a name that is taken");
    assert_eq!(beside.port_name(&ports[1]), "tcp-80");
    let kind = ServiceImportType::Headless;
    let headless = merged(vec![ValidExport { kind, ports, ..export("east", "01") }]);
    assert_eq!(headless.port_name(&unnamed), "", "a headless import has no Service");
}

/// All properties except ports and families: the oldest export wins (KEP-1645).
#[test]
fn the_oldest_wins() {
    type Change = fn(&mut ValidExport);
    let cases: [(&str, Change, Change, Vec<&str>); 11] = [
        ("agreement", |_| {}, |_| {}, vec![]),
        ("type", |_| {}, |o| o.kind = ServiceImportType::Headless, vec!["TypeConflict"]),
        (
            "session affinity",
            |_| {},
            |o| (o.session_affinity, o.affinity_seconds) = ("ClientIP".into(), Some(10)),
            vec!["SessionAffinityConflict"],
        ),
        (
            "time of affinity",
            |o| (o.session_affinity, o.affinity_seconds) = ("ClientIP".into(), Some(10)),
            |o| (o.session_affinity, o.affinity_seconds) = ("ClientIP".into(), Some(20)),
            vec!["SessionAffinityConfigConflict"],
        ),
        (
            "internal traffic policy",
            |_| {},
            |o| o.internal_traffic_policy = Some("Local".into()),
            vec!["InternalTrafficPolicyConflict"],
        ),
        ("unset is Cluster", |_| {}, |o| o.internal_traffic_policy = None, vec![]),
        (
            "traffic distribution",
            |o| o.traffic_distribution = Some("PreferClose".into()),
            |_| {},
            vec!["TrafficDistributionConflict"],
        ),
        (
            "labels",
            |o| drop(o.labels.insert("a".into(), "1".into())),
            |o| drop(o.labels.insert("b".into(), "2".into())),
            vec!["LabelsConflict"],
        ),
        (
            "annotations",
            |o| drop(o.annotations.insert("a".into(), "1".into())),
            |_| {},
            vec!["AnnotationsConflict"],
        ),
        (
            "application protocol",
            |_| {},
            |o| o.ports[0].app_protocol = Some("h2c".into()),
            vec!["PortConflict"],
        ),
        (
            "several at once, ordered",
            |_| {},
            |o| {
                o.kind = ServiceImportType::Headless;
                o.ports = vec![port("x", "TCP", 1)];
                o.labels.insert("b".into(), "2".into());
            },
            vec!["LabelsConflict", "PortConflict", "TypeConflict"],
        ),
    ];
    for (name, older, younger, want) in cases {
        let (mut east, mut west) = (export("east", "01"), export("west", "02"));
        older(&mut east);
        younger(&mut west);
        let merged = merged(vec![west, east.clone()]);
        assert_eq!(reasons_of(&merged), want, "{name}");
        assert_eq!(merged.kind, east.kind, "{name}");
        assert_eq!(merged.session_affinity, east.session_affinity, "{name}");
        assert_eq!(merged.affinity_seconds, east.affinity_seconds, "{name}");
        assert_eq!(merged.internal_traffic_policy, east.internal_traffic_policy, "{name}");
        assert_eq!(merged.traffic_distribution, east.traffic_distribution, "{name}");
        assert_eq!(merged.labels, east.labels, "{name}: the whole set");
        assert_eq!(merged.annotations, east.annotations, "{name}: the whole set");
        assert_eq!(merged.ports[0], east.ports[0], "{name}");
        for conflict in &merged.conflicts {
            let message = &conflict.message;
            assert!(message.contains("east") && message.contains("west"), "{name}: names both: {message}");
            assert!(message.starts_with("spec."), "{name}: names the field: {message}");
        }
    }
}

#[test]
fn messages_name_the_winner_and_the_first_others() {
    let mut exports = vec![export("a", "00")];
    for number in 0..8 {
        let cluster = format!("b{number}");
        exports.push(ValidExport { kind: ServiceImportType::Headless, ..export(&cluster, "01") });
    }
    let merged = merged(exports);
    assert_eq!(
        merged.conflicts[0].message,
        "spec.type: \"ClusterSetIP\" of cluster a is used, because its export is the oldest (2026-01-01T00:00:00Z); \
         8 of 9 clusters disagree: b0 has \"Headless\", b1 has \"Headless\", b2 has \"Headless\", b3 has \"Headless\", \
         b4 has \"Headless\", and 3 more"
    );
}

#[test]
fn the_type_in_use_stays_while_a_cluster_exports_it() {
    let headless =
        |cluster, since| ValidExport { kind: ServiceImportType::Headless, ..export(cluster, since) };
    let exports = vec![headless("east", "01"), export("west", "02")];
    let used = Some(ServiceImportType::ClusterSetIP);
    let kept = merge(exports, used).unwrap();
    assert_eq!(kept.kind, ServiceImportType::ClusterSetIP);
    assert!(kept.conflicts[0].message.contains("imported with it already"), "{:?}", kept.conflicts);
    let flipped = merge(vec![headless("east", "01")], used).unwrap();
    assert_eq!(flipped.kind, ServiceImportType::Headless, "no cluster exports it any more");
}

#[test]
fn families() {
    let of = |families: &[&str]| families.iter().map(ToString::to_string).collect::<Vec<String>>();
    let (address, headless) = (ServiceImportType::ClusterSetIP, ServiceImportType::Headless);
    type Families = &'static [&'static str];
    let cases: [(&str, ServiceImportType, Families, Families, Families, bool); 6] = [
        ("the same", address, &["IPv4"], &["IPv4"], &["IPv4"], false),
        ("the oldest's order", address, &["IPv6", "IPv4"], &["IPv4", "IPv6"], &["IPv6", "IPv4"], false),
        ("what both have", address, &["IPv4", "IPv6"], &["IPv6"], &["IPv6"], false),
        ("nothing in common", address, &["IPv4"], &["IPv6"], &["IPv4"], true),
        ("headless, the same", headless, &["IPv4"], &["IPv4"], &["IPv4"], false),
        ("headless, some have more", headless, &["IPv4"], &["IPv4", "IPv6"], &["IPv4", "IPv6"], true),
    ];
    for (name, kind, first, second, want, conflicts) in cases {
        let merged = merged(vec![
            ValidExport { kind, families: of(first), ..export("east", "01") },
            ValidExport { kind, families: of(second), ..export("west", "02") },
        ]);
        assert_eq!(merged.families, of(want), "{name}");
        assert_eq!(reasons_of(&merged).contains(&"IPFamilyConflict"), conflicts, "{name}");
    }
}

#[test]
fn five_hundred_ports_are_merged() {
    let many =
        |start: i32| (start..start + 500).map(|number| port(&format!("p{number}"), "TCP", number)).collect();
    let merged = merged(vec![
        ValidExport { ports: many(1), ..export("east", "01") },
        ValidExport { ports: many(251), ..export("west", "02") },
    ]);
    assert_eq!(merged.ports.len(), 750);
    assert!(merged.conflicts[0].message.len() < 32_768, "a condition holds no more");
}
