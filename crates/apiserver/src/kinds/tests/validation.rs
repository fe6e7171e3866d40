use portolan_object::{FieldError, Interrupt};
use serde_json::{Value, json};

use crate::kinds::{self, BuiltinKind, NameRule, Strategy as _};
use crate::validation::names;

mod pods;
mod services;
mod workloads;

fn kind_of(api_version: &str, kind: &str) -> &'static BuiltinKind {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    kinds::find_kind(group, version, kind).unwrap()
}

/// The object with a name, a namespace where it needs one, and its defaults.
fn completed(api_version: &str, kind: &str, mut object: Value) -> Value {
    let definition = kind_of(api_version, kind);
    object["apiVersion"] = json!(api_version);
    object["kind"] = json!(kind);
    if object.pointer("/metadata/name").is_none() {
        object["metadata"]["name"] = json!("x");
    }
    if definition.resource.namespaced && object.pointer("/metadata/namespace").is_none() {
        object["metadata"]["namespace"] = json!("n");
    }
    definition.apply_defaults(&mut object);
    object
}

/// FieldErrors of a new object, one on a line.
fn errors(api_version: &str, kind: &str, object: Value) -> String {
    let object = completed(api_version, kind, object);
    lines(kind_of(api_version, kind).validate_create(&object, &Interrupt::never()).errors)
}

/// FieldErrors of a change.
fn changed(api_version: &str, kind: &str, old: Value, new: Value) -> String {
    let [new, old] = [new, old].map(|object| completed(api_version, kind, object));
    lines(kind_of(api_version, kind).validate_update(&new, &old, &Interrupt::never()).errors)
}

fn lines(errors: Vec<FieldError>) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN: &str = r"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

