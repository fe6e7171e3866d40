use serde_json::{Value, json};

use super::*;
use crate::dns::import::tests::render;

fn service(spec: Value) -> Object {
    Object(
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}, "spec": spec}),
    )
}

fn slice(family: &str, endpoints: Value) -> Object {
    Object(json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": family,
        "metadata": {"name": "web-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}], "endpoints": endpoints}))
}

#[test]
fn services() {
    let cases: Vec<(&str, Object, Vec<Object>, Vec<&str>)> = vec![
        (
            "with addresses; pods behind it have no names",
            service(json!({"clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1", "fd96::1"], "ports": [
                {"name": "http", "port": 80, "protocol": "TCP"}]})),
            vec![slice("IPv4", json!([{"addresses": ["10.0.0.1"]}]))],
            vec![
                "@ A 10.96.0.1",
                "@ AAAA fd96::1",
                "@ SRV 0 100 80 @",
                "_http._tcp SRV 0 100 80 @",
                "10.96.0.1 PTR @",
                "fd96::1 PTR @",
            ],
        ),
        (
            "an old one without clusterIPs, and an unnamed port",
            service(json!({"clusterIP": "10.96.0.1", "ports": [{"port": 80, "protocol": "TCP"}]})),
            vec![],
            vec!["@ A 10.96.0.1", "@ SRV 0 100 80 @", "10.96.0.1 PTR @"],
        ),
        (
            "headless with and without host names",
            service(json!({"clusterIP": "None", "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]})),
            vec![slice(
                "IPv4",
                json!([
                {"addresses": ["10.0.0.1"], "hostname": "web-0", "conditions": {"ready": true}},
                {"addresses": ["10.0.0.2"], "conditions": {"ready": true}},
                {"addresses": ["10.0.0.3"], "hostname": "web-2", "conditions": {"ready": false}}]),
            )],
            vec![
                "@ A 10.0.0.1",
                "@ A 10.0.0.2",
                "@ SRV 0 50 8080 10-0-0-2",
                "@ SRV 0 50 8080 web-0",
                "10-0-0-2 A 10.0.0.2",
                "_http._tcp SRV 0 50 8080 10-0-0-2",
                "_http._tcp SRV 0 50 8080 web-0",
                "web-0 A 10.0.0.1",
                "10.0.0.1 PTR web-0",
                "10.0.0.2 PTR 10-0-0-2",
            ],
        ),
        ("headless without ready endpoints", service(json!({"clusterIP": "None"})), vec![], vec![]),
        ("not assigned yet", service(json!({"ports": [{"port": 80}]})), vec![], vec![]),
        (
            "an external name",
            service(json!({"type": "ExternalName", "externalName": "_db.Example.com."})),
            vec![],
            vec!["@ CNAME _db.example.com."],
        ),
        (
            "an invalid external name",
            service(json!({"type": "ExternalName", "externalName": "not a name"})),
            vec![],
            vec!["problem: external name \"not a name\" is not a DNS name"],
        ),
    ];
    for (name, service, slices, want) in cases {
        let slices: Vec<&Object> = slices.iter().collect();
        assert_eq!(render(&records(&service, &slices, "cluster.local")), want, "{name}");
    }
}
