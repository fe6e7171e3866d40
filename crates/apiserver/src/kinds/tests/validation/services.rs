use super::*;

fn service(spec: Value) -> String {
    errors("v1", "Service", json!({ "spec": spec }))
}

#[test]
fn new_services() {
    let cases = [
        ("plain", json!({ "ports": [{ "port": 80 }] }), ""),
        ("no ports", json!({}), "spec.ports: Required value"),
        ("headless without ports", json!({ "clusterIP": "None", "clusterIPs": ["None"] }), ""),
        (
            "two unnamed ports",
            json!({ "ports": [{ "port": 80 }, { "port": 81 }] }),
            "spec.ports[0].name: Required value\nspec.ports[1].name: Required value",
        ),
        (
            "the same name twice",
            json!({ "ports": [{ "port": 80, "name": "a" }, { "port": 81, "name": "a" }] }),
            r#"spec.ports[1].name: Duplicate value: "a""#,
        ),
        (
            "the same port twice",
            json!({ "ports": [{ "port": 80, "name": "a" }, { "port": 80, "name": "b" }] }),
            r#"spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}"#,
        ),
        (
            "port out of range",
            json!({ "ports": [{ "port": 70000 }] }),
            "spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive\nspec.ports[0].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
        ),
        (
            "protocol",
            json!({ "ports": [{ "port": 80, "protocol": "FOO" }] }),
            r#"spec.ports[0].protocol: Unsupported value: "FOO": supported values: "SCTP", "TCP", "UDP""#,
        ),
        (
            "target port name",
            json!({ "ports": [{ "port": 80, "targetPort": "a_b" }] }),
            r#"spec.ports[0].targetPort: Invalid value: "a_b": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"#,
        ),
        (
            "node port inside the cluster",
            json!({ "ports": [{ "port": 80, "nodePort": 30000 }] }),
            "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
        ),
        ("name without a name", json!({ "type": "ExternalName" }), "spec.externalName: Required value"),
        (
            "type",
            json!({ "type": "Foo", "ports": [{ "port": 80 }], "internalTrafficPolicy": "Cluster" }),
            r#"spec.type: Unsupported value: "Foo": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort""#,
        ),
        (
            "external policy inside the cluster",
            json!({ "ports": [{ "port": 80 }], "externalTrafficPolicy": "Local" }),
            r#"spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services"#,
        ),
        (
            "addresses disagree",
            json!({ "ports": [{ "port": 80 }], "clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.2"] }),
            r#"spec.clusterIPs: Invalid value: ["10.96.0.2"]: first value must match `clusterIP`"#,
        ),
        (
            "not an address",
            json!({ "ports": [{ "port": 80 }], "clusterIP": "x", "clusterIPs": ["x"] }),
            r#"spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"#,
        ),
    ];
    for (name, spec, want) in cases {
        assert_eq!(service(spec), want, "{name}");
    }
}

#[test]
fn changed_services() {
    let with = |address: &str| json!({ "spec": { "ports": [{ "port": 80 }], "clusterIP": address, "clusterIPs": [address], "ipFamilies": ["IPv4"] } });
    assert_eq!(
        changed("v1", "Service", with("10.96.0.9"), with("10.96.77.77")),
        r#"spec.clusterIPs[0]: Invalid value: ["10.96.77.77"]: may not change once set"#
    );
    let name = json!({ "spec": { "type": "ExternalName", "externalName": "a.b" } });
    assert_eq!(changed("v1", "Service", with("10.96.0.9"), name), "");
}

