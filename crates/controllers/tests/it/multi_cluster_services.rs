//! MultiClusterServices: a Service that clients in other clusters reach under its own name.

use portolan_object::Object;
use serde_json::{Value, json};

use crate::cluster_sets::slice;
use crate::federation::{BINDING, Federation, condition, message};

const MCS: &str = "networking.karmada.io/v1alpha1/MultiClusterService";
const SLICE: &str = "discovery.k8s.io/v1/EndpointSlice";
const SERVE: &str = "default/serve";
const DISPATCHED: &str = "EndpointSliceDispatched";

fn multi_cluster_service(spec: Value) -> Value {
    json!({ "apiVersion": "networking.karmada.io/v1alpha1", "kind": "MultiClusterService",
        "metadata": { "namespace": "default", "name": "serve",
            "labels": { "multiclusterservice.karmada.io/permanent-id": "id-1" } }, "spec": spec })
}

fn between(providers: &[&str], consumers: &[&str]) -> Value {
    let named = |names: &[&str]| names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>();
    json!({ "types": ["CrossCluster"], "providerClusters": named(providers), "consumerClusters": named(consumers) })
}

fn service() -> Value {
    json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": "default", "name": "serve" },
        "spec": { "selector": { "app": "serve" }, "ports": [{ "name": "http", "port": 80, "targetPort": 8080 }] } })
}

fn clusters(binding: &Object) -> Vec<&str> {
    let listed = binding.at(&["spec", "clusters"]).and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(|cluster| cluster["name"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_get_the_service_and_the_endpoints_of_the_providers() {
    let federation = Federation::start(&["eu", "us", "asia"]).await;
    let (hub, eu, us, asia) =
        (&federation.hub, federation.member("eu"), federation.member("us"), federation.member("asia"));
    hub.create(multi_cluster_service(between(&["eu"], &["us"]))).await;
    let early = hub.when(MCS, SERVE, |mcs| condition(mcs, "ServiceApplied") == "False").await;
    assert!(message(&early, "ServiceApplied").contains("does not exist in the control plane"), "{early:?}");

    hub.create(service()).await;
    hub.when(MCS, SERVE, |mcs| condition(mcs, "ServiceApplied") == "True").await;
    hub.when(BINDING, "default/serve-service", |binding| clusters(binding) == ["eu", "us"]).await;
    us.when_there("v1/Service", SERVE).await;
    eu.when_there("v1/Service", SERVE).await;
    eu.create(slice("10.10.0.5")).await;
    let dispatched = us.when_there(SLICE, "default/eu-serve-1").await;
    assert_eq!(dispatched.label("kubernetes.io/service-name"), Some("serve"));
    hub.when(MCS, SERVE, |mcs| condition(mcs, DISPATCHED) == "True").await;
    assert!(eu.get(SLICE, "default/eu-serve-1").await.is_none(), "a provider keeps its own");

    // An edit is undone, and a change of the provider arrives.
    us.delete(SLICE, "default/eu-serve-1").await;
    us.when_there(SLICE, "default/eu-serve-1").await;
    let moved = json!({ "endpoints": [{ "addresses": ["10.10.0.6"], "conditions": { "ready": true } }] });
    eu.patch(SLICE, "default/serve-1", moved).await;
    us.when(SLICE, "default/eu-serve-1", |slice| {
        slice.0["endpoints"][0]["addresses"] == json!(["10.10.0.6"])
    })
    .await;

    // Other consumers, and a cluster that does not exist.
    hub.patch(MCS, SERVE, json!({ "spec": between(&["eu", "gone"], &["asia"]) })).await;
    asia.when_there(SLICE, "default/eu-serve-1").await;
    us.when_gone(SLICE, "default/eu-serve-1").await;
    hub.when(MCS, SERVE, |mcs| message(mcs, "ServiceApplied").ends_with("do not exist: gone")).await;

    asia.when_there("v1/Service", SERVE).await;

    // The Service stays where it is, and policies can have it.
    hub.delete(MCS, SERVE).await;
    hub.when_gone(MCS, SERVE).await;
    asia.when_gone(SLICE, "default/eu-serve-1").await;
    let released = hub.when_there("v1/Service", SERVE).await;
    assert_eq!(released.label("resourcetemplate.karmada.io/claimed-by"), None);
    assert!(asia.get("v1/Service", SERVE).await.is_some());
}
