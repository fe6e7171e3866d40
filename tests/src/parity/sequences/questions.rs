//! Requests that ask or act instead of storing: reviews, tokens, evictions, bindings.

use serde_json::{Value, json};

use super::{PODS, delete, get, merge, post, put, sequence};
use crate::parity::Case;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = reviews();
    cases.extend(actions());
    cases
}

fn reviews() -> Vec<Case> {
    let authorization = "/apis/authorization.k8s.io/v1";
    let authentication = "/apis/authentication.k8s.io/v1";
    let review = |kind: &str, group: &str, spec: Value| json!({ "apiVersion": format!("{group}/v1"), "kind": kind, "spec": spec });
    let access = |kind: &str, spec: Value| review(kind, "authorization.k8s.io", spec);
    let attributes = json!({ "namespace": "parity", "verb": "get", "resource": "pods" });
    sequence(
        "review",
        vec![
            (
                "own access",
                post(
                    format!("{authorization}/selfsubjectaccessreviews"),
                    access("SelfSubjectAccessReview", json!({ "resourceAttributes": attributes })),
                ),
            ),
            (
                "own access to a path",
                post(
                    format!("{authorization}/selfsubjectaccessreviews"),
                    access(
                        "SelfSubjectAccessReview",
                        json!({ "nonResourceAttributes": { "path": "/x", "verb": "get" } }),
                    ),
                ),
            ),
            (
                "own access to nothing",
                post(
                    format!("{authorization}/selfsubjectaccessreviews"),
                    access("SelfSubjectAccessReview", json!({})),
                ),
            ),
            (
                "own access to both",
                post(
                    format!("{authorization}/selfsubjectaccessreviews"),
                    access(
                        "SelfSubjectAccessReview",
                        json!({ "resourceAttributes": attributes, "nonResourceAttributes": { "path": "/x" } }),
                    ),
                ),
            ),
            (
                "access of a user",
                post(
                    format!("{authorization}/subjectaccessreviews"),
                    access(
                        "SubjectAccessReview",
                        json!({ "user": "jane", "resourceAttributes": attributes }),
                    ),
                ),
            ),
            (
                "access of nobody",
                post(
                    format!("{authorization}/subjectaccessreviews"),
                    access("SubjectAccessReview", json!({ "resourceAttributes": attributes })),
                ),
            ),
            (
                "local access",
                post(
                    format!("{authorization}/namespaces/parity/localsubjectaccessreviews"),
                    access(
                        "LocalSubjectAccessReview",
                        json!({ "user": "jane", "resourceAttributes": attributes }),
                    ),
                ),
            ),
            (
                "local access elsewhere",
                post(
                    format!("{authorization}/namespaces/parity/localsubjectaccessreviews"),
                    access(
                        "LocalSubjectAccessReview",
                        json!({ "user": "jane", "resourceAttributes": { "namespace": "other", "verb": "get" } }),
                    ),
                ),
            ),
            (
                "a token that is none",
                post(
                    format!("{authentication}/tokenreviews"),
                    review("TokenReview", "authentication.k8s.io", json!({ "token": "nonsense" })),
                ),
            ),
            (
                "an empty token",
                post(
                    format!("{authentication}/tokenreviews"),
                    review("TokenReview", "authentication.k8s.io", json!({})),
                ),
            ),
            ("reviews are not listed", get(format!("{authorization}/subjectaccessreviews"))),
        ],
    )
}

fn actions() -> Vec<Case> {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "acted", "labels": { "act": "ed" } },
        "spec": { "serviceAccountName": "default", "automountServiceAccountToken": false, "containers": [{ "name": "c", "image": "i" }] },
    });
    let eviction = |name: &str| json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": name, "namespace": "parity" } });
    let binding = |node: &str| {
        json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": { "name": "acted" }, "target": { "kind": "Node", "name": node } })
    };
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": "acted" },
        "spec": { "minAvailable": 1, "selector": { "matchLabels": { "act": "ed" } } } });
    let path = format!("{PODS}/acted");
    let tokens = "/api/v1/namespaces/parity/serviceaccounts/default/token";
    let token = |spec: Value| json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec });
    sequence(
        "action",
        vec![
            ("create a pod", post(PODS, pod)),
            ("bind it to nothing", post(format!("{path}/binding"), binding(""))),
            ("bind it", post(format!("{path}/binding"), binding("node"))),
            ("bind it again", post(format!("{path}/binding"), binding("other"))),
            (
                "change its image",
                merge(&path, json!({ "spec": { "containers": [{ "name": "c", "image": "j" }] } })),
            ),
            ("change its node", merge(&path, json!({ "spec": { "nodeName": "other" } }))),
            (
                "change its container",
                merge(&path, json!({ "spec": { "containers": [{ "name": "d", "image": "j" }] } })),
            ),
            (
                "resize it",
                merge(
                    format!("{path}/resize"),
                    json!({ "spec": { "containers": [{ "name": "c", "image": "j", "resources": { "limits": { "cpu": "1" } } }] } }),
                ),
            ),
            (
                "debug it",
                merge(
                    format!("{path}/ephemeralcontainers"),
                    json!({ "spec": { "ephemeralContainers": [{ "name": "e", "image": "j" }] } }),
                ),
            ),
            (
                "debug it wrongly",
                merge(
                    format!("{path}/ephemeralcontainers"),
                    json!({ "spec": { "ephemeralContainers": [{ "name": "c", "image": "" }] } }),
                ),
            ),
            (
                "make it run",
                merge(
                    format!("{path}/status"),
                    json!({ "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] } }),
                ),
            ),
            (
                "set a phase that is none",
                merge(format!("{path}/status"), json!({ "status": { "phase": "Nonsense" } })),
            ),
            ("a budget", post("/apis/policy/v1/namespaces/parity/poddisruptionbudgets", budget)),
            ("evict it", post(format!("{path}/eviction"), eviction("acted"))),
            ("evict another", post(format!("{path}/eviction"), eviction("other"))),
            ("evict what is missing", post(format!("{PODS}/missing/eviction"), eviction("missing"))),
            ("logs without a node", get(format!("{path}/log?container=none"))),
            ("delete it", delete(format!("{path}?gracePeriodSeconds=0"), Value::Null)),
            ("a token", post(tokens, token(json!({ "expirationSeconds": 600, "audiences": ["x"] })))),
            ("a short token", post(tokens, token(json!({ "expirationSeconds": 10 })))),
            (
                "a token of a pod that is missing",
                post(
                    tokens,
                    token(
                        json!({ "boundObjectRef": { "kind": "Pod", "apiVersion": "v1", "name": "missing" } }),
                    ),
                ),
            ),
            (
                "a token of a missing account",
                post("/api/v1/namespaces/parity/serviceaccounts/missing/token", token(json!({}))),
            ),
            (
                "finalize a namespace that lives",
                put(
                    "/api/v1/namespaces/parity/finalize",
                    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "parity" }, "spec": { "finalizers": ["kubernetes"] } }),
                ),
            ),
        ],
    )
}