#[test]
fn endpoint_slices() {
    let slice = |extra: Value| {
        let mut slice = json!({ "addressType": "IPv4", "endpoints": [{ "addresses": ["10.0.0.1"] }], "ports": [{ "port": 80 }] });
        slice.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        slice
    };
    let many: Vec<Value> = (0..1001).map(|_| json!({ "addresses": ["10.0.0.1"] })).collect();
    let cases = [
        ("fine", json!({}), ""),
        ("no family", json!({ "addressType": "" }), "addressType: Required value"),
        (
            "no address",
            json!({ "endpoints": [{ "addresses": [] }] }),
            "endpoints[0].addresses: Required value: must contain at least 1 address",
        ),
        (
            "loopback",
            json!({ "endpoints": [{ "addresses": ["127.0.0.1"] }] }),
            r#"endpoints[0].addresses[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)"#,
        ),
        (
            "another family",
            json!({ "endpoints": [{ "addresses": ["fd00::1"] }] }),
            r#"endpoints[0].addresses: Invalid value: "fd00::1": must be an IPv4 address"#,
        ),
        ("too many", json!({ "endpoints": many }), "endpoints: Too many: 1001: must have at most 1000 items"),
        (
            "the same port name",
            json!({ "ports": [{ "port": 1 }, { "port": 2 }] }),
            r#"ports[1].name: Duplicate value: """#,
        ),
    ];
    for (name, extra, want) in cases {
        assert_eq!(errors("discovery.k8s.io/v1", "EndpointSlice", slice(extra)), want, "{name}");
    }
    assert_eq!(
        changed(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            slice(json!({})),
            slice(json!({ "addressType": "FQDN" }))
        ),
        r#"addressType: Invalid value: "FQDN": field is immutable"#
    );
}

#[test]
fn endpoints() {
    let cases = [
        ("fine", json!({ "addresses": [{ "ip": "10.0.0.1" }], "ports": [{ "port": 80 }] }), ""),
        ("empty", json!({}), "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"),
        (
            "link-local",
            json!({ "addresses": [{ "ip": "169.254.1.1" }] }),
            r#"subsets[0].addresses[0].ip: Invalid value: "169.254.1.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)"#,
        ),
    ];
    for (name, subset, want) in cases {
        assert_eq!(errors("v1", "Endpoints", json!({ "subsets": [subset] })), want, "{name}");
    }
}

#[test]
fn ingresses() {
    let backend = json!({ "service": { "name": "s", "port": { "number": 80 } } });
    let path = |path: Value| json!({ "rules": [{ "http": { "paths": [path] } }] });
    let cases = [
        ("fine", path(json!({ "path": "/", "pathType": "Prefix", "backend": backend })), ""),
        (
            "nothing",
            json!({}),
            "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified",
        ),
        (
            "no path type",
            path(json!({ "path": "/", "backend": backend })),
            "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified",
        ),
        (
            "relative",
            path(json!({ "path": "a", "pathType": "Exact", "backend": backend })),
            r#"spec.rules[0].http.paths[0].path: Invalid value: "a": must be an absolute path"#,
        ),
        (
            "no backend",
            path(json!({ "path": "/", "pathType": "Exact" })),
            r#"spec.rules[0].http.paths[0].backend: Invalid value: "": resource or service backend is required"#,
        ),
    ];
    for (name, spec, want) in cases {
        assert_eq!(errors("networking.k8s.io/v1", "Ingress", json!({ "spec": spec })), want, "{name}");
    }
    let host = json!({ "rules": [{ "host": "A" }] });
    assert_eq!(
        errors("networking.k8s.io/v1", "Ingress", json!({ "spec": host })),
        format!("spec.rules[0].host: Invalid value: \"A\": {SUBDOMAIN}")
    );
}

#[test]
fn network_policies() {
    let from = |peer: Value| json!({ "spec": { "podSelector": {}, "ingress": [{ "from": [peer] }] } });
    let cases = [
        ("fine", from(json!({ "ipBlock": { "cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"] } })), ""),
        ("no peer", from(json!({})), "spec.ingress[0].from[0]: Required value: must specify a peer"),
        (
            "outside",
            from(json!({ "ipBlock": { "cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"] } })),
            r#"spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`"#,
        ),
        (
            "both",
            from(json!({ "podSelector": {}, "ipBlock": { "cidr": "10.0.0.0/8" } })),
            "spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer",
        ),
    ];
    for (name, policy, want) in cases {
        assert_eq!(errors("networking.k8s.io/v1", "NetworkPolicy", policy), want, "{name}");
    }
}
