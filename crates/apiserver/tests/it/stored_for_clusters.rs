//! Objects that are stored for the clusters that they are propagated to, and what every cluster has.

use std::net::SocketAddr;

use portolan_apiserver::{ApiServer, Config};
use portolan_store::Store;
use serde_json::json;

use crate::cluster::Cluster;

#[tokio::test]
async fn webhooks_and_policies_are_stored_with_a_warning() {
    let cluster = Cluster::start().await;
    let group = "/apis/admissionregistration.k8s.io/v1";
    let api = "admissionregistration.k8s.io/v1";
    let webhook = json!({ "name": "a.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": { "service": { "name": "a", "namespace": "b" } } });
    let rule =
        json!({ "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"] });
    let constraints = json!({ "resourceRules": [rule] });
    let cases = [
        (
            "validatingwebhookconfigurations",
            json!({ "kind": "ValidatingWebhookConfiguration", "webhooks": [webhook] }),
        ),
        (
            "mutatingwebhookconfigurations",
            json!({ "kind": "MutatingWebhookConfiguration", "webhooks": [webhook] }),
        ),
        (
            "validatingadmissionpolicies",
            json!({ "kind": "ValidatingAdmissionPolicy", "spec": { "matchConstraints": constraints,
                "validations": [{ "expression": "true" }] } }),
        ),
        (
            "mutatingadmissionpolicies",
            json!({ "kind": "MutatingAdmissionPolicy", "spec": { "matchConstraints": constraints,
                "reinvocationPolicy": "Never", "mutations": [{ "patchType": "JSONPatch",
                "jsonPatch": { "expression": "[]" } }] } }),
        ),
        (
            "validatingadmissionpolicybindings",
            json!({ "kind": "ValidatingAdmissionPolicyBinding", "spec": { "policyName": "x",
                "validationActions": ["Deny"] } }),
        ),
        (
            "mutatingadmissionpolicybindings",
            json!({ "kind": "MutatingAdmissionPolicyBinding", "spec": { "policyName": "x" } }),
        ),
    ];
    for (plural, mut object) in cases {
        object["apiVersion"] = json!(api);
        object["metadata"] = json!({ "name": "x" });
        let made = cluster.post(&format!("{group}/{plural}"), &object).await;
        assert_eq!(made.code, 201, "{plural}: {}", made.text);
        let warnings = made.warnings();
        assert!(warnings.iter().any(|text| text.contains("can propagate it")), "{plural}: {warnings:?}");
    }
    let stored = cluster.get(&format!("{group}/validatingwebhookconfigurations/x")).await;
    let webhook = &stored.body["webhooks"][0];
    assert_eq!((&webhook["failurePolicy"], &webhook["timeoutSeconds"]), (&json!("Fail"), &json!(10)));
    assert_eq!(webhook["clientConfig"]["service"]["port"], 443);
}

#[tokio::test]
async fn api_services_are_stored_with_a_warning() {
    let cluster = Cluster::start().await;
    let services = "/apis/apiregistration.k8s.io/v1/apiservices";
    let service = json!({ "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": { "name": "v1beta1.metrics.k8s.io" }, "spec": { "group": "metrics.k8s.io", "version": "v1beta1",
        "groupPriorityMinimum": 100, "versionPriority": 100, "service": { "name": "a", "namespace": "b" } } });
    let made = cluster.post(services, &service).await;
    assert_eq!(made.code, 201, "{}", made.text);
    assert_eq!(made.warnings().len(), 1);
    assert_eq!(made.body["status"]["conditions"][0]["status"], "Unknown");
}

#[tokio::test]
async fn a_server_has_the_service_kubernetes_and_its_range() {
    let config = Config {
        service_cidr: Some("10.96.0.0/16".parse().unwrap()),
        kubernetes_address: Some("10.96.0.1".parse().unwrap()),
        endpoint: Some("192.0.2.7:6443".parse::<SocketAddr>().unwrap()),
        ..Config::default()
    };
    let cluster = Cluster::of(ApiServer::start(config, Store::in_memory()).await.unwrap());
    let service = cluster.get("/api/v1/namespaces/default/services/kubernetes").await;
    assert_eq!(service.body["spec"]["clusterIP"], "10.96.0.1", "{}", service.text);
    let endpoints = cluster.get("/api/v1/namespaces/default/endpoints/kubernetes").await;
    assert_eq!(endpoints.body["subsets"][0]["addresses"][0]["ip"], "192.0.2.7", "{}", endpoints.text);
    let range = cluster.get("/apis/networking.k8s.io/v1/servicecidrs/kubernetes").await;
    assert_eq!(range.body["spec"]["cidrs"], json!(["10.96.0.0/16"]));
    assert_eq!(range.body["status"]["conditions"][0]["status"], "True", "{}", range.text);
    let classes = cluster.get("/apis/scheduling.k8s.io/v1/priorityclasses").await;
    assert_eq!(classes.names(), ["system-cluster-critical", "system-node-critical"]);
}

#[tokio::test]
async fn tables_are_served_in_the_version_that_is_asked_for() {
    let cluster = Cluster::start().await;
    for version in ["v1", "v1beta1"] {
        let accept = format!("application/json;as=Table;v={version};g=meta.k8s.io");
        let answer = cluster.send("GET", "/api/v1/namespaces", &[("accept", &accept)], "").await;
        let want = format!("meta.k8s.io/{version}");
        assert_eq!((&answer.body["kind"], &answer.body["apiVersion"]), (&json!("Table"), &json!(want)));
        assert_eq!(answer.body["rows"][0]["object"]["apiVersion"], want);
    }
}

#[tokio::test]
async fn openapi_version_2_defines_every_kind() {
    let cluster = Cluster::start().await;
    let document = cluster.get("/openapi/v2").await;
    let pod = &document.body["definitions"]["io.k8s.api.core.v1.Pod"];
    assert_eq!(pod["x-kubernetes-group-version-kind"][0]["kind"], "Pod");
}
