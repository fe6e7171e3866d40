use portolan_object::yaml;
use serde_json::json;

use super::*;
use crate::dns::endpoints::MAX_ENDPOINTS;
use crate::import_marks::import_of_slice;

const ZONE: &str = "clusterset.local";

fn world() -> Vec<Object> {
    let documents = yaml::parse_documents(include_str!("../../../testdata/dns.yaml")).unwrap();
    documents.into_iter().map(Object).collect()
}

/// Records of one import, as lines of a zone file relative to the service.
fn lines(world: &[Object], name: &str) -> Vec<String> {
    render(&of(world, name))
}

fn of(world: &[Object], name: &str) -> ServiceRecords {
    let import =
        world.iter().find(|object| object.kind() == "ServiceImport" && object.name() == name).unwrap();
    let slices: Vec<&Object> =
        world.iter().filter(|object| import_of_slice(object) == Some(import.key())).collect();
    records(import, None, &slices, ZONE)
}

pub(crate) fn render(records: &ServiceRecords) -> Vec<String> {
    let line = |prefix: &str, data: &RecordData| {
        let owner = if prefix.is_empty() { "@" } else { prefix };
        match data {
            RecordData::Address(address) if address.is_ipv4() => format!("{owner} A {address}"),
            RecordData::Address(address) => format!("{owner} AAAA {address}"),
            RecordData::Server { priority, weight, port, target } => {
                let target = if target.is_empty() { "@" } else { target };
                format!("{owner} SRV {priority} {weight} {port} {target}")
            }
            RecordData::Alias(target) => format!("{owner} CNAME {target}."),
        }
    };
    let sets = records.records.iter();
    let mut lines: Vec<String> =
        sets.flat_map(|(prefix, set)| set.iter().map(move |data| line(prefix, data))).collect();
    lines.extend(
        records.reverse.iter().map(|(address, prefix)| {
            format!("{address} PTR {}", if prefix.is_empty() { "@" } else { prefix })
        }),
    );
    lines.extend(records.problems.iter().map(|problem| format!("problem: {problem}")));
    lines
}

#[test]
fn vectors() {
    let cases: [(&str, &[&str]); 6] = [
        (
            "shop",
            &[
                "@ A 10.42.42.42",
                "@ AAAA fd42::2a",
                "@ SRV 0 100 443 @",
                "_https._tcp SRV 0 100 443 @",
                "_quic._udp SRV 0 100 443 @",
            ],
        ),
        ("solo", &["@ A 10.42.42.43", "@ SRV 0 100 8080 @"]),
        (
            "ledger",
            &[
                "@ A 10.1.0.10",
                "@ A 10.1.0.11",
                "@ A 10.2.0.10",
                "@ SRV 0 33 5432 ledger-0.east",
                "@ SRV 0 33 5432 ledger-0.west",
                "@ SRV 0 33 5432 ledger-1.east",
                "_db._tcp SRV 0 33 5432 ledger-0.east",
                "_db._tcp SRV 0 33 5432 ledger-0.west",
                "_db._tcp SRV 0 33 5432 ledger-1.east",
                "ledger-0.east A 10.1.0.10",
                "ledger-0.west A 10.2.0.10",
                "ledger-1.east A 10.1.0.11",
            ],
        ),
        (
            "feed",
            &[
                "@ A 10.1.0.77",
                "@ AAAA fd01::4d",
                "@ SRV 0 50 7000 10-1-0-77.east",
                "@ SRV 0 50 7000 fd01--4d.east",
                "10-1-0-77.east A 10.1.0.77",
                "fd01--4d.east AAAA fd01::4d",
            ],
        ),
        ("idle", &[]),
        (
            "tally",
            &[
                "@ A 10.3.0.10",
                "@ SRV 0 100 5432 tally-0.north.lab",
                "_db._tcp SRV 0 100 5432 tally-0.north.lab",
                "tally-0.north.lab A 10.3.0.10",
            ],
        ),
    ];
    for (name, want) in cases {
        assert_eq!(lines(&world(), name), want, "{name}");
    }
}

fn import(name: &str, spec: serde_json::Value) -> Object {
    Object(json!({"apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceImport",
        "metadata": {"name": name, "namespace": "retail",
            "labels": {"karmada.io/managed": "true", "portolan.dev/clusterset": "prod"}}, "spec": spec}))
}

