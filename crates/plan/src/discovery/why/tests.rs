use std::collections::BTreeSet;

use super::*;
use crate::discovery::ReadError;
use portolan_object::{Object, ObjectKey};
use serde_json::{Value, json};

fn object(kind: &str, spec: Value, conditions: Value) -> Object {
    Object(json!({"kind": kind, "metadata": {"name": "web", "namespace": "shop"}, "spec": spec,
                  "status": {"conditions": conditions}}))
}

fn service(cluster_ip: &str, port: i64) -> Object {
    named_service(cluster_ip, "http", port)
}

fn named_service(cluster_ip: &str, name: &str, port: i64) -> Object {
    object(
        "Service",
        json!({"type": "ClusterIP", "clusterIP": cluster_ip,
               "ports": [{"name": name, "port": port, "protocol": "TCP"}]}),
        json!([]),
    )
}

/// A slice of the Service, or one imported from `source`; an address with `!` is not ready.
fn slice(source: Option<&str>, addresses: &[&str]) -> Object {
    let endpoint = |address: &&str| json!({"addresses": [address.trim_end_matches('!')], "conditions": {"ready": !address.ends_with('!')}});
    let endpoints: Vec<Value> = addresses.iter().map(endpoint).collect();
    let mut slice = Object(json!({"kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "web-x", "namespace": "shop"}, "endpoints": endpoints}));
    match source {
        None => slice.set_label("kubernetes.io/service-name", "web"),
        Some(source) => {
            slice.set_label("multicluster.kubernetes.io/service-name", "web");
            slice.set_label("multicluster.kubernetes.io/source-cluster", source);
        }
    }
    slice
}

fn member(name: &str, range: &str, slices: Vec<Object>) -> Member {
    let view = View {
        serves_api: true,
        has_namespace: true,
        clusterset: Some(Clusterset { name: "set".to_owned(), id: format!("id-{name}") }),
        import: Some(object(
            "ServiceImport",
            json!({"type": "ClusterSetIP", "ips": ["10.1.0.9"], "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}),
            json!([]),
        )),
        slices,
        pod_ranges: vec![range.to_owned()],
        dns: Dns { forwards_zone: Some(true), answer: Some(Ok(BTreeSet::from(["10.1.0.9".to_owned()]))) },
        ..View::default()
    };
    Member { name: name.to_owned(), view: Ok(view) }
}

/// `a` exports a service with two endpoints, `b` imports it; no problem.
fn healthy() -> Facts {
    let ready = ["10.10.0.5", "10.10.0.6"];
    let mut a = member("a", "10.10.0.0/24", vec![slice(None, &ready), slice(Some("id-a"), &ready)]);
    let view = a.view.as_mut().expect("it can be read");
    view.export = Some(object("ServiceExport", Value::Null, json!([{"type": "Valid", "status": "True"}])));
    view.local = Some(service("10.13.0.4", 80));
    let b = member("b", "10.12.0.0/24", vec![slice(Some("id-a"), &ready)]);
    Facts { service: ObjectKey::namespaced("shop", "web"), members: vec![a, b] }
}

/// The healthy federation with a change in `cluster`.
fn with(cluster: &str, change: impl FnOnce(&mut View)) -> Facts {
    let mut facts = healthy();
    change(view(&mut facts, cluster));
    facts
}

fn view<'a>(facts: &'a mut Facts, cluster: &str) -> &'a mut View {
    let member = facts.members.iter_mut().find(|member| member.name == cluster).expect("it is a member");
    member.view.as_mut().expect("it can be read")
}

fn lost(cluster: &str) -> Facts {
    let mut facts = healthy();
    let member = facts.members.iter_mut().find(|member| member.name == cluster).expect("it is a member");
    member.view = Err(ReadError("connection refused".to_owned()));
    facts
}

/// The healthy federation with a second exporter `c`.
fn with_second(service: Object, conditions: Value) -> Facts {
    let mut facts = healthy();
    let mut c =
        member("c", "10.14.0.0/24", vec![slice(None, &["10.14.0.5"]), slice(Some("c"), &["10.14.0.5"])]);
    let held = c.view.as_mut().expect("it can be read");
    held.export = Some(object("ServiceExport", Value::Null, conditions));
    held.local = Some(service);
    facts.members.push(c);
    view(&mut facts, "b").slices.push(slice(Some("c"), &["10.14.0.5"]));
    facts
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn the_headline_names_the_problem() {
    let conflict =
        |reason: &str| json!([{"type": "Conflict", "status": "True", "reason": reason, "message": "a wins"}]);
    let neither = |facts: &mut Facts| {
        let held = view(facts, "a");
        (held.export, held.local) = (None, None);
    };
    let unknown = {
        let mut facts = healthy();
        neither(&mut facts);
        facts
    };
    let exporter_lost = {
        let mut facts = lost("a");
        view(&mut facts, "b").import = None;
        facts
    };
    let overlapping = with("b", |view| view.pod_ranges = vec!["10.10.0.0/16".to_owned()]);
    let cases: Vec<(&str, Facts, &str)> = vec![
        ("no problem", healthy(), "works as far as can be seen from here"),
        (
            "no cluster has it",
            unknown,
            "broken at export: no cluster has a Service or a ServiceExport of this name",
        ),
        (
            "no export",
            with("a", |view| view.export = None),
            "broken at export: no cluster exports it: a has the Service but no ServiceExport",
        ),
        (
            "no CRDs",
            with("a", |view| (view.export, view.serves_api) = (None, false)),
            "broken at export: a has the Service but does not serve ServiceExports",
        ),
        (
            "no Service",
            with("a", |view| view.local = None),
            "broken at export: a exports it but has no Service of this name",
        ),
        (
            "ExternalName",
            with("a", |view| {
                view.local.as_mut().expect("a Service").0["spec"]["type"] = json!("ExternalName")
            }),
            "broken at export: the Service in a is of type ExternalName, which cannot be exported",
        ),
        (
            "the exporter is in no clusterset",
            with("a", |view| (view.clusterset, view.import) = (None, None)),
            "broken at export: a exports it but is in no clusterset",
        ),
        (
            "the exporter cannot be reached",
            exporter_lost,
            "broken at export: no cluster that answers exports it, and a cannot be reached: connection refused",
        ),
        (
            "no ready endpoint",
            with("a", |view| view.slices = vec![slice(None, &["10.10.0.5!", "10.10.0.6!"])]),
            "broken at endpoints: no ready endpoint (a: 0 of 2 ready)",
        ),
        (
            "the asking cluster cannot be reached",
            lost("b"),
            "broken at import: b cannot be reached: connection refused",
        ),
        (
            "the namespace is missing",
            with("b", |view| (view.has_namespace, view.import) = (false, None)),
            "broken at import: b has no namespace shop, and nothing is imported where the namespace is missing",
        ),
        (
            "the asking cluster is in no clusterset",
            with("b", |view| (view.clusterset, view.import) = (None, None)),
            "broken at import: b is in no clusterset and has no ServiceImport",
        ),
        (
            "the asking cluster is in another clusterset",
            with("b", |view| {
                view.clusterset = Some(Clusterset { name: "other".to_owned(), id: "b".to_owned() });
                view.import = None;
            }),
            "broken at import: b is in clusterset other, the exporters are in set",
        ),
        (
            "the import is missing",
            with("b", |view| view.import = None),
            "broken at import: b has no ServiceImport although it is in clusterset set with an exporter",
        ),
        (
            "the import has no address",
            with("b", |view| view.import.as_mut().expect("an import").0["spec"]["ips"] = json!([])),
            "broken at import: the ServiceImport in b has no address yet",
        ),
        (
            "port conflict",
            with_second(service("10.15.0.4", 81), conflict("PortConflict")),
            "broken at import: port conflict: c exports http 81/TCP, which an older export defines differently",
        ),
        (
            "a port of another name goes under the name that won",
            with_second(named_service("10.15.0.4", "web", 80), conflict("PortConflict")),
            "works, with a warning at import: the exports differ (PortConflict): a wins",
        ),
        (
            "type conflict",
            with_second(service("None", 80), conflict("TypeConflict")),
            "works, with a warning at import: type conflict: the Service in c is Headless, the service is ClusterSetIP by an older export",
        ),
        (
            "a conflict that traffic survives",
            with_second(service("10.15.0.4", 80), conflict("SessionAffinityConflict")),
            "works, with a warning at import: the exports differ (SessionAffinityConflict): a wins",
        ),
        (
            "slices are missing",
            with("b", |view| view.slices.clear()),
            "broken at slices: b has no EndpointSlice with the 2 ready endpoints of a",
        ),
        (
            "slices with a deleted address",
            with("b", |view| view.slices = vec![slice(Some("a"), &["10.10.0.5", "10.10.0.6", "10.10.0.7"])]),
            "broken at slices: stale: b still has 10.10.0.7 of a, which is not an endpoint there any more",
        ),
        (
            "slices without a new address",
            with("b", |view| view.slices = vec![slice(Some("a"), &["10.10.0.5"])]),
            "broken at slices: stale: b does not have 10.10.0.6 of a yet",
        ),
        (
            "the cluster DNS does not forward the zone",
            with("b", |view| view.dns.forwards_zone = Some(false)),
            "broken at dns: the cluster DNS of b does not forward clusterset.local",
        ),
        (
            "DNS has no answer",
            with("b", |view| view.dns.answer = Some(Err(LookupError("NXDOMAIN".to_owned())))),
            "broken at dns: the DNS of b has no answer for web.shop.svc.clusterset.local: NXDOMAIN",
        ),
        (
            "DNS has another answer",
            with("b", |view| view.dns.answer = Some(Ok(BTreeSet::new()))),
            "broken at dns: the DNS of b answers nothing for web.shop.svc.clusterset.local, expected 10.1.0.9",
        ),
        (
            "overlapping pod addresses",
            overlapping,
            "broken at connection: the pod addresses of b (10.10.0.0/16) and a (10.10.0.0/24) overlap",
        ),
        (
            "a connection is refused",
            with("b", |view| view.connections = vec![(80, false), (81, true)]),
            "broken at connection: a pod in b gets no connection to web.shop.svc.clusterset.local on port 80",
        ),
    ];
    for (name, facts, want) in cases {
        let from = if diagnose(&facts, "b").is_broken_everywhere() { "" } else { " from b" };
        assert_eq!(diagnose(&facts, "b").headline(), format!("shop/web{from}: {want}"), "{name}");
    }
}

#[test]
fn a_broken_hop_is_the_last_and_has_a_next_step() {
    let diagnosis = diagnose(&with("b", |view| view.has_namespace = false), "b");
    assert_eq!(diagnosis.path.len(), 6, "an import that is there needs no advice about its namespace");
    let diagnosis = diagnose(&with("b", |view| (view.has_namespace, view.import) = (false, None)), "b");
    let hops: Vec<Hop> = diagnosis.path.iter().map(|(hop, _)| *hop).collect();
    assert_eq!(hops, [Hop::Export, Hop::Endpoints, Hop::Import]);
    let Some((_, Finding::Broken { next, .. })) = diagnosis.path.last() else { panic!("{diagnosis:?}") };
    assert_eq!(next, "`kubectl --context b create namespace shop`");
}

#[test]
fn unknown_state_is_not_reported_as_good() {
    let diagnosis = diagnose(&with("b", |view| view.dns = Dns::default()), "b");
    let dns = diagnosis.path.iter().find(|(hop, _)| *hop == Hop::Dns).map(|(_, finding)| finding);
    assert!(
        matches!(dns, Some(Finding::Unknown(text)) if text.contains("web.shop.svc.clusterset.local")),
        "{dns:?}"
    );
}

#[test]
fn an_unreachable_exporter_is_a_warning() {
    let lose = |facts: &mut Facts| {
        facts.members.push(Member { name: "c".to_owned(), view: Err(ReadError("timeout".to_owned())) });
    };
    let with_endpoints = || with("b", |view| view.slices.push(slice(Some("c"), &["10.14.0.5"])));
    let (mut other, mut known, gone) = (healthy(), with_endpoints(), with_endpoints());
    lose(&mut other);
    lose(&mut known);
    let cases = [
        ("it does not export the service", other, "works as far as can be seen from here"),
        (
            "its endpoints are imported",
            known,
            "works, with a warning at slices: b has the last known endpoints of c: c cannot be reached",
        ),
        (
            "it does not export the service any more",
            gone,
            "broken at slices: stale: b still has endpoints of c, which does not export it",
        ),
    ];
    for (name, facts, want) in cases {
        assert_eq!(diagnose(&facts, "b").headline(), format!("shop/web from b: {want}"), "{name}");
    }
}

#[test]
fn an_explicit_import_has_the_address_and_the_name_of_its_derived_service() {
    let by_policy = |derived: Option<Object>| {
        let mut facts = healthy();
        view(&mut facts, "a").clusterset = None;
        let held = view(&mut facts, "b");
        held.clusterset = None;
        held.import.as_mut().expect("an import").0["spec"]["ips"] = json!([]);
        held.derived = derived;
        held.slices = vec![slice(Some("a"), &["10.10.0.5", "10.10.0.6"])];
        held.dns = Dns { forwards_zone: Some(false), answer: None };
        facts
    };
    let mut derived = service("10.13.0.7", 80);
    derived.0["spec"]["clusterIPs"] = json!(["10.13.0.7"]);
    derived.metadata_mut().insert("name".to_owned(), json!("derived-web"));
    let diagnosis = diagnose(&by_policy(Some(derived)), "b");
    assert_eq!(diagnosis.headline(), "shop/web from b: works as far as can be seen from here");
    let dns = diagnosis.path.iter().find(|(hop, _)| *hop == Hop::Dns).map(|(_, finding)| finding);
    assert!(
        matches!(dns, Some(Finding::Unknown(text)) if text.contains("derived-web.shop.svc.cluster.local")),
        "{dns:?}"
    );
    let headline = diagnose(&by_policy(None), "b").headline();
    assert_eq!(headline, "shop/web from b: broken at import: the ServiceImport in b has no address yet");
}

#[test]
fn an_unknown_cluster_is_reported() {
    let headline = diagnose(&healthy(), "nowhere").headline();
    assert_eq!(headline, "shop/web from nowhere: broken at import: nowhere has not joined this federation");
}

#[test]
fn default_client_clusters() {
    let explicit = |import: bool| {
        let mut facts = healthy();
        for cluster in ["a", "b"] {
            let held = view(&mut facts, cluster);
            (held.clusterset, held.import) = (None, None);
        }
        if import {
            view(&mut facts, "b").import = Some(object("ServiceImport", Value::Null, Value::Null));
        }
        facts
    };
    let cases = [
        ("members of the set", healthy(), vec!["a", "b"]),
        ("clusters with an explicit import", explicit(true), vec!["b"]),
        ("else those that do not export it", explicit(false), vec!["b"]),
    ];
    for (name, facts, want) in cases {
        assert_eq!(consumers(&facts), want, "{name}");
    }
}

#[test]
fn a_probe_resolves_the_name_and_connects_to_the_ports() {
    let mut facts = healthy();
    let held = view(&mut facts, "b").clone();
    let script = probe::script(&facts, &held);
    assert!(script.starts_with("nslookup web.shop.svc.clusterset.local. 2>&1;"), "{script}");
    assert!(script.contains("\nnc -w 3 web.shop.svc.clusterset.local. 80 <"), "{script}");
    let held = view(&mut facts, "b");
    held.import.as_mut().expect("an import").0["spec"]["type"] = json!("Headless");
    held.slices[0].0["ports"] = json!([{"port": 8080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]);
    let held = held.clone();
    let script = probe::script(&facts, &held);
    assert!(
        script.contains("local. 8080 <") && !script.contains(" 53 ") && !script.contains(" 80 "),
        "{script}"
    );
}
