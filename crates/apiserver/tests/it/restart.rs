//! A server that restarts over the same store.

use std::time::Duration;

use portolan_apiserver::{ApiServer, Config};
use portolan_store::Store;
use serde_json::json;

use crate::cluster::{CONFIG_MAPS, Cluster, config_map};

#[tokio::test]
async fn a_restart_keeps_all_objects() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store");
    let (made, address) = {
        let store = Store::open(&file).await.unwrap();
        let cluster = Cluster::over(store.clone()).await;
        let made = cluster.post(CONFIG_MAPS, &config_map("a", "v")).await;
        let service = json!({ "metadata": { "name": "s" }, "spec": { "ports": [{ "port": 80 }] } });
        let service = cluster.post("/api/v1/namespaces/default/services", &service).await.body;
        let definition = json!({ "metadata": { "name": "gadgets.ex.io" }, "spec": {
            "group": "ex.io", "scope": "Cluster", "names": { "plural": "gadgets", "kind": "Gadget" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true } } }] } });
        cluster.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition).await;
        let gadget =
            json!({ "apiVersion": "ex.io/v1", "kind": "Gadget", "metadata": { "name": "g" }, "x": [1, 2.5] });
        cluster.eventually("/apis/ex.io/v1/gadgets", |answer| answer.code == 200).await;
        assert_eq!(cluster.post("/apis/ex.io/v1/gadgets", &gadget).await.code, 201);
        cluster.server.stop(Duration::from_secs(5)).await.unwrap();
        store.close().await;
        (made, service["spec"]["clusterIP"].clone())
    };
    let cluster = Cluster::over(Store::open(&file).await.unwrap()).await;
    assert_eq!(cluster.get(&format!("{CONFIG_MAPS}/a")).await.body, made.body);
    assert_eq!(
        cluster.get("/apis/ex.io/v1/gadgets/g").await.body["x"],
        json!([1, 2.5]),
        "served from the start"
    );
    let mut events =
        cluster.watch(&format!("{CONFIG_MAPS}?watch=1&resourceVersion={}", made.version())).await;
    cluster.delete(&format!("{CONFIG_MAPS}/a")).await;
    assert_eq!(events.summary().await, "DELETED a(v)", "watches go on from before the restart");
    let taken =
        json!({ "metadata": { "name": "t" }, "spec": { "clusterIP": address, "ports": [{ "port": 80 }] } });
    assert_eq!(
        cluster.post("/api/v1/namespaces/default/services", &taken).await.code,
        422,
        "addresses stay taken"
    );
}

#[tokio::test]
async fn the_service_kubernetes_has_the_endpoint() {
    let config = || Config {
        service_cidr: Some("10.96.0.0/16".parse().unwrap()),
        endpoint: Some("192.0.2.1:6443".parse().unwrap()),
        ..Config::default()
    };
    let store = Store::in_memory();
    for _ in 0..2 {
        let server = ApiServer::start(config(), store.clone()).await.unwrap();
        let cluster = Cluster::of(server);
        let service = cluster.get("/api/v1/namespaces/default/services/kubernetes").await.body;
        assert_eq!(service["spec"]["clusterIP"], "10.96.0.1");
        let slice = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes";
        let slice = cluster.get(slice).await.body;
        assert_eq!(slice["endpoints"][0]["addresses"], json!(["192.0.2.1"]));
        assert_eq!(slice["ports"][0]["port"], 6443);
        cluster.server.stop(Duration::from_secs(5)).await.unwrap();
    }
}