fn slice(of: &str, name: &str, cluster: &str, body: serde_json::Value) -> Object {
    let mut slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": name, "namespace": "retail", "labels": {
            "karmada.io/managed": "true", "portolan.dev/clusterset": "prod",
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.portolan.dev",
            "multicluster.kubernetes.io/service-name": of, "multicluster.kubernetes.io/source-cluster": cluster}}});
    if let (Some(slice), Some(body)) = (slice.as_object_mut(), body.as_object()) {
        slice.extend(body.clone());
    }
    Object(slice)
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn edges() {
    let headless = json!({"type": "Headless", "ports": [{"name": "db", "port": 5432}]});
    let cases: Vec<(&str, Vec<Object>, &str, Vec<&str>)> = vec![
        (
            "several ports and numbers",
            vec![import(
                "web",
                json!({"type": "ClusterSetIP", "ips": ["10.0.0.1"], "ports": [
                {"name": "http", "port": 80}, {"name": "alt", "port": 81, "protocol": "SCTP"}]}),
            )],
            "web",
            vec![
                "@ A 10.0.0.1",
                "@ SRV 0 50 80 @",
                "@ SRV 0 50 81 @",
                "_alt._sctp SRV 0 100 81 @",
                "_http._tcp SRV 0 100 80 @",
            ],
        ),
        (
            "no address, as in the explicit form",
            vec![import("web", json!({"type": "ClusterSetIP", "ports": [{"name": "http", "port": 80}]}))],
            "web",
            vec![],
        ),
        (
            "an invalid address",
            vec![import(
                "web",
                json!({"type": "ClusterSetIP", "ips": ["10.0.0.256", "fd00::1"], "ports": []}),
            )],
            "web",
            vec!["@ AAAA fd00::1", "problem: \"10.0.0.256\" in spec.ips is not an IP address"],
        ),
        (
            "ports out of range and with odd names",
            vec![import(
                "web",
                json!({"type": "ClusterSetIP", "ips": ["10.0.0.1"], "ports": [
                {"name": "a", "port": 70000}, {"name": "b.c", "port": 1}, {"name": "d", "port": 2, "protocol": "QUIC"},
                {"name": "ok", "port": 3}]}),
            )],
            "web",
            vec![
                "@ A 10.0.0.1",
                "@ SRV 0 100 3 @",
                "_ok._tcp SRV 0 100 3 @",
                "problem: port \"a\" (70000/) cannot be published: its number is not between 1 and 65535",
                "problem: port \"b.c\" (1/) cannot be published: its name is not a DNS label of at most 62 characters",
                "problem: port \"d\" (2/QUIC) cannot be published: its protocol is neither TCP, UDP nor SCTP",
            ],
        ),
        (
            "a dotted service name",
            vec![import("a.b", headless.clone())],
            "a.b",
            vec![
                "problem: \"a.b\" cannot be part of a DNS name: use a name of at most 63 letters, digits and hyphens, without dots",
            ],
        ),
        (
            "an unknown type",
            vec![import("web", json!({"type": "Other", "ports": []}))],
            "web",
            vec!["problem: type \"Other\" is unknown: use ClusterSetIP or Headless"],
        ),
        (
            "one host name with two addresses, and a slice without ports",
            vec![
                import("web", headless.clone()),
                slice(
                    "web",
                    "s",
                    "east",
                    json!({"endpoints": [{"addresses": ["10.0.0.1", "10.0.0.2"], "hostname": "Web-0"}]}),
                ),
            ],
            "web",
            vec![
                "@ A 10.0.0.1",
                "@ A 10.0.0.2",
                "@ SRV 0 100 5432 web-0.east",
                "_db._tcp SRV 0 100 5432 web-0.east",
                "web-0.east A 10.0.0.1",
                "web-0.east A 10.0.0.2",
            ],
        ),
        (
            "the same endpoint in two slices",
            vec![
                import("web", headless.clone()),
                slice("web", "s", "east", json!({"endpoints": [{"addresses": ["10.0.0.1"]}]})),
                slice("web", "t", "east", json!({"endpoints": [{"addresses": ["10.0.0.1"]}]})),
            ],
            "web",
            vec![
                "@ A 10.0.0.1",
                "@ SRV 0 100 5432 10-0-0-1.east",
                "10-0-0-1.east A 10.0.0.1",
                "_db._tcp SRV 0 100 5432 10-0-0-1.east",
            ],
        ),
        (
            "the same endpoint ready in one slice and not in another",
            vec![
                import("web", headless.clone()),
                slice(
                    "web",
                    "s",
                    "east",
                    json!({"endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true}}]}),
                ),
                slice(
                    "web",
                    "t",
                    "east",
                    json!({"endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": false}}]}),
                ),
            ],
            "web",
            vec![
                "@ A 10.0.0.1",
                "@ SRV 0 100 5432 10-0-0-1.east",
                "10-0-0-1.east A 10.0.0.1",
                "_db._tcp SRV 0 100 5432 10-0-0-1.east",
            ],
        ),
        (
            "what cannot be named is reported and the rest is published",
            vec![
                import("web", headless.clone()),
                slice("web", "s", "", json!({"endpoints": [{"addresses": ["10.0.0.1"]}]})),
                slice("web", "t", "a_b", json!({"endpoints": [{"addresses": ["10.0.0.2"]}]})),
                slice(
                    "web",
                    "u",
                    "east",
                    json!({"endpoints": [{"addresses": ["10.0.0.3"], "hostname": "a.b"},
                                                              {"addresses": ["fd00::1", "10.0.0.4"]}]}),
                ),
                slice(
                    "web",
                    "v",
                    "east",
                    json!({"addressType": "FQDN", "endpoints": [{"addresses": ["example.com"]}]}),
                ),
            ],
            "web",
            vec![
                "@ A 10.0.0.4",
                "@ SRV 0 100 5432 10-0-0-4.east",
                "10-0-0-4.east A 10.0.0.4",
                "_db._tcp SRV 0 100 5432 10-0-0-4.east",
                "problem: \"fd00::1\" in EndpointSlice retail/u is not an IPv4 address",
                "problem: host name \"a.b\" in EndpointSlice retail/u cannot be part of a DNS name: use at most 63 letters, digits and hyphens",
                "problem: cluster id \"a_b\" in EndpointSlice retail/t cannot be part of a DNS name: use lower-case letters, digits, hyphens and dots",
                "problem: EndpointSlice retail/s has no label multicluster.kubernetes.io/source-cluster: its endpoints are not published",
            ],
        ),
    ];
    for (name, world, import, want) in cases {
        assert_eq!(lines(&world, import), want, "{name}");
    }
}

