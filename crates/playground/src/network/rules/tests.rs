use serde_json::{Value, json};

use super::*;

/// `web 80/TCP` style frontends with their endpoints, one line per frontend.
fn render(rules: &ServiceRules) -> Vec<String> {
    rules
        .frontends
        .iter()
        .map(|(frontend, backend)| {
            let endpoints: Vec<String> = backend.endpoints.iter().map(|e| e.address.to_string()).collect();
            format!("{}/{} -> [{}]", frontend.address, frontend.protocol, endpoints.join(" "))
        })
        .collect()
}

fn service(spec: Value) -> Object {
    Object(json!({ "metadata": { "name": "serve", "namespace": "default" }, "spec": spec }))
}

fn slice_of(service: &str, endpoints: Value, ports: Value) -> Object {
    Object(json!({
        "metadata": { "namespace": "default", "labels": { "kubernetes.io/service-name": service } },
        "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
    }))
}

fn slice(endpoints: Value, ports: Value) -> Object {
    slice_of("serve", endpoints, ports)
}

fn ready(address: &str) -> Value {
    json!({ "addresses": [address], "conditions": { "ready": true, "serving": true, "terminating": false } })
}

fn with_conditions(address: &str, ready: bool, serving: bool, terminating: bool) -> Value {
    json!({ "addresses": [address],
            "conditions": { "ready": ready, "serving": serving, "terminating": terminating } })
}

/// The rules of objects that can be read.
fn rules_of<'a>(
    service: &Object,
    slices: impl IntoIterator<Item = &'a Object>,
    nodes: &[IpAddr],
) -> ServiceRules {
    let (rules, errors) = service_rules(service, slices, nodes);
    assert_eq!(errors, []);
    rules
}

fn plain_service() -> Object {
    service(json!({ "clusterIP": "10.13.0.9", "clusterIPs": ["10.13.0.9"], "ports": [{ "port": 80 }] }))
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn frontends_and_their_endpoints() {
    struct Case {
        name: &'static str,
        service: Object,
        slices: Vec<Object>,
        want: &'static [&'static str],
    }
    let unnamed = || json!([{ "name": "", "port": 8080, "protocol": "TCP" }]);
    let cases = [
        Case {
            name: "a slice without a port name serves the unnamed port, whatever its number",
            service: plain_service(),
            slices: vec![slice(json!([ready("10.10.0.5")]), unnamed())],
            want: &["10.13.0.9:80/TCP -> [10.10.0.5:8080]"],
        },
        Case {
            name: "two slices are joined, an address in both counts once",
            service: plain_service(),
            slices: vec![
                slice(json!([ready("10.10.0.6"), ready("10.10.0.5")]), unnamed()),
                slice(json!([ready("10.10.0.5")]), unnamed()),
            ],
            want: &["10.13.0.9:80/TCP -> [10.10.0.5:8080 10.10.0.6:8080]"],
        },
        Case {
            name: "ports are matched by name and protocol",
            service: service(json!({ "clusterIP": "10.13.0.9", "ports": [
                { "name": "web", "port": 80 }, { "name": "dns", "port": 53, "protocol": "UDP" },
                { "name": "dns-tcp", "port": 53, "protocol": "TCP" }] })),
            slices: vec![slice(
                json!([ready("10.10.0.5")]),
                json!([{ "name": "dns", "port": 5353, "protocol": "UDP" },
                       { "name": "dns-tcp", "port": 5354, "protocol": "TCP" },
                       { "name": "web", "port": 8080, "protocol": "UDP" }]),
            )],
            want: &[
                "10.13.0.9:53/TCP -> [10.10.0.5:5354]",
                "10.13.0.9:53/UDP -> [10.10.0.5:5353]",
                "10.13.0.9:80/TCP -> []",
            ],
        },
        Case {
            name: "endpoints that are not ready get nothing",
            service: plain_service(),
            slices: vec![slice(
                json!([with_conditions("10.10.0.5", false, false, false), ready("10.10.0.6")]),
                unnamed(),
            )],
            want: &["10.13.0.9:80/TCP -> [10.10.0.6:8080]"],
        },
        Case {
            name: "without ready endpoints, those that serve while they terminate are used",
            service: plain_service(),
            slices: vec![slice(
                json!([
                    with_conditions("10.10.0.5", false, true, true),
                    with_conditions("10.10.0.6", false, false, true)
                ]),
                unnamed(),
            )],
            want: &["10.13.0.9:80/TCP -> [10.10.0.5:8080]"],
        },
        Case {
            name: "unset conditions mean ready",
            service: plain_service(),
            slices: vec![slice(json!([{ "addresses": ["10.10.0.5"] }]), unnamed())],
            want: &["10.13.0.9:80/TCP -> [10.10.0.5:8080]"],
        },
        Case {
            name: "slices of other services and other families are not ours",
            service: plain_service(),
            slices: vec![
                slice_of("other", json!([ready("10.10.0.5")]), unnamed()),
                slice(json!([ready("fd00::5")]), unnamed()),
            ],
            want: &["10.13.0.9:80/TCP -> []"],
        },
        Case {
            name: "a slice without ports or endpoints is harmless",
            service: plain_service(),
            slices: vec![slice(json!([ready("10.10.0.5")]), Value::Null), slice(Value::Null, unnamed())],
            want: &["10.13.0.9:80/TCP -> []"],
        },
        Case {
            name: "headless services have no frontend",
            service: service(
                json!({ "clusterIP": "None", "clusterIPs": ["None"], "ports": [{ "port": 80 }] }),
            ),
            slices: vec![slice(json!([ready("10.10.0.5")]), unnamed())],
            want: &[],
        },
        Case {
            name: "external names have no frontend",
            service: service(json!({ "type": "ExternalName", "externalName": "example.com" })),
            slices: vec![],
            want: &[],
        },
        Case {
            name: "external, balancer and node addresses lead to the same endpoints",
            service: Object(json!({
                "metadata": { "name": "serve", "namespace": "default" },
                "spec": { "clusterIP": "10.13.0.9", "externalIPs": ["198.51.100.7"],
                          "ports": [{ "port": 80, "nodePort": 30080 }] },
                "status": { "loadBalancer": { "ingress": [
                    { "ip": "203.0.113.9", "ipMode": "VIP" }, { "ip": "203.0.113.10", "ipMode": "Proxy" },
                    { "hostname": "balancer.example" }] } },
            })),
            slices: vec![slice(json!([ready("10.10.0.5")]), unnamed())],
            want: &[
                "10.13.0.9:80/TCP -> [10.10.0.5:8080]",
                "172.18.0.2:30080/TCP -> [10.10.0.5:8080]",
                "198.51.100.7:80/TCP -> [10.10.0.5:8080]",
                "203.0.113.9:80/TCP -> [10.10.0.5:8080]",
            ],
        },
        Case {
            name: "SCTP is another protocol",
            service: service(
                json!({ "clusterIP": "10.13.0.9", "ports": [{ "port": 80, "protocol": "SCTP" }] }),
            ),
            slices: vec![],
            want: &["10.13.0.9:80/SCTP -> []"],
        },
        Case {
            name: "a service of another proxy is left to it",
            service: Object(json!({
                "metadata": { "name": "serve", "namespace": "default",
                              "labels": { "service.kubernetes.io/service-proxy-name": "mesh" } },
                "spec": { "clusterIP": "10.13.0.9", "ports": [{ "port": 80 }] },
            })),
            slices: vec![],
            want: &[],
        },
    ];
    for case in cases {
        let rules = rules_of(&case.service, &case.slices, &["172.18.0.2".parse().expect("address")]);
        assert_eq!(render(&rules), case.want, "{}", case.name);
    }
}

