//! The capacity of members.

use portolan_object::Object;
use serde_json::{Value, json};

use crate::federation::{BINDING, CLUSTER, DEPLOYMENT, Federation, Plane, condition, message, policy};

const NODE: &str = "v1/Node";
const POD: &str = "v1/Pod";

/// Creates a ready node with four cores.
async fn create_node(member: &Plane, name: &str) {
    member.create(json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name } })).await;
    let status = json!({
        "allocatable": { "cpu": "4", "memory": "8Gi", "pods": "10" },
        "conditions": [{ "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "" }]
    });
    member.patch_status(NODE, name, json!({ "status": status })).await;
}

/// A pod that asks for CPU; without a node it waits.
fn pod(name: &str, node: &str, cpu: &str) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": "default" },
        "spec": { "containers": [{ "name": "c", "image": "i", "resources": { "requests": { "cpu": cpu } } }] }
    });
    if !node.is_empty() {
        pod["spec"]["nodeName"] = json!(node);
    }
    pod
}

fn summary(cluster: &Object) -> Value {
    cluster.0["status"]["resourceSummary"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_reports_its_nodes_and_what_pods_take_of_them() {
    let set = Federation::start(&["eu"]).await;
    let eu = set.member("eu");
    let models = json!({ "spec": { "resourceModels": [
        { "grade": 0, "ranges": [{ "name": "cpu", "min": "0", "max": "2" }] },
        { "grade": 1, "ranges": [{ "name": "cpu", "min": "2", "max": "9223372036854775807" }] }] } });
    set.hub.patch(CLUSTER, "eu", models).await;
    create_node(eu, "n1").await;
    create_node(eu, "n2").await;
    eu.create(pod("running", "n1", "3")).await;
    eu.create(pod("waiting", "", "1500m")).await;

    let want = json!({
        "allocatable": { "cpu": "8", "memory": "16Gi", "pods": "20" },
        "allocated": { "cpu": "3", "pods": "1" },
        "allocating": { "cpu": "1500m", "pods": "1" },
        "allocatableModelings": [{ "grade": 0, "count": 1 }, { "grade": 1, "count": 1 }],
    });
    let cluster = set.hub.when(CLUSTER, "eu", |cluster| summary(cluster) == want).await;
    assert_eq!(cluster.0["status"]["nodeSummary"], json!({ "totalNum": 2, "readyNum": 2 }));

    eu.patch_status(POD, "default/running", json!({ "status": { "phase": "Succeeded" } })).await;
    eu.delete(NODE, "n2").await;
    let want = json!({
        "allocatable": { "cpu": "4", "memory": "8Gi", "pods": "10" },
        "allocating": { "cpu": "1500m", "pods": "1" },
        "allocatableModelings": [{ "grade": 0, "count": 0 }, { "grade": 1, "count": 1 }],
    });
    set.hub.when(CLUSTER, "eu", |cluster| summary(cluster) == want).await;
}

/// A Deployment that asks for CPU, and a policy that divides it over all clusters by their room.
async fn create_divided(hub: &Plane, name: &str, replicas: u32, cpu: &str) {
    let container = json!({ "name": "c", "image": "i", "resources": { "requests": { "cpu": cpu } } });
    hub.create(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name, "namespace": "default" },
        "spec": { "replicas": replicas, "selector": { "matchLabels": { "app": name } },
            "template": { "metadata": { "labels": { "app": name } }, "spec": { "containers": [container] } } }
    }))
    .await;
    let mut policy = policy(name, DEPLOYMENT, name, &[]);
    policy["spec"]["placement"] = json!({ "replicaScheduling": {
        "replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted",
        "weightPreference": { "dynamicWeight": "AvailableReplicas" } } });
    hub.create(policy).await;
}

/// The clusters of a binding with their replicas.
fn clusters(binding: &Object) -> Value {
    binding.at(&["spec", "clusters"]).cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_are_divided_by_the_room_that_clusters_have_left() {
    let set = Federation::start(&["eu", "us"]).await;
    for member in ["eu", "us"] {
        create_node(set.member(member), "n1").await;
    }
    set.member("us").create(pod("running", "n1", "2")).await;
    for (member, allocated) in [("eu", json!(null)), ("us", json!({ "cpu": "2", "pods": "1" }))] {
        let is_known = |cluster: &Object| {
            summary(cluster)["allocatable"].is_object() && summary(cluster)["allocated"] == allocated
        };
        set.hub.when(CLUSTER, member, is_known).await;
    }
    create_divided(&set.hub, "web", 6, "1").await;
    let want = json!([{ "name": "eu", "replicas": 4 }, { "name": "us", "replicas": 2 }]);
    let placed = set.hub.when(BINDING, "default/web-deployment", |binding| clusters(binding) == want).await;
    let requirements = json!({ "namespace": "default", "resourceRequest": { "cpu": "1" } });
    assert_eq!(placed.at(&["spec", "replicaRequirements"]), Some(&requirements));

    // Nothing runs in the members, so the first workload is in flight and has all the room.
    create_divided(&set.hub, "late", 1, "1").await;
    let is_refused = |binding: &Object| condition(binding, "Scheduled") == "False";
    let refused = set.hub.when(BINDING, "default/late-deployment", is_refused).await;
    assert_eq!(message(&refused, "Scheduled"), "Clusters available replicas 0 are not enough to schedule.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_of_a_member_limits_what_is_placed_there() {
    let set = Federation::start(&["eu"]).await;
    create_node(set.member("eu"), "n1").await;
    set.member("eu")
        .create(json!({ "apiVersion": "v1", "kind": "ResourceQuota",
            "metadata": { "name": "q", "namespace": "default" }, "spec": { "hard": { "requests.cpu": "30m" } } }))
        .await;
    set.hub.when(CLUSTER, "eu", |cluster| summary(cluster)["allocatable"].is_object()).await;
    create_divided(&set.hub, "large", 5, "10m").await;
    let is_refused = |binding: &Object| condition(binding, "Scheduled") == "False";
    let refused = set.hub.when(BINDING, "default/large-deployment", is_refused).await;
    assert_eq!(clusters(&refused), Value::Null);
    create_divided(&set.hub, "small", 3, "10m").await;
    let want = json!([{ "name": "eu", "replicas": 3 }]);
    set.hub.when(BINDING, "default/small-deployment", |binding| clusters(binding) == want).await;
}