/// `portolan services migrate` marks the Service and then the import; both marks reach a reader one after the other, and the
/// set writes the addresses last.
#[test]
fn an_import_has_its_address_in_every_state_of_a_migration() {
    const IMPORT_OF: &str = "multicluster.kubernetes.io/service-name";
    let spec = || json!({"type": "ClusterSetIP", "ports": [{"name": "http", "port": 80}]});
    let mut explicit = import("web", spec());
    explicit.metadata_mut().remove("labels");
    let mut marked = import("web", spec());
    marked.set_annotation("multicluster.kubernetes.io/derived-service", "derived-web");
    let mut written = marked.clone();
    written.set_label("portolan.dev/control-plane", "first");
    let pending = written.clone();
    written.0["spec"]["ips"] = json!(["10.0.0.7"]);
    let service = |name: &str, labels: serde_json::Value| {
        Object(json!({"metadata": {"namespace": "retail", "name": name, "labels": labels},
            "spec": {"clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"]}}))
    };
    let of_explicit = service("derived-web", json!({"karmada.io/managed": "true", IMPORT_OF: "web"}));
    let labels = json!({"karmada.io/managed": "true", "portolan.dev/clusterset": "prod", IMPORT_OF: "web"});
    let of_set = service("derived-web", labels);
    let foreign = service("derived-web", json!({IMPORT_OF: "web"}));
    let of_another = service("derived-web", json!({"karmada.io/managed": "true", IMPORT_OF: "shop"}));
    let cases = [
        ("before", &explicit, Some(&of_explicit), true),
        ("the Service is marked", &explicit, Some(&of_set), true),
        ("both are marked", &marked, Some(&of_set), true),
        ("the mark of the Service has not arrived", &marked, Some(&of_explicit), true),
        ("the set has written the import", &written, Some(&of_set), true),
        ("the Service has not arrived", &written, None, true),
        ("the set has found no address", &pending, Some(&of_set), false),
        ("a Service that Portolan does not manage", &marked, Some(&foreign), false),
        ("a Service of another import", &marked, Some(&of_another), false),
    ];
    for (name, import, derived, want) in cases {
        let answers = render(&records(import, derived, &[], ZONE)).contains(&"@ A 10.0.0.7".to_owned());
        assert_eq!(answers, want, "{name}");
    }
    let keys = |import: &Object| derived_services(import).map(|key| key.name).collect::<Vec<_>>();
    marked.set_annotation("multicluster.kubernetes.io/derived-service", "theirs");
    assert_eq!(keys(&explicit), ["derived-web"]);
    assert_eq!(keys(&marked), ["theirs", "derived-web"]);
}

type Labels = &'static [(&'static str, &'static str)];

