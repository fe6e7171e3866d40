//! The capacity of members.

use portolan_object::Object;
use serde_json::{Value, json};

use crate::federation::{CLUSTER, Federation, Plane};

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
