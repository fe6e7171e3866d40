use super::*;

fn rules() -> Rules {
    let role = json!({ "kind": "ClusterRole", "metadata": { "name": "r" }, "rules": [
        { "verbs": ["get"], "apiGroups": [""], "resources": ["pods"] },
        { "verbs": ["get"], "nonResourceURLs": ["/metrics"] }] });
    let binding = json!({ "kind": "ClusterRoleBinding", "metadata": { "name": "b" },
        "roleRef": { "kind": "ClusterRole", "name": "r" }, "subjects": [{ "kind": "User", "name": "alice" }] });
    Rules::build([&role, &binding])
}

fn alice() -> User {
    User::new("alice", [""; 0])
}

#[test]
fn self_subject_access_reviews() {
    let pods = json!({ "resourceAttributes": { "verb": "get", "resource": "pods", "namespace": "n" } });
    let metrics = json!({ "nonResourceAttributes": { "verb": "get", "path": "/metrics" } });
    let secrets = json!({ "resourceAttributes": { "verb": "get", "resource": "secrets" } });
    let reason = r#"RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to User "alice""#;
    let cases = [
        ("pods", pods, json!({ "allowed": true, "reason": reason })),
        ("a path", metrics, json!({ "allowed": true, "reason": reason })),
        ("secrets", secrets, json!({ "allowed": false })),
    ];
    for (name, spec, want) in cases {
        let review = json!({ "kind": "SelfSubjectAccessReview", "metadata": { "creationTimestamp": null }, "spec": spec });
        assert_eq!(self_subject_access(review, &alice(), &rules()).unwrap()["status"], want, "{name}");
        let mut asked = spec_with_user(&spec);
        assert_eq!(
            subject_access(asked.take(), &rules()).unwrap()["status"],
            want,
            "{name}, asked by another"
        );
    }
}

fn spec_with_user(spec: &Value) -> Value {
    let mut spec = spec.clone();
    spec["user"] = json!("alice");
    json!({ "kind": "SubjectAccessReview", "spec": spec })
}

#[test]
fn invalid_reviews_are_refused() {
    let pods = json!({ "verb": "get", "resource": "pods", "namespace": "m" });
    let path = json!({ "verb": "get", "path": "/" });
    let cases = [
        (
            "neither",
            json!({ "kind": "SelfSubjectAccessReview", "spec": {} }),
            r#".authorization.k8s.io "" is invalid: spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified"#,
        ),
        (
            "both",
            json!({ "kind": "SelfSubjectAccessReview", "spec": { "resourceAttributes": pods, "nonResourceAttributes": path } }),
            r#".authorization.k8s.io "" is invalid: spec.nonResourceAttributes: Invalid value: {"path":"/","verb":"get"}: cannot be specified in combination with resourceAttributes"#,
        ),
        (
            "named",
            json!({ "kind": "SelfSubjectAccessReview", "metadata": { "name": "x" }, "spec": { "resourceAttributes": pods } }),
            r#".authorization.k8s.io "" is invalid: metadata: Invalid value: {"name":"x"}: must be empty"#,
        ),
        (
            "nobody",
            json!({ "kind": "SubjectAccessReview", "spec": { "resourceAttributes": pods } }),
            r#".authorization.k8s.io "" is invalid: spec.user: Invalid value: "": at least one of user or group must be specified"#,
        ),
        (
            "another namespace",
            json!({ "kind": "LocalSubjectAccessReview", "metadata": { "namespace": "n" }, "spec": { "user": "a", "resourceAttributes": pods } }),
            r#".authorization.k8s.io "" is invalid: spec.resourceAttributes.namespace: Invalid value: "m": must match metadata.namespace"#,
        ),
    ];
    for (name, review, want) in cases {
        let got = match tree::str_at(&review, "/kind") {
            "SelfSubjectAccessReview" => self_subject_access(review, &alice(), &rules()),
            "SubjectAccessReview" => subject_access(review, &rules()),
            _ => local_subject_access(review, "n", &rules()),
        };
        let status = got.unwrap_err();
        assert_eq!((status.code, status.message.as_str()), (422, want), "{name}");
    }
}

#[test]
fn self_subject_rules_reviews() {
    let review = json!({ "spec": { "namespace": "n" } });
    let got = self_subject_rules(&review, &alice(), &rules()).unwrap();
    assert_eq!(
        got["status"],
        json!({ "incomplete": false,
            "resourceRules": [{ "verbs": ["get"], "apiGroups": [""], "resources": ["pods"] }],
            "nonResourceRules": [{ "verbs": ["get"], "nonResourceURLs": ["/metrics"] }] })
    );
    let status = self_subject_rules(&json!({}), &alice(), &rules()).unwrap_err();
    assert_eq!((status.code, status.message.as_str()), (400, "no namespace on request"));
}

#[test]
fn self_subject_reviews() {
    let now = "2026-01-01T00:00:00.7Z".parse().unwrap();
    let got = self_subject(&alice(), now).unwrap();
    assert_eq!(
        got["status"],
        json!({ "userInfo": { "username": "alice", "groups": ["system:authenticated"] } })
    );
    assert_eq!(got["metadata"]["creationTimestamp"], "2026-01-01T00:00:00Z");
    assert_eq!(self_subject(&User::anonymous(), now).unwrap_err().code, 403);
}
