//! A cluster that answers for its own services and for those of the cluster set.

use hickory_proto::op::ResponseCode;
use portolan_dns::ZoneSettings;
use portolan_plan::dns::{RecordSink, ServiceChange, ServiceRecords, ZoneKind};

use crate::client::{BOTH, Over, ask, lines, query};
use crate::world::{World, objects, parse};

const WEB: &str = "web.shop.svc.cluster.local.";

const SERVICES: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  clusterIP: 10.96.0.10
  clusterIPs: [10.96.0.10, "fd96::a"]
  ports: [{name: http, port: 80, protocol: TCP}]
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, ports: [{name: sql, port: 5432, protocol: TCP}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
ports: [{name: sql, port: 5432, protocol: TCP}]
endpoints: [{addresses: [10.0.0.7], hostname: db-0}]
---
apiVersion: v1
kind: Service
metadata: {name: alias, namespace: shop}
spec: {type: ExternalName, externalName: web.shop.svc.cluster.local}
---
apiVersion: v1
kind: Service
metadata: {name: away, namespace: shop}
spec: {type: ExternalName, externalName: www.example.com}
---
apiVersion: v1
kind: Service
metadata: {name: broken, namespace: shop}
spec: {type: ExternalName, externalName: nosuch.shop.svc.cluster.local}
---
apiVersion: v1
kind: Service
metadata: {name: loop, namespace: shop}
spec: {type: ExternalName, externalName: loop.shop.svc.cluster.local}
"#;

const CASES: &[(&str, &str, ResponseCode, &[&str])] = &[
    ("dns-version.cluster.local.", "TXT", ResponseCode::NoError, &["28800 IN TXT 1.1.0"]),
    (WEB, "A", ResponseCode::NoError, &["5 IN A 10.96.0.10"]),
    (WEB, "AAAA", ResponseCode::NoError, &["5 IN AAAA fd96::a"]),
    (
        "_http._tcp.web.shop.svc.cluster.local.",
        "SRV",
        ResponseCode::NoError,
        &["5 IN SRV 0 100 80 web.shop.svc.cluster.local."],
    ),
    ("db.shop.svc.cluster.local.", "A", ResponseCode::NoError, &["5 IN A 10.0.0.7"]),
    ("db-0.db.shop.svc.cluster.local.", "A", ResponseCode::NoError, &["5 IN A 10.0.0.7"]),
    (
        "_sql._tcp.db.shop.svc.cluster.local.",
        "SRV",
        ResponseCode::NoError,
        &["5 IN SRV 0 100 5432 db-0.db.shop.svc.cluster.local."],
    ),
    ("10.0.96.10.in-addr.arpa.", "PTR", ResponseCode::NoError, &["5 IN PTR web.shop.svc.cluster.local."]),
    ("7.0.0.10.in-addr.arpa.", "PTR", ResponseCode::NoError, &["5 IN PTR db-0.db.shop.svc.cluster.local."]),
    (
        "a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.d.f.ip6.arpa.",
        "PTR",
        ResponseCode::NoError,
        &["5 IN PTR web.shop.svc.cluster.local."],
    ),
    ("8.0.0.10.in-addr.arpa.", "PTR", ResponseCode::NXDomain, &[]),
    ("08.0.0.10.in-addr.arpa.", "PTR", ResponseCode::NXDomain, &[]),
    ("0.0.10.in-addr.arpa.", "PTR", ResponseCode::NoError, &[]),
    ("ns.dns.cluster.local.", "A", ResponseCode::NoError, &["5 IN A 10.96.0.2"]),
    ("away.shop.svc.cluster.local.", "A", ResponseCode::NoError, &["5 IN CNAME www.example.com."]),
    ("away.shop.svc.cluster.local.", "CNAME", ResponseCode::NoError, &["5 IN CNAME www.example.com."]),
    (
        "broken.shop.svc.cluster.local.",
        "A",
        ResponseCode::NXDomain,
        &["5 IN CNAME nosuch.shop.svc.cluster.local."],
    ),
    ("shop.retail.svc.clusterset.local.", "A", ResponseCode::NoError, &["5 IN A 10.42.42.42"]),
    // The name with a search domain of a pod appended.
    ("shop.retail.svc.clusterset.local.shop.svc.cluster.local.", "A", ResponseCode::NXDomain, &[]),
    ("example.com.", "A", ResponseCode::Refused, &[]),
];

fn world() -> World {
    let server_addresses = vec!["10.96.0.2".parse().expect("an address")];
    let world = World::empty(vec![
        ZoneSettings { server_addresses, ..ZoneSettings::new(ZoneKind::Cluster) },
        ZoneSettings::new(ZoneKind::ClusterSet),
    ]);
    world.serve(&parse(SERVICES));
    world.import(&objects());
    world.zones.synced(ZoneKind::Cluster);
    world.zones.synced(ZoneKind::ClusterSet);
    world
}

#[test]
fn answers_for_both_zones() {
    let world = world();
    for (name, kind, code, want) in CASES {
        for over in BOTH {
            let answer = ask(world.server, over, &query(name, kind, Some(1232)));
            let want: Vec<String> = want.iter().map(|record| format!("{name} {record}")).collect();
            assert_eq!(answer.metadata.response_code, *code, "{name} {kind}");
            assert_eq!(lines(&answer.answers), want, "{name} {kind}");
            let is_negative =
                want.is_empty() && *code != ResponseCode::Refused || *code == ResponseCode::NXDomain;
            assert_eq!(answer.authorities.len(), usize::from(is_negative), "{name} {kind}");
        }
    }
}

#[test]
fn aliases_and_removal() {
    let world = world();
    // An alias to a name in our zones is answered with the records of that name.
    let answer = ask(world.server, Over::Udp, &query("alias.shop.svc.cluster.local.", "A", None));
    assert_eq!(
        lines(&answer.answers),
        [format!("alias.shop.svc.cluster.local. 5 IN CNAME {WEB}"), format!("{WEB} 5 IN A 10.96.0.10")]
    );
    let answer = ask(world.server, Over::Tcp, &query("loop.shop.svc.cluster.local.", "A", None));
    assert_eq!(answer.answers.len(), 9, "a loop of aliases ends");
    // A deleted service has no names.
    let service = portolan_object::ObjectKey::namespaced("shop", "web");
    world
        .zones
        .publish(ZoneKind::Cluster, vec![ServiceChange { service, records: ServiceRecords::default() }]);
    let answer = ask(world.server, Over::Udp, &query("10.0.96.10.in-addr.arpa.", "PTR", None));
    assert_eq!(answer.metadata.response_code, ResponseCode::NXDomain);
}
