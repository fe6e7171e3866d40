use serde_json::{Value, json};

use super::*;

fn export(spec: Value) -> Object {
    Object(json!({ "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport", "spec": spec,
        "metadata": { "namespace": "shop", "name": "web", "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": { "mine": "x" }, "annotations": { "mine": "x" } } }))
}

fn service(spec: Value) -> Object {
    Object(json!({ "apiVersion": "v1", "kind": "Service", "spec": spec,
        "metadata": { "namespace": "shop", "name": "web", "labels": { "app": "web" } } }))
}

/// A row: the case, the Service, and a view of the export or the reason and the start of the message.
#[test]
fn types_of_services() {
    let cases = [
        ("an address", Some(json!({ "type": "ClusterIP", "clusterIP": "10.0.0.7" })), "ClusterSetIP"),
        ("headless", Some(json!({ "type": "ClusterIP", "clusterIP": "None" })), "Headless"),
        ("a node port", Some(json!({ "type": "NodePort", "clusterIP": "10.0.0.7" })), "ClusterSetIP"),
        ("a load balancer", Some(json!({ "type": "LoadBalancer", "clusterIP": "10.0.0.7" })), "ClusterSetIP"),
        ("without a selector", Some(json!({ "clusterIP": "10.0.0.7" })), "ClusterSetIP"),
        (
            "an external name",
            Some(json!({ "type": "ExternalName", "externalName": "example.com" })),
            "InvalidServiceType: service shop/web is of type ExternalName",
        ),
        ("no service", None, "NoService: service shop/web does not exist"),
    ];
    for (name, spec, want) in cases {
        let service = spec.map(service);
        let seen = match validate_export("east", &export(json!({})), service.as_ref()) {
            Ok(export) => format!("{:?}", export.kind),
            Err(invalid) => format!("{}: {invalid}", invalid.reason()),
        };
        assert!(seen.starts_with(want), "{name}: {seen}");
    }
}

#[test]
fn a_service_in_deletion_counts_as_missing() {
    let mut going = service(json!({ "clusterIP": "10.0.0.7" }));
    going.0["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:00Z");
    assert_eq!(
        validate_export("east", &export(json!({})), Some(&going)),
        Err(InvalidExport::NoService("shop/web".to_owned()))
    );
}

#[test]
fn the_api_server_is_never_exported() {
    let mut own = export(json!({}));
    own.0["metadata"] = json!({ "namespace": "default", "name": "kubernetes" });
    let invalid =
        validate_export("east", &own, Some(&service(json!({ "clusterIP": "10.0.0.1" })))).unwrap_err();
    assert_eq!(invalid.reason(), "ServiceNotExportable");
}

#[test]
fn an_export_has_the_spec_of_service_and_export_and_not_their_metadata() {
    let service = service(json!({ "clusterIP": "10.0.0.7", "sessionAffinity": "ClientIP",
        "sessionAffinityConfig": { "clientIP": { "timeoutSeconds": 10 } },
        "internalTrafficPolicy": "Cluster", "trafficDistribution": "PreferClose", "ipFamilies": ["IPv6", "IPv4"],
        "ports": [{ "name": "http", "port": 80, "appProtocol": "http", "targetPort": "web" },
                  { "name": "dns", "port": 53, "protocol": "UDP", "nodePort": 30053 }] }));
    let export =
        export(json!({ "exportedLabels": { "team": "a" }, "exportedAnnotations": { "note": "b c" } }));
    let export = validate_export("east", &export, Some(&service)).unwrap();
    let port = |name: &str, protocol: &str, app_protocol: Option<&str>, port| ServicePort {
        name: name.to_owned(),
        protocol: protocol.to_owned(),
        app_protocol: app_protocol.map(str::to_owned),
        port,
    };
    let want = ValidExport {
        cluster: "east".to_owned(),
        since: "2026-01-01T00:00:00Z".to_owned(),
        kind: ServiceImportType::ClusterSetIP,
        ports: vec![port("http", "TCP", Some("http"), 80), port("dns", "UDP", None, 53)],
        session_affinity: "ClientIP".to_owned(),
        affinity_seconds: Some(10),
        internal_traffic_policy: Some("Cluster".to_owned()),
        traffic_distribution: Some("PreferClose".to_owned()),
        families: vec!["IPv6".to_owned(), "IPv4".to_owned()],
        labels: [("team".to_owned(), "a".to_owned())].into(),
        annotations: [("note".to_owned(), "b c".to_owned())].into(),
    };
    assert_eq!(export, want);
}

#[test]
fn the_timeout_of_session_affinity_has_a_default() {
    let seconds = |spec: Value| {
        validate_export("east", &export(json!({})), Some(&service(spec))).unwrap().affinity_seconds
    };
    assert_eq!(seconds(json!({ "clusterIP": "10.0.0.7", "sessionAffinity": "ClientIP" })), Some(10_800));
    assert_eq!(seconds(json!({ "clusterIP": "10.0.0.7" })), None);
}

#[test]
fn invalid_metadata_is_named() {
    let spec = json!({ "exportedLabels": { "my label": "x" } });
    let invalid = validate_export("east", &export(spec), Some(&service(json!({ "clusterIP": "10.0.0.7" }))))
        .unwrap_err();
    assert_eq!(invalid.reason(), "InvalidExportedMetadata");
    assert!(invalid.to_string().starts_with("spec.exportedLabels[\"my label\"]"), "{invalid}");
}

#[test]
fn invalid_ports_are_refused() {
    let of = |port: Value| {
        validate_export("east", &export(json!({})), Some(&service(json!({ "ports": [port] })))).is_ok()
    };
    let cases = [
        ("plain", json!({ "name": "http", "port": 80 }), true),
        ("an upper-case name", json!({ "name": "HTTP", "port": 80 }), false),
        ("number 0", json!({ "name": "http", "port": 0 }), false),
        ("a number too large", json!({ "name": "http", "port": 65_536 }), false),
        ("no number", json!({ "name": "http" }), false),
        ("another protocol", json!({ "name": "http", "port": 80, "protocol": "ICMP" }), false),
    ];
    for (name, port, want) in cases {
        assert_eq!(of(port), want, "{name}");
    }
}