#[test]
fn names_follow_their_rule() {
    let long = "a".repeat(254);
    let cases = [
        (NameRule::Subdomain, "a.b-c", String::new()),
        (NameRule::Subdomain, "A", SUBDOMAIN.to_owned()),
        (NameRule::Subdomain, long.as_str(), "must be no more than 253 characters".to_owned()),
        (NameRule::Label, "1a", String::new()),
        (NameRule::Label, "a.b", "must not contain dots".to_owned()),
        (NameRule::Label, "-a", LABEL.to_owned()),
        (NameRule::Label, &long[..64], "must be no more than 63 characters".to_owned()),
        (NameRule::PathSegment, "system:A b", String::new()),
        (NameRule::PathSegment, "a/b%", "may not contain '/'\nmay not contain '%'".to_owned()),
        (NameRule::PathSegment, "..", "may not be '..'".to_owned()),
        (NameRule::ShortSubdomain(52), &long[..53], "must be no more than 52 characters".to_owned()),
        (NameRule::Address, "fd00:0::1", r#"must be in canonical form ("fd00::1")"#.to_owned()),
    ];
    for (rule, name, want) in cases {
        assert_eq!(names::by_rule(rule, name).join("\n"), want, "{rule:?} {name}");
    }
}

#[test]
fn metadata_of_new_objects() {
    let owner = |controller: bool| json!({ "apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u", "controller": controller });
    let cases = [
        (
            "fine",
            json!({ "name": "a", "namespace": "n", "labels": { "a.b/c": "d" }, "finalizers": ["a.b/c"] }),
            "",
        ),
        (
            "nameless",
            json!({ "namespace": "n" }),
            "metadata.name: Required value: name or generateName is required",
        ),
        ("no namespace", json!({ "name": "a" }), "metadata.namespace: Required value"),
        ("prefix ending in a dash", json!({ "name": "a-x", "generateName": "a-", "namespace": "n" }), ""),
        (
            "bare finalizer",
            json!({ "name": "a", "namespace": "n", "finalizers": ["mine"] }),
            r#"metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified"#,
        ),
        (
            "owner without identity",
            json!({ "name": "a", "namespace": "n", "ownerReferences": [{ "apiVersion": "v1", "kind": "Pod", "name": "p" }] }),
            r#"metadata.ownerReferences.uid: Invalid value: "": must not be empty"#,
        ),
        (
            "one controller",
            json!({ "name": "a", "namespace": "n", "ownerReferences": [owner(true), owner(false)] }),
            "",
        ),
    ];
    for (name, metadata, want) in cases {
        let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata });
        assert_eq!(
            lines(kind_of("v1", "ConfigMap").validate_create(&object, &Interrupt::never()).errors),
            want,
            "{name}"
        );
    }
    let two = json!({ "metadata": { "ownerReferences": [owner(true), owner(true)] } });
    assert!(
        errors("v1", "ConfigMap", two.clone())
            .contains(r#"[{"apiVersion":"v1","kind":"Pod","name":"p","uid":"u","controller":true},"#)
    );
    assert!(errors("v1", "ConfigMap", two).contains(r#"Only one reference can have Controller set to true. Found "true" in references for Pod/p and Pod/p"#));
    let placed = json!({ "metadata": { "namespace": "n" } });
    assert_eq!(errors("v1", "Node", placed), "metadata.namespace: Forbidden: not allowed on this type");
    let bad = json!({ "metadata": { "labels": { "a b": "c d" } } });
    assert_eq!(errors("v1", "ConfigMap", bad).lines().count(), 2, "key and value");
    let large = json!({ "metadata": { "annotations": { "a": "x".repeat(262_144) } } });
    assert_eq!(
        errors("v1", "ConfigMap", large),
        "metadata.annotations: Too long: may not be more than 262144 bytes"
    );
}

#[test]
fn metadata_that_may_not_change() {
    let deleting = |finalizers: Value| json!({ "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": finalizers } });
    assert_eq!(
        changed("v1", "ConfigMap", deleting(json!(["a.b/c"])), deleting(json!(["a.b/c", "a.b/d"]))),
        r#"metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"a.b/d"}"#
    );
    assert_eq!(changed("v1", "ConfigMap", deleting(json!(["a.b/c"])), deleting(json!([]))), "");
    assert_eq!(
        changed(
            "v1",
            "ConfigMap",
            json!({ "metadata": { "uid": "1" } }),
            json!({ "metadata": { "uid": "2" } })
        ),
        r#"metadata.uid: Invalid value: "2": field is immutable"#
    );
}

#[test]
fn configuration() {
    let cases = [
        ("v1", "ConfigMap", json!({ "data": { "a.b": "c" } }), ""),
        (
            "v1",
            "ConfigMap",
            json!({ "data": { "bad key": "c" } }),
            "data[bad key]: Invalid value: \"bad key\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
        ),
        (
            "v1",
            "ConfigMap",
            json!({ "data": { "a": "x".repeat(1_048_577) } }),
            "[]: Too long: may not be more than 1048576 bytes",
        ),
        (
            "v1",
            "Secret",
            json!({ "type": "kubernetes.io/tls", "data": { "tls.key": "" } }),
            "data[tls.crt]: Required value",
        ),
        (
            "v1",
            "Secret",
            json!({ "type": "kubernetes.io/dockerconfigjson", "data": { ".dockerconfigjson": "eA==" } }),
            "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": invalid JSON object",
        ),
        ("v1", "Secret", json!({ "stringData": { "a": "b" } }), ""),
        (
            "coordination.k8s.io/v1",
            "Lease",
            json!({ "spec": { "leaseDurationSeconds": 0 } }),
            "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
        ),
        (
            "v1",
            "ResourceQuota",
            json!({ "spec": { "hard": { "pods": "1500m", "foo": "1" }, "scopes": ["Odd"] } }),
            "spec.hard[foo]: Invalid value: \"foo\": must be a standard resource type or fully qualified\nspec.hard[foo]: Invalid value: \"foo\": must be a standard resource for quota\nspec.hard[pods]: Invalid value: \"1500m\": must be an integer\nspec.scopes: Invalid value: [\"Odd\"]: unsupported scope",
        ),
        (
            "v1",
            "ResourceQuota",
            json!({ "spec": { "hard": { "cpu": "1" }, "scopes": ["BestEffort"] } }),
            r#"spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource"#,
        ),
        ("node.k8s.io/v1", "RuntimeClass", json!({}), "handler: Required value"),
        (
            "policy/v1",
            "PodDisruptionBudget",
            json!({ "spec": { "minAvailable": 1, "maxUnavailable": 1 } }),
            r#"spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":1,"UnhealthyPodEvictionPolicy":null}: minAvailable and maxUnavailable cannot be both set"#,
        ),
    ];
    for (api_version, kind, object, want) in cases {
        assert_eq!(errors(api_version, kind, object), want, "{kind}");
    }
    let frozen = json!({ "immutable": true, "data": { "a": "b" } });
    assert_eq!(
        changed("v1", "ConfigMap", frozen.clone(), json!({ "data": { "a": "c" } })),
        "immutable: Forbidden: field is immutable when `immutable` is set\ndata: Forbidden: field is immutable when `immutable` is set"
    );
    assert_eq!(changed("v1", "ConfigMap", frozen.clone(), frozen), "");
    assert_eq!(
        changed("v1", "Secret", json!({}), json!({ "type": "other" })),
        r#"type: Invalid value: "other": field is immutable"#
    );
}

#[test]
fn roles_and_bindings() {
    const RBAC: &str = "rbac.authorization.k8s.io/v1";
    let cases = [
        ("Role", json!({ "rules": [{ "verbs": ["get"], "resources": ["pods"], "apiGroups": [""] }] }), ""),
        (
            "Role",
            json!({ "rules": [{ "verbs": ["get"], "resources": ["pods"] }] }),
            "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
        ),
        (
            "Role",
            json!({ "rules": [{ "verbs": ["get"], "nonResourceURLs": ["/x"] }] }),
            r#"rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs"#,
        ),
        (
            "ClusterRole",
            json!({ "rules": [{ "nonResourceURLs": ["/x"] }] }),
            "rules[0].verbs: Required value: verbs must contain at least one value",
        ),
        (
            "ClusterRoleBinding",
            json!({ "roleRef": { "kind": "Role", "name": "r" }, "subjects": [{ "kind": "ServiceAccount", "name": "s" }, { "kind": "Robot", "name": "r" }] }),
            "roleRef.kind: Unsupported value: \"Role\": supported values: \"ClusterRole\"\nsubjects[0].namespace: Required value\nsubjects[1].kind: Unsupported value: \"Robot\": supported values: \"ServiceAccount\", \"User\", \"Group\"",
        ),
    ];
    for (kind, object, want) in cases {
        assert_eq!(errors(RBAC, kind, object), want, "{kind}");
    }
    let binding = |name: &str| json!({ "roleRef": { "kind": "Role", "name": name } });
    assert_eq!(
        changed(RBAC, "RoleBinding", binding("a"), binding("b")),
        r#"roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"b"}: cannot change roleRef"#
    );
}

#[test]
fn events() {
    let core = |namespace: &str| json!({ "involvedObject": { "namespace": namespace } });
    assert_eq!(errors("v1", "Event", core("n")), "");
    assert_eq!(
        errors("v1", "Event", core("m")),
        r#"involvedObject.namespace: Invalid value: "m": does not match event.namespace"#
    );
    assert_eq!(
        errors("v1", "Event", json!({ "metadata": { "namespace": "default" }, "involvedObject": {} })),
        ""
    );
    let newer = json!({ "eventTime": "2026-01-01T00:00:00.000000Z", "type": "Normal", "reason": "R", "action": "A",
        "reportingController": "a.b/c", "reportingInstance": "i", "regarding": { "namespace": "n" } });
    assert_eq!(errors("events.k8s.io/v1", "Event", newer.clone()), "");
    let mut bare = newer.clone();
    bare["eventTime"] = Value::Null;
    bare["type"] = json!("Odd");
    assert_eq!(
        errors("events.k8s.io/v1", "Event", bare),
        "eventTime: Required value\ntype: Invalid value: \"\": has invalid value: Odd"
    );
    let mut again = newer.clone();
    again["series"] = json!({ "count": 1 });
    again["note"] = json!("other");
    assert_eq!(
        changed("events.k8s.io/v1", "Event", newer, again),
        "series.count: Invalid value: \"\": should be at least 2\nseries.lastObservedTime: Required value\nmessage: Invalid value: \"other\": field is immutable"
    );
}

#[test]
fn nodes_namespaces_and_refusals() {
    let tainted = json!({ "spec": { "taints": [{ "key": "a", "effect": "Sometimes" }] } });
    assert_eq!(
        errors("v1", "Node", tainted),
        r#"metadata.taints[0].effect: Unsupported value: "Sometimes": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute""#
    );
    assert_eq!(
        changed(
            "v1",
            "Node",
            json!({ "spec": { "providerID": "a" } }),
            json!({ "spec": { "providerID": "b" } })
        ),
        r#"spec.providerID: Forbidden: node updates may not change providerID except from "" to valid"#
    );
    assert_eq!(
        changed("v1", "Node", json!({ "spec": {} }), json!({ "spec": { "podCIDRs": ["10.0.0.0/24"] } })),
        ""
    );
    assert_eq!(
        errors("v1", "Namespace", json!({ "metadata": { "name": "a.b" } })),
        r#"metadata.name: Invalid value: "a.b": must not contain dots"#
    );
}

#[test]
fn admission_configurations() {
    let (group, kind) = ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration");
    let webhook = |changes: Value| {
        let mut webhook = json!({ "name": "a.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": { "url": "https://example.com" },
            "rules": [{ "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"] }] });
        portolan_object::patch::merge_patch(&mut webhook, &changes).unwrap();
        json!({ "webhooks": [webhook] })
    };
    let cases = [
        (json!({}), ""),
        (
            json!({ "name": "a.b" }),
            r#"webhooks[0].name: Invalid value: "a.b": should be a domain with at least three segments separated by dots"#,
        ),
        (
            json!({ "sideEffects": "Some", "timeoutSeconds": 31 }),
            "webhooks[0].sideEffects: Unsupported value: \"Some\": supported values: \"None\", \"NoneOnDryRun\"\n\
             webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds",
        ),
        (
            json!({ "clientConfig": { "url": null } }),
            "webhooks[0].clientConfig: Required value: exactly one of url or service is required",
        ),
        (
            json!({ "admissionReviewVersions": ["v9"] }),
            r#"webhooks[0].admissionReviewVersions: Invalid value: ["v9"]: must include at least one of v1, v1beta1"#,
        ),
        (
            json!({ "rules": [{ "operations": ["*", "CREATE"], "apiGroups": ["a"], "apiVersions": ["v1"], "resources": ["*", "pods"] }] }),
            "webhooks[0].rules[0].operations: Invalid value: [\"*\",\"CREATE\"]: if '*' is present, must not specify other operations\n\
             webhooks[0].rules[0].resources: Invalid value: [\"*\",\"pods\"]: if '*' is present, must not specify other resources without subresources",
        ),
    ];
    for (changes, want) in cases {
        assert_eq!(errors(group, kind, webhook(changes.clone())), want, "{changes}");
    }
    assert_eq!(
        errors(group, "ValidatingAdmissionPolicyBinding", json!({ "spec": { "policyName": "a" } })),
        "spec.validationActions: Required value: at least one validation action is required"
    );
    let service = json!({ "metadata": { "name": "v1.metrics.k8s.io" }, "spec": { "group": "metrics.k8s.io", "version": "v1",
        "groupPriorityMinimum": 100, "versionPriority": 100, "service": { "name": "a", "namespace": "b" } } });
    assert_eq!(errors("apiregistration.k8s.io/v1", "APIService", service.clone()), "");
    let mut other = service;
    other["metadata"]["name"] = json!("other");
    assert_eq!(
        errors("apiregistration.k8s.io/v1", "APIService", other),
        r#"metadata.name: Invalid value: "other": must be `spec.version+"."+spec.group`: "v1.metrics.k8s.io""#
    );
}