#[test]
fn foreign_slices_are_not_published() {
    const OF_SPECIFICATION: Labels = &[
        ("multicluster.kubernetes.io/service-name", "web"),
        ("multicluster.kubernetes.io/source-cluster", "east"),
    ];
    const MANAGED: (&str, &str) = ("karmada.io/managed", "true");
    const OF_SET: (&str, &str) = ("portolan.dev/clusterset", "prod");
    const KEPT_BY: &str = "endpointslice.kubernetes.io/managed-by";
    const BY_SET: (&str, &str) = (KEPT_BY, "endpointslice-controller.portolan.dev");
    const BY_IMPORT: (&str, &str) = (KEPT_BY, "endpointslice-controller.karmada.io");
    let spec = json!({"type": "Headless", "ports": [{"name": "db", "port": 5432}]});
    let (of_set, mut explicit) = (import("web", spec.clone()), import("web", spec));
    explicit.metadata_mut().remove("labels");
    let cases: [(&str, &Object, Labels, bool); 8] = [
        ("imported for the set", &of_set, &[MANAGED, OF_SET, BY_SET], true),
        ("labels of the specification alone", &of_set, &[], false),
        ("kept by its own author", &of_set, &[(KEPT_BY, "me")], false),
        ("the manager's name alone", &of_set, &[BY_SET], false),
        ("of the explicit form, which discovery would leave there", &of_set, &[MANAGED, BY_IMPORT], false),
        ("imported for an explicit import", &explicit, &[MANAGED, BY_IMPORT], true),
        ("beside an explicit import", &explicit, &[], false),
        ("of a set, for an explicit import", &explicit, &[MANAGED, OF_SET, BY_SET], false),
    ];
    for (name, import, labels, want) in cases {
        let mut slice = slice("web", "s", "east", json!({"endpoints": [{"addresses": ["10.6.6.6"]}]}));
        slice.metadata_mut().remove("labels");
        for (label, value) in OF_SPECIFICATION.iter().chain(labels) {
            slice.set_label(label, *value);
        }
        let slices: Vec<&Object> =
            [&slice].into_iter().filter(|slice| import_of_slice(slice) == Some(import.key())).collect();
        let answers = render(&records(import, None, &slices, ZONE)).contains(&"@ A 10.6.6.6".to_owned());
        assert_eq!(answers, want, "{name}");
    }
}

#[test]
fn names_that_are_too_long_are_reported() {
    let (host, cluster) =
        ("h".repeat(63), format!("{}.{}.{}", "c".repeat(60), "d".repeat(60), "e".repeat(60)));
    let import = import("web", json!({"type": "Headless", "ports": [{"name": "db", "port": 5432}]}));
    let slice =
        slice("web", "s", &cluster, json!({"endpoints": [{"addresses": ["10.0.0.1"], "hostname": host}]}));
    let records = records(&import, None, &[&slice], ZONE);
    assert_eq!(render(&records)[0], "@ A 10.0.0.1", "the address is still there");
    assert_eq!(records.records.len(), 1, "no record with the long name: {:?}", records.records);
    assert!(
        matches!(&records.problems[..], [Problem::TooLong { length: 278, .. }]),
        "{:?}",
        records.problems
    );
}

#[test]
fn ten_thousand_endpoints() {
    let import = import("web", json!({"type": "Headless", "ports": [{"name": "db", "port": 5432}]}));
    let endpoints = |third: u8| -> Vec<_> {
        let addresses = (0..5000u32).map(|n| format!("10.{third}.{}.{}", n / 250, n % 250));
        addresses.map(|address| json!({"addresses": [address]})).collect()
    };
    let slices: Vec<Object> = [("east", 1), ("west", 2)]
        .iter()
        .flat_map(|&(cluster, third)| {
            let chunks: Vec<_> = endpoints(third).chunks(100).map(<[_]>::to_vec).enumerate().collect();
            chunks.into_iter().map(move |(n, chunk)| {
                slice("web", &format!("{cluster}-{n}"), cluster, json!({"endpoints": chunk}))
            })
        })
        .collect();
    let records = records(&import, None, &slices.iter().collect::<Vec<_>>(), ZONE);
    let own = &records.records[""];
    let from = |third: u8| {
        own.iter()
            .filter(|data| matches!(data, RecordData::Address(IpAddr::V4(v4)) if v4.octets()[1] == third))
            .count()
    };
    assert_eq!(
        (from(1), from(2)),
        (MAX_ENDPOINTS / 2, MAX_ENDPOINTS / 2),
        "an even choice from both clusters"
    );
    assert_eq!(records.records.len(), 10_000 + 2, "every pod has its own name");
    assert_eq!(records.problems, [Problem::TooManyEndpoints { have: 10_000, limit: MAX_ENDPOINTS }]);
}