#[test]
fn affinity_and_node_locality_come_from_the_spec() {
    struct Case {
        name: &'static str,
        spec: Value,
        want: (Option<u64>, bool),
    }
    let cases = [
        Case { name: "neither", spec: json!({ "sessionAffinity": "None" }), want: (None, false) },
        Case {
            name: "affinity with its default",
            spec: json!({ "sessionAffinity": "ClientIP" }),
            want: (Some(10_800), false),
        },
        Case {
            name: "affinity with a timeout",
            spec: json!({ "sessionAffinity": "ClientIP",
                          "sessionAffinityConfig": { "clientIP": { "timeoutSeconds": 10 } } }),
            want: (Some(10), false),
        },
        Case { name: "local traffic", spec: json!({ "internalTrafficPolicy": "Local" }), want: (None, true) },
    ];
    for mut case in cases {
        case.spec["clusterIP"] = json!("10.13.0.9");
        case.spec["ports"] = json!([{ "port": 80 }]);
        let rules = rules_of(&service(case.spec), [], &[]);
        let backend = rules.frontends.values().next().expect("one frontend");
        let got = (backend.affinity.map(|timeout| timeout.as_secs()), backend.same_node);
        assert_eq!(got, case.want, "{}", case.name);
    }
}

#[test]
fn unreadable_objects_are_named_and_left_out() {
    let odd = slice(json!("none"), json!([{ "port": 8080 }]));
    let good = slice(json!([ready("10.10.0.5")]), json!([{ "port": 8080 }]));
    let (rules, errors) = service_rules(&plain_service(), [&odd, &good], &[]);
    assert_eq!(render(&rules), ["10.13.0.9:80/TCP -> [10.10.0.5:8080]"]);
    let [error] = &errors[..] else { panic!("{errors:?}") };
    assert!(
        error.to_string().contains("EndpointSlice") && error.to_string().contains("endpoints"),
        "{error}"
    );
    let (rules, errors) = service_rules(&service(json!({ "ports": 1 })), [], &[]);
    assert_eq!((rules, errors.len()), (ServiceRules::default(), 1));
}