#[test]
fn storage_and_scaling() {
    let claim = |spec: Value| json!({ "spec": spec });
    let good = json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } });
    assert_eq!(errors("v1", "PersistentVolumeClaim", claim(good.clone())), "");
    assert_eq!(
        errors("v1", "PersistentVolumeClaim", claim(json!({}))),
        "spec.accessModes: Required value: at least 1 access mode is required\nspec.resources[storage]: Required value"
    );
    let mut bound = good.clone();
    bound["volumeName"] = json!("v");
    assert_eq!(changed("v1", "PersistentVolumeClaim", claim(good.clone()), claim(bound.clone())), "");
    let mut larger = good.clone();
    larger["resources"]["requests"]["storage"] = json!("2Gi");
    let in_phase = |spec: &Value, phase: &str| json!({ "spec": spec, "status": { "phase": phase } });
    let grow =
        |phase| changed("v1", "PersistentVolumeClaim", in_phase(&good, phase), in_phase(&larger, phase));
    assert_eq!(grow("Bound"), "");
    assert!(grow("Pending").starts_with("spec: Forbidden: spec is immutable"), "{}", grow("Pending"));
    let mut other = bound.clone();
    other["accessModes"] = json!(["ReadOnlyMany"]);
    assert!(
        changed("v1", "PersistentVolumeClaim", claim(bound), claim(other))
            .starts_with("spec: Forbidden: spec is immutable")
    );
    assert_eq!(
        errors(
            "v1",
            "PersistentVolume",
            claim(json!({ "capacity": { "storage": "0" }, "accessModes": ["ReadWriteOnce"] }))
        ),
        "spec.capacity[storage]: Invalid value: \"0\": must be greater than zero\nspec: Required value: must specify a volume type"
    );
    assert_eq!(
        errors(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            claim(
                json!({ "minReplicas": 5, "maxReplicas": 2, "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "d" } })
            )
        ),
        "spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`"
    );
    assert_eq!(
        errors(
            "autoscaling/v1",
            "HorizontalPodAutoscaler",
            claim(
                json!({ "minReplicas": 0, "maxReplicas": 2, "scaleTargetRef": { "kind": "Deployment", "name": "d" } })
            )
        ),
        "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1\nspec.scaleTargetRef.apiVersion: Invalid value: \"\": apiVersion must specify API group\nspec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero replicas"
    );
    assert_eq!(
        errors(
            "autoscaling/v1",
            "HorizontalPodAutoscaler",
            claim(
                json!({ "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "d" } })
            )
        ),
        "spec.maxReplicas: Required value: must be set and greater than 0\nspec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`"
    );
}
