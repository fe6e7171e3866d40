//! A healthy federation for the tests of the diagnosis: `a` exports `shop/web`, `b` imports it.

use std::collections::BTreeSet;

use portolan_object::{Object, ObjectKey};
use serde_json::{Value, json};

use super::super::connection::{Connection, Outcome, Target};
use super::super::*;
use crate::discovery::properties::Properties;
use crate::discovery::{Lost, LostCause};

pub(super) fn object(kind: &str, spec: Value, conditions: Value) -> Object {
    let version =
        if kind.starts_with("Service") && kind != "Service" { "multicluster.x-k8s.io/v1beta1" } else { "v1" };
    Object(
        json!({"apiVersion": version, "kind": kind, "metadata": {"name": "web", "namespace": "shop"}, "spec": spec,
                  "status": {"conditions": conditions}}),
    )
}

pub(super) fn service(cluster_ip: &str, port: i64) -> Object {
    named_service(cluster_ip, "http", port)
}

pub(super) fn named_service(cluster_ip: &str, name: &str, port: i64) -> Object {
    object(
        "Service",
        json!({"type": "ClusterIP", "clusterIP": cluster_ip, "selector": {"app": "web"}, "ipFamilies": ["IPv4"],
               "ports": [{"name": name, "port": port, "protocol": "TCP"}]}),
        json!([]),
    )
}

/// A slice of the Service, or one imported from `source`; an address with `!` is not ready.
pub(super) fn slice(source: Option<&str>, addresses: &[&str]) -> Object {
    let endpoint = |address: &&str| json!({"addresses": [address.trim_end_matches('!')], "conditions": {"ready": !address.ends_with('!')}});
    let endpoints: Vec<Value> = addresses.iter().map(endpoint).collect();
    let mut slice = Object(json!({"kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "web-x", "namespace": "shop"}, "endpoints": endpoints,
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]}));
    match source {
        None => slice.set_label("kubernetes.io/service-name", "web"),
        Some(source) => {
            slice.set_label("karmada.io/managed", "true");
            slice.set_label("portolan.dev/clusterset", "set");
            slice
                .set_label("endpointslice.kubernetes.io/managed-by", "endpointslice-controller.portolan.dev");
            slice.set_label("multicluster.kubernetes.io/service-name", "web");
            slice.set_label("multicluster.kubernetes.io/source-cluster", source);
        }
    }
    slice
}

/// A Pod of the Service.
pub(super) fn pod(name: &str, conditions: Value) -> Object {
    Object(json!({"kind": "Pod", "metadata": {"name": name, "namespace": "shop"},
        "status": {"phase": "Running", "conditions": conditions}}))
}

pub(super) fn ready_pod(name: &str) -> Object {
    pod(name, json!([{"type": "Ready", "status": "True"}]))
}

/// The import of the clusterset.
fn import() -> Object {
    let mut import = object(
        "ServiceImport",
        json!({"type": "ClusterSetIP", "ips": ["10.1.0.9"], "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}),
        json!([{"type": "Ready", "status": "True"}]),
    );
    import.0["status"]["clusters"] = json!([{"cluster": "id-a"}]);
    mark(&mut import);
    import
}

/// The name of the derived Service of the clusterset.
pub(super) fn derived_name() -> String {
    portolan_api::names::derived_service_of_set("shop", "web")
}

/// The derived Service of the import.
pub(super) fn derived() -> Object {
    let mut derived = service("10.1.0.9", 80);
    derived.0["spec"]["selector"] = Value::Null;
    derived.metadata_mut().insert("name".to_owned(), json!(derived_name()));
    mark(&mut derived);
    derived
}

pub(super) fn mark(object: &mut Object) {
    object.set_label("karmada.io/managed", "true");
    object.set_label("portolan.dev/clusterset", "set");
}

fn member(name: &str, range: &str, slices: Vec<Object>) -> Member {
    let answer = Some(Ok(BTreeSet::from(["10.1.0.9".to_owned()])));
    let view = View {
        serves_api: true,
        namespace: Namespace::Present,
        clusterset: Some(Clusterset { name: "set".to_owned(), id: format!("id-{name}") }),
        import: Some(import()),
        derived: vec![derived()],
        slices,
        pod_ranges: vec![range.to_owned()],
        dns: Dns { forwards_zone: Some(true), answer },
        connections: vec![open(Target::Name, 80)],
        ..View::default()
    };
    let listed = Listed { set: "set".to_owned(), id: format!("id-{name}"), message: String::new() };
    let known = Known {
        ready: Some(Ready { is_ready: true, ..Ready::default() }),
        listed: Some(listed),
        cluster: None,
    };
    Member { name: name.to_owned(), known, view: Ok(view) }
}

pub(super) fn open(target: Target, port: u16) -> Connection {
    Connection { target, port, outcome: Outcome::Open }
}

pub(super) fn tried(target: Target, port: u16, outcome: Outcome) -> Connection {
    Connection { target, port, outcome }
}

pub(super) fn endpoint(source: &str) -> Target {
    Target::Endpoint(source.to_owned(), "10.10.0.5".to_owned())
}

/// `a` exports a service with two endpoints, `b` imports it, and a Pod there connects.
pub(super) fn healthy() -> Facts {
    let ready = ["10.10.0.5", "10.10.0.6"];
    let mut a = member("a", "10.10.0.0/24", vec![slice(None, &ready), slice(Some("id-a"), &ready)]);
    let view = a.view.as_mut().expect("it can be read");
    view.export = Some(object("ServiceExport", json!({}), json!([{"type": "Valid", "status": "True"}])));
    view.local = Some(service("10.13.0.4", 80));
    view.pods = Some(vec![ready_pod("web-1"), ready_pod("web-2")]);
    let b = member("b", "10.12.0.0/24", vec![slice(Some("id-a"), &ready)]);
    Facts {
        service: ObjectKey::namespaced("shop", "web"),
        members: vec![a, b],
        policies: Vec::new(),
        properties: Properties::default(),
        native: None,
        unread: Vec::new(),
    }
}

/// The healthy federation with a change in `cluster`.
pub(super) fn with(cluster: &str, change: impl FnOnce(&mut View)) -> Facts {
    let mut facts = healthy();
    change(view(&mut facts, cluster));
    facts
}

/// The healthy federation that no client has tried, with a change in `cluster`.
pub(super) fn untried(cluster: &str, change: impl FnOnce(&mut View)) -> Facts {
    let mut facts = with(cluster, change);
    let held = view(&mut facts, "b");
    (held.connections, held.dns.answer) = (Vec::new(), None);
    facts
}

pub(super) fn member_of<'a>(facts: &'a mut Facts, cluster: &str) -> &'a mut Member {
    facts.members.iter_mut().find(|member| member.name == cluster).expect("it is a member")
}

