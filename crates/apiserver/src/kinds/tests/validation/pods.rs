use super::*;

fn pod(spec: Value) -> Value {
    let mut spec = spec;
    if spec.get("containers").is_none() {
        spec["containers"] = json!([{ "name": "c", "image": "i" }]);
    }
    json!({ "spec": spec })
}

fn with(container: Value) -> Value {
    let mut whole = json!({ "name": "c", "image": "i" });
    whole.as_object_mut().unwrap().extend(container.as_object().unwrap().clone());
    json!({ "spec": { "containers": [whole] } })
}

#[test]
fn specs() {
    let cases = [
        ("fine", json!({}), ""),
        ("no containers", json!({ "containers": [] }), "spec.containers: Required value"),
        ("no image", json!({ "containers": [{ "name": "c" }] }), "spec.containers[0].image: Required value"),
        (
            "the same name twice",
            json!({ "containers": [{ "name": "c", "image": "i" }, { "name": "c", "image": "i" }] }),
            r#"spec.containers[1].name: Duplicate value: "c""#,
        ),
        (
            "a field of another kind",
            json!({ "containers": [{ "name": "c", "image": "i", "env": [{ "name": "A", "valueFrom": { "fieldRef": { "fieldPath": "spec.foo" } } }] }] }),
            "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: \"spec.foo\": error converting fieldPath: field label not supported: spec.foo",
        ),
        (
            "a label as environment",
            json!({ "containers": [{ "name": "c", "image": "i", "env": [{ "name": "A", "valueFrom": { "fieldRef": { "fieldPath": "metadata.labels['a.b/c']" } } }] }] }),
            "",
        ),
        (
            "a negative limit of a volume",
            json!({ "volumes": [{ "name": "v", "emptyDir": { "sizeLimit": "-1" } }] }),
            "spec.volumes[0].emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity",
        ),
        (
            "restart policy",
            json!({ "restartPolicy": "Sometimes" }),
            r#"spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never""#,
        ),
        (
            "toleration without a key",
            json!({ "tolerations": [{ "operator": "Equal" }] }),
            "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
        ),
        (
            "volume twice",
            json!({ "volumes": [{ "name": "v" }, { "name": "v" }] }),
            r#"spec.volumes[1].name: Duplicate value: "v""#,
        ),
        (
            "two sources",
            json!({ "volumes": [{ "name": "v", "emptyDir": {}, "hostPath": { "path": "/" } }] }),
            "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type",
        ),
        (
            "deadline",
            json!({ "activeDeadlineSeconds": 0 }),
            "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive",
        ),
        (
            "name servers",
            json!({ "dnsPolicy": "None" }),
            "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None",
        ),
    ];
    for (name, spec, want) in cases {
        assert_eq!(errors("v1", "Pod", pod(spec)), want, "{name}");
    }
}

#[test]
fn containers() {
    let cases = [
        (
            "more than the limit",
            json!({ "resources": { "requests": { "cpu": "2" }, "limits": { "cpu": "1" } } }),
            r#"spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1"#,
        ),
        (
            "unknown resource",
            json!({ "resources": { "requests": { "gpu": "1" } } }),
            "spec.containers[0].resources.requests[gpu]: Invalid value: \"gpu\": must be a standard resource type or fully qualified\nspec.containers[0].resources.requests[gpu]: Invalid value: \"gpu\": must be a standard resource for containers",
        ),
        (
            "part of a device",
            json!({ "resources": { "limits": { "a.com/gpu": "500m" }, "requests": { "a.com/gpu": "500m" } } }),
            "spec.containers[0].resources.limits[a.com/gpu]: Invalid value: \"500m\": must be an integer\nspec.containers[0].resources.requests[a.com/gpu]: Invalid value: \"500m\": must be an integer",
        ),
        (
            "port",
            json!({ "ports": [{ "containerPort": 0 }, { "containerPort": 1, "name": "a_b" }] }),
            "spec.containers[0].ports[0].containerPort: Required value\nspec.containers[0].ports[1].name: Invalid value: \"a_b\": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
        ),
        (
            "host port twice",
            json!({ "ports": [{ "containerPort": 1, "hostPort": 80 }, { "containerPort": 2, "hostPort": 80 }] }),
            r#"spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//80""#,
        ),
        (
            "mount of nothing",
            json!({ "volumeMounts": [{ "name": "v", "mountPath": "/a" }] }),
            r#"spec.containers[0].volumeMounts[0].name: Not found: "v""#,
        ),
        (
            "environment",
            json!({ "env": [{ "name": "", "value": "x" }, { "name": "A", "value": "x", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }] }),
            "spec.containers[0].env[0].name: Required value\nspec.containers[0].env[1].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty",
        ),
        (
            "probe of nothing",
            json!({ "livenessProbe": {} }),
            "spec.containers[0].livenessProbe: Required value: must specify a handler type",
        ),
        (
            "probe twice",
            json!({ "readinessProbe": { "exec": { "command": ["a"] }, "tcpSocket": { "port": 1 } } }),
            "spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
        ),
        ("name", json!({ "name": "A" }), &format!("spec.containers[0].name: Invalid value: \"A\": {LABEL}")),
    ];
    for (name, container, want) in cases {
        assert_eq!(errors("v1", "Pod", with(container)), want, "{name}");
    }
    let first = json!({ "containers": [{ "name": "c", "image": "i" }], "initContainers": [{ "name": "c", "image": "i", "livenessProbe": { "exec": { "command": ["a"] } } }] });
    assert_eq!(
        errors("v1", "Pod", pod(first)),
        "spec.initContainers[0].name: Duplicate value: \"c\"\nspec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"
    );
}

#[test]
fn running_pods() {
    let image = |image: &str| pod(json!({ "containers": [{ "name": "c", "image": image }] }));
    assert_eq!(changed("v1", "Pod", image("a:1"), image("a:2")), "", "an image may change");
    let mut longer = image("a:1");
    longer["spec"]["tolerations"] = json!([{ "key": "k", "operator": "Exists" }]);
    assert_eq!(changed("v1", "Pod", image("a:1"), longer.clone()), "", "tolerations may grow");
    assert_eq!(
        changed("v1", "Pod", longer, image("a:1")),
        "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"
    );
    let lasting = |seconds: u32| {
        let mut pod = image("a:1");
        pod["spec"]["tolerations"] = json!([{ "key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds }]);
        pod
    };
    assert_eq!(changed("v1", "Pod", lasting(1), lasting(2)), "", "the seconds of a toleration may change");
    let mut moved = image("a:1");
    moved["spec"]["nodeName"] = json!("n");
    let refusal = changed("v1", "Pod", image("a:1"), moved);
    assert!(refusal.starts_with("spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"), "{refusal}");
    let two = pod(json!({ "containers": [{ "name": "c", "image": "i" }, { "name": "d", "image": "i" }] }));
    assert_eq!(
        changed("v1", "Pod", pod(json!({})), two),
        "spec.containers: Forbidden: pod updates may not add or remove containers"
    );
}
