//! ResourceQuotas: what they refuse, and their status.

use serde_json::{Value, json};

use crate::cluster::{CONFIG_MAPS, Cluster, config_map};

const QUOTAS: &str = "/api/v1/namespaces/default/resourcequotas";

async fn quota(cluster: &Cluster, name: &str, hard: Value) {
    let made = cluster.post(QUOTAS, &json!({ "metadata": { "name": name }, "spec": { "hard": hard } })).await;
    assert_eq!(made.code, 201, "{}", made.text);
}

async fn used(cluster: &Cluster, name: &str) -> Value {
    cluster.get(&format!("{QUOTAS}/{name}")).await.body["status"]["used"].clone()
}

#[tokio::test]
async fn an_object_that_exceeds_a_quota_is_refused_until_another_is_deleted() {
    let cluster = Cluster::start().await;
    assert_eq!(cluster.post(CONFIG_MAPS, &config_map("a", "v")).await.code, 201);
    quota(&cluster, "q", json!({ "count/configmaps": "2", "secrets": "0" })).await;
    assert_eq!(used(&cluster, "q").await, json!({ "count/configmaps": "1", "secrets": "0" }));
    assert_eq!(cluster.post(CONFIG_MAPS, &config_map("b", "v")).await.code, 201);
    assert_eq!(used(&cluster, "q").await, json!({ "count/configmaps": "2", "secrets": "0" }));
    let refused = cluster.post(CONFIG_MAPS, &config_map("c", "v")).await;
    let text = "403 Forbidden configmaps \"c\" is forbidden: exceeded quota: q, requested: count/configmaps=1, \
                used: count/configmaps=2, limited: count/configmaps=2";
    assert_eq!(refused.summary(), text);
    let tried = cluster.post(&format!("{CONFIG_MAPS}?dryRun=All"), &config_map("c", "v")).await;
    assert_eq!(tried.code, 403, "{}", tried.text);
    let applied = cluster
        .patch(
            &format!("{CONFIG_MAPS}/c?fieldManager=m"),
            crate::cluster::APPLY,
            &json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "c" } }),
        )
        .await;
    assert_eq!(applied.code, 403, "{}", applied.text);
    let changed = cluster.put(&format!("{CONFIG_MAPS}/a"), &config_map("a", "w")).await;
    assert_eq!(changed.code, 200, "{}", changed.text);
    assert_eq!(cluster.delete(&format!("{CONFIG_MAPS}/a")).await.code, 200);
    let path = format!("{QUOTAS}/q");
    cluster.eventually(&path, |answer| answer.body["status"]["used"]["count/configmaps"] == "1").await;
    assert_eq!(cluster.post(CONFIG_MAPS, &config_map("c", "v")).await.code, 201);
}

#[tokio::test]
async fn writes_at_the_same_time_never_use_the_same_rest() {
    let cluster = Cluster::start().await;
    quota(&cluster, "first", json!({ "count/configmaps": "5" })).await;
    quota(&cluster, "second", json!({ "configmaps": "7" })).await;
    let names: Vec<String> = (0..20).map(|index| format!("m{index}")).collect();
    let bodies: Vec<Value> = names.iter().map(|name| config_map(name, "v")).collect();
    let answers = futures::future::join_all(bodies.iter().map(|body| cluster.post(CONFIG_MAPS, body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.code == 201).count(), 5);
    assert_eq!(used(&cluster, "first").await, json!({ "count/configmaps": "5" }));
    assert_eq!(used(&cluster, "second").await, json!({ "configmaps": "5" }));
}

#[tokio::test]
async fn a_service_is_charged_when_its_type_changes() {
    let cluster = Cluster::start().await;
    quota(&cluster, "q", json!({ "services.nodeports": "0" })).await;
    let services = "/api/v1/namespaces/default/services";
    let mut service = json!({ "metadata": { "name": "s" }, "spec": { "ports": [{ "port": 80 }] } });
    assert_eq!(cluster.post(services, &service).await.code, 201);
    service["spec"]["type"] = json!("NodePort");
    let refused = cluster.patch(&format!("{services}/s"), crate::cluster::MERGE, &service).await;
    assert!(refused.text.contains("exceeded quota: q, requested: services.nodeports=1"), "{}", refused.text);
}

#[tokio::test]
async fn a_pod_counts_until_it_has_ended() {
    let cluster = Cluster::start().await;
    quota(&cluster, "q", json!({ "pods": "1", "requests.cpu": "1" })).await;
    let pods = "/api/v1/namespaces/default/pods";
    let pod = |name: &str, requests: Value| {
        json!({ "metadata": { "name": name }, "spec": {
        "serviceAccountName": "default", "containers": [{ "name": "c", "image": "i", "resources": { "requests": requests } }] } })
    };
    let silent = cluster.post(pods, &pod("a", json!({}))).await;
    let text = "403 Forbidden pods \"a\" is forbidden: failed quota: q: must specify requests.cpu for: c";
    assert_eq!(silent.summary(), text);
    assert_eq!(cluster.post(pods, &pod("a", json!({ "cpu": "300m" }))).await.code, 201);
    assert_eq!(used(&cluster, "q").await, json!({ "pods": "1", "requests.cpu": "300m" }));
    let full = cluster.post(pods, &pod("b", json!({ "cpu": "300m" }))).await;
    assert!(
        full.text.contains("exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1"),
        "{}",
        full.text
    );
    let ended = json!({ "status": { "phase": "Succeeded" } });
    assert_eq!(cluster.patch(&format!("{pods}/a/status"), crate::cluster::MERGE, &ended).await.code, 200);
    cluster.eventually(&format!("{QUOTAS}/q"), |answer| answer.body["status"]["used"]["pods"] == "0").await;
}
