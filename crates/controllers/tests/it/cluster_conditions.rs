//! What follows from the conditions of clusters: taints by policies, and remedies.

use serde_json::{Value, json};

use crate::federation::{CLUSTER, Federation, taints};
use crate::policies::when_event;

const TAINT_POLICY: &str = "policy.karmada.io/v1alpha1/ClusterTaintPolicy";
const REMEDY: &str = "remedy.karmada.io/v1alpha1/Remedy";

/// A condition as other programs write it, without a reason.
fn condition(kind: &str, status: &str) -> Value {
    json!({ "type": kind, "status": status, "reason": "", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z" })
}

/// Sets a condition of `eu` beside those that it has.
async fn set(federation: &Federation, kind: &str, status: &str) {
    let cluster = federation.hub.get(CLUSTER, "eu").await.expect("a cluster");
    let mut conditions = cluster.0["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.retain(|one| one["type"] != kind);
    conditions.push(condition(kind, status));
    federation.hub.patch_status(CLUSTER, "eu", json!({ "status": { "conditions": conditions } })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taints_come_and_go_with_the_conditions_of_a_policy() {
    let set_up = Federation::start(&["eu"]).await;
    let on = |statuses: Value| json!([{ "conditionType": "NetworkReady", "operator": "In", "statusValues": statuses }]);
    set_up
        .hub
        .create(json!({ "apiVersion": "policy.karmada.io/v1alpha1", "kind": "ClusterTaintPolicy",
            "metadata": { "name": "network" },
            "spec": { "targetClusters": { "clusterNames": ["eu"] },
                "addOnConditions": on(json!(["False", "Unknown"])), "removeOnConditions": on(json!(["True"])),
                "taints": [{ "key": "network", "effect": "NoSchedule" }, { "key": "net", "effect": "NoSchedule" }] } }))
        .await;
    set(&set_up, "NetworkReady", "False").await;
    set_up.hub.when(CLUSTER, "eu", |cluster| taints(cluster) == ["network", "net"]).await;
    set(&set_up, "NetworkReady", "True").await;
    set_up.hub.when(CLUSTER, "eu", |cluster| taints(cluster).is_empty()).await;

    set(&set_up, "NetworkReady", "False").await;
    set_up.hub.when(CLUSTER, "eu", |cluster| taints(cluster).len() == 2).await;
    set_up.hub.delete(TAINT_POLICY, "network").await;
    let cluster = set_up.hub.get(CLUSTER, "eu").await.expect("a cluster");
    assert_eq!(taints(&cluster).len(), 2, "a deleted policy leaves its taints");
}

#[tokio::test(flavor = "multi_thread")]
async fn remedies_act_while_their_condition_holds() {
    let set_up = Federation::start(&["eu"]).await;
    let actions = |cluster: &portolan_object::Object| {
        cluster.at(&["status", "remedyActions"]).cloned().unwrap_or_default()
    };
    let remedy = |matches: Value| {
        json!({ "apiVersion": "remedy.karmada.io/v1alpha1", "kind": "Remedy", "metadata": { "name": "dns" },
            "spec": { "actions": ["TrafficControl"], "clusterAffinity": { "clusterNames": ["eu"] },
                "decisionMatches": matches } })
    };
    let failing = json!([{ "clusterConditionMatch": { "conditionType": "ServiceDomainNameResolutionReady",
        "operator": "Equal", "conditionStatus": "False" } }]);
    set_up.hub.create(remedy(failing)).await;
    set(&set_up, "ServiceDomainNameResolutionReady", "False").await;
    set_up.hub.when(CLUSTER, "eu", |cluster| actions(cluster) == json!(["TrafficControl"])).await;
    set(&set_up, "ServiceDomainNameResolutionReady", "True").await;
    set_up.hub.when(CLUSTER, "eu", |cluster| actions(cluster).is_null()).await;
    set_up.hub.delete(REMEDY, "dns").await;

    // Without conditions: at once, and until it is deleted.
    set_up.hub.create(remedy(Value::Null)).await;
    set_up.hub.when(CLUSTER, "eu", |cluster| actions(cluster) == json!(["TrafficControl"])).await;
    set_up.hub.delete(REMEDY, "dns").await;
    set_up.hub.when(CLUSTER, "eu", |cluster| actions(cluster).is_null()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_name_unknown_clusters_say_so() {
    let set_up = Federation::start(&["eu"]).await;
    let objects = [
        json!({ "apiVersion": "policy.karmada.io/v1alpha1", "kind": "ClusterTaintPolicy",
            "metadata": { "name": "slow" },
            "spec": { "targetClusters": { "clusterNames": ["eu", "ue"] },
                "addOnConditions": [{ "conditionType": "NetworkReady", "operator": "In", "statusValues": ["False"] }],
                "taints": [{ "key": "network", "effect": "NoSchedule" }] } }),
        json!({ "apiVersion": "remedy.karmada.io/v1alpha1", "kind": "Remedy", "metadata": { "name": "away" },
            "spec": { "clusterAffinity": { "clusterNames": ["ue"] }, "actions": ["TrafficControl"] } }),
        json!({ "apiVersion": "policy.karmada.io/v1alpha1", "kind": "FederatedResourceQuota",
            "metadata": { "namespace": "default", "name": "few" },
            "spec": { "overall": { "cpu": "4" },
                "staticAssignments": [{ "clusterName": "ue", "hard": { "cpu": "1" } }] } }),
    ];
    for object in objects {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        set_up.hub.create(object).await;
        let said = when_event(&set_up.hub, &name, "NoSuchCluster").await;
        assert!(said.contains("names clusters that do not exist: ue; correct the names"), "{name}: {said}");
    }
}
