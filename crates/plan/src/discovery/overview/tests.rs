use super::*;
use crate::discovery::{Lost, LostCause};
use portolan_object::Object;
use serde_json::{Value, json};

fn object(kind: &str, name: &str, created: &str, rest: Value) -> Object {
    let mut object =
        json!({"kind": kind, "metadata": {"name": name, "namespace": "shop", "creationTimestamp": created}});
    for (field, value) in rest.as_object().expect("an object") {
        object[field] = value.clone();
    }
    Object(object)
}

fn export(conditions: Value) -> Object {
    object("ServiceExport", "web", "2026-01-01T00:00:00Z", json!({"status": {"conditions": conditions}}))
}

fn import(exporters: &[&str]) -> Object {
    let clusters: Vec<Value> = exporters.iter().map(|name| json!({"cluster": name})).collect();
    object(
        "ServiceImport",
        "web",
        "2026-01-01T00:00:01Z",
        json!({"spec": {"type": "ClusterSetIP", "ips": ["10.1.0.9"],
                "ports": [{"name": "http", "port": 80, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]},
            "status": {"clusters": clusters}}),
    )
}

/// A slice of the Service, or one imported from `source`; `ready` has one entry per endpoint.
fn slice(source: Option<&str>, ready: &[Option<bool>], created: &str) -> Object {
    let endpoint = |ready: &Option<bool>| json!({"addresses": ["10.0.0.1"], "conditions": {"ready": ready}});
    let endpoints: Vec<Value> = ready.iter().map(endpoint).collect();
    let mut slice =
        object("EndpointSlice", "web-x", created, json!({"addressType": "IPv4", "endpoints": endpoints}));
    match source {
        None => slice.set_label("kubernetes.io/service-name", "web"),
        Some(source) => {
            slice.set_label("kubernetes.io/service-name", "derived-web");
            slice.set_label("multicluster.kubernetes.io/service-name", "web");
            slice.set_label("multicluster.kubernetes.io/source-cluster", source);
        }
    }
    slice
}

fn cluster(name: &str, exports: Vec<Object>, imports: Vec<Object>, slices: Vec<Object>) -> MemberSnapshot {
    MemberSnapshot {
        name: name.to_owned(),
        id: None,
        objects: Ok(MemberObjects { exports, imports, slices, probes: Vec::new() }),
    }
}

fn lost(name: &str) -> MemberSnapshot {
    MemberSnapshot {
        name: name.to_owned(),
        id: Some(format!("id-of-{name}")),
        objects: Err(Lost::new(LostCause::Unreachable, "no route")),
    }
}

const T: &str = "2026-01-01T00:00:00Z";

/// `namespace/name exporters > importers`, with `?` for a cluster that could not be read.
fn render(overview: &Overview) -> Vec<String> {
    let exporter = |exporter: &ExporterSummary| {
        let mark = if exporter.reachable { "" } else { "?" };
        format!("{}{mark}={}/{}", exporter.cluster, exporter.ready_endpoints, exporter.endpoints)
    };
    let service = |service: &ServiceSummary| {
        let exporters: Vec<String> = service.exporters.iter().map(exporter).collect();
        let importers: Vec<&str> =
            service.importers.iter().map(|importer| importer.cluster.as_str()).collect();
        format!("{}/{} {} > {}", service.namespace, service.name, exporters.join(" "), importers.join(" "))
    };
    overview.services.iter().map(service).collect()
}

#[test]
fn services_are_collected() {
    let imported = || slice(Some("a"), &[Some(true), Some(true)], T);
    let own = || slice(None, &[Some(true), Some(false), None], T);
    let mut leaving = export(json!([]));
    leaving.metadata_mut().insert("deletionTimestamp".to_owned(), json!(T));
    let cases: Vec<(&str, Vec<MemberSnapshot>, Vec<&str>)> = vec![
        ("nothing", vec![cluster("a", vec![], vec![], vec![own()])], vec![]),
        (
            "exported and imported",
            vec![
                cluster("a", vec![export(json!([]))], vec![], vec![own()]),
                cluster("b", vec![], vec![import(&["a"])], vec![imported()]),
            ],
            vec!["shop/web a=2/3 > b"],
        ),
        (
            "an exporter's imported slices are not its own",
            vec![cluster("a", vec![export(json!([]))], vec![import(&["a"])], vec![own(), imported()])],
            vec!["shop/web a=2/3 > a"],
        ),
        (
            "a local Service without an export contributes nothing",
            vec![
                cluster("a", vec![export(json!([]))], vec![], vec![own()]),
                cluster("b", vec![], vec![], vec![own()]),
            ],
            vec!["shop/web a=2/3 > "],
        ),
        (
            "imported without an exporter",
            vec![cluster("b", vec![], vec![import(&[])], vec![])],
            vec!["shop/web  > b"],
        ),
        (
            "an exporter that cannot be read counts as others last saw it",
            vec![lost("a"), cluster("b", vec![], vec![import(&[])], vec![imported()])],
            vec!["shop/web a?=2/2 > b"],
        ),
        (
            "also when it is known by its id and has no endpoints",
            vec![lost("a"), cluster("b", vec![], vec![import(&["id-of-a"])], vec![])],
            vec!["shop/web a?=0/0 > b"],
        ),
        (
            "an export that goes does not count",
            vec![cluster("a", vec![leaving], vec![], vec![own()])],
            vec![],
        ),
    ];
    for (name, clusters, want) in cases {
        assert_eq!(render(&overview(&clusters, "")), want, "{name}");
    }
}

#[test]
fn a_member_that_cannot_be_read_is_a_note() {
    let seen = overview(&[lost("a"), cluster("b", vec![export(json!([]))], vec![], vec![])], "");
    assert_eq!(seen.notes.len(), 1);
    assert_eq!(seen.notes[0].cluster, "a");
    assert!(
        seen.notes[0]
            .reason
            .starts_with("no connection to its API server: no route; next: start the API server of a"),
        "{}",
        seen.notes[0].reason
    );
    assert_eq!(render(&seen), ["shop/web b=0/0 > "]);
}

#[test]
fn namespaces_are_chosen() {
    let clusters = [cluster("a", vec![export(json!([]))], vec![], vec![])];
    assert_eq!(overview(&clusters, "shop").services.len(), 1);
    assert_eq!(overview(&clusters, "other").services.len(), 0);
}

#[test]
fn details_come_from_the_import_and_the_conditions() {
    let conditions = |kind: &str, status: &str, reason: &str| json!([{"type": kind, "status": status, "reason": reason, "message": "m", "lastTransitionTime": "2026-01-03T00:00:00Z"}]);
    let clusters = [
        cluster(
            "a",
            vec![export(conditions("Conflict", "True", "PortConflict,TypeConflict"))],
            vec![import(&["a"])],
            vec![slice(None, &[], "2026-01-02T00:00:00Z")],
        ),
        cluster("b", vec![export(conditions("Valid", "False", "NoService"))], vec![], vec![]),
        cluster("c", vec![export(conditions("Conflict", "False", "NoConflicts"))], vec![], vec![]),
    ];
    let seen = overview(&clusters, "");
    let service = &seen.services[0];
    assert_eq!(
        (service.kind.as_str(), &service.ports[..]),
        ("ClusterSetIP", &["http:80/TCP".to_owned(), "53/UDP".to_owned()][..])
    );
    assert_eq!(service.importers[0].ips, ["10.1.0.9"]);
    assert_eq!(service.conflicts(), ["PortConflict", "TypeConflict"]);
    assert_eq!(service.exporters[0].conflict_message, "m");
    assert_eq!(service.exporters[1].invalid, "NoService: m");
    assert_eq!((service.exporters[2].invalid.as_str(), service.exporters[2].conflict.as_str()), ("", ""));
    assert_eq!(service.last_change, "2026-01-03T00:00:00Z");
}

#[test]
fn the_last_change_is_the_latest_time_of_all_objects() {
    let mut written = slice(None, &[], "2026-01-02T00:00:00Z");
    written.metadata_mut().insert("managedFields".to_owned(), json!([{"time": "2026-01-05T00:00:00Z"}]));
    let clusters = [cluster("a", vec![export(json!([]))], vec![], vec![written])];
    assert_eq!(overview(&clusters, "").services[0].last_change, "2026-01-05T00:00:00Z");
}