pub(super) fn view<'a>(facts: &'a mut Facts, cluster: &str) -> &'a mut View {
    member_of(facts, cluster).view.as_mut().expect("it can be read")
}

/// The healthy federation in which `cluster` cannot be read, and that no client has tried.
pub(super) fn lost(cluster: &str, cause: LostCause) -> Facts {
    let mut facts = untried("b", |_| {});
    lose(&mut facts, cluster, cause);
    facts
}

pub(super) fn lose(facts: &mut Facts, cluster: &str, cause: LostCause) {
    let member = member_of(facts, cluster);
    member.view = Err(Lost::new(cause, "the error"));
    member.known.ready = Some(not_ready("ClusterNotReachable"));
}

pub(super) fn not_ready(reason: &str) -> Ready {
    Ready {
        is_ready: false,
        reason: reason.to_owned(),
        message: "the message".to_owned(),
        since: "2026-01-01T00:00:00Z".to_owned(),
    }
}

/// The healthy federation with a second exporter `c`.
pub(super) fn with_second(service: Object, conditions: Value) -> Facts {
    let mut facts = healthy();
    let mut c =
        member("c", "10.14.0.0/24", vec![slice(None, &["10.14.0.5"]), slice(Some("id-c"), &["10.14.0.5"])]);
    let held = c.view.as_mut().expect("it can be read");
    let mut all = vec![json!({"type": "Valid", "status": "True"})];
    all.extend(conditions.as_array().into_iter().flatten().cloned());
    held.export = Some(object("ServiceExport", json!({}), json!(all)));
    held.local = Some(service);
    held.pods = Some(vec![ready_pod("web-3")]);
    facts.members.push(c);
    view(&mut facts, "b").slices.push(slice(Some("id-c"), &["10.14.0.5"]));
    facts
}

/// A federation without a clusterset: `b` has an explicit import with these ports.
pub(super) fn explicit(ports: Value) -> Facts {
    let mut facts = untried("b", |_| {});
    for cluster in ["a", "b"] {
        let member = member_of(&mut facts, cluster);
        member.known.listed = None;
        let held = member.view.as_mut().expect("it can be read");
        held.clusterset = None;
        held.dns.forwards_zone = Some(false);
    }
    let held = view(&mut facts, "a");
    (held.import, held.derived) = (None, Vec::new());
    held.slices.truncate(1);
    let held = view(&mut facts, "b");
    held.import = Some(object("ServiceImport", json!({"type": "ClusterSetIP", "ports": ports}), json!([])));
    let mut service = derived();
    service.metadata_mut().insert("name".to_owned(), json!("derived-web"));
    service.metadata_mut().insert("labels".to_owned(), json!({"karmada.io/managed": "true"}));
    held.derived = vec![service];
    let mut imported = slice(Some("a"), &["10.10.0.5", "10.10.0.6"]);
    imported.metadata_mut().insert(
        "labels".to_owned(),
        json!({"karmada.io/managed": "true",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.karmada.io",
        "multicluster.kubernetes.io/service-name": "web", "multicluster.kubernetes.io/source-cluster": "a"}),
    );
    held.slices = vec![imported];
    facts
}
