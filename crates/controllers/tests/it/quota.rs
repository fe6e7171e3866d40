//! FederatedResourceQuotas.

use portolan_object::Object;
use serde_json::{Value, json};

use crate::federation::{BINDING, DEPLOYMENT, Federation, condition, message, policy};

const QUOTA: &str = "policy.karmada.io/v1alpha1/FederatedResourceQuota";
const RESOURCE_QUOTA: &str = "v1/ResourceQuota";

fn quota(spec: Value) -> Value {
    json!({ "apiVersion": "policy.karmada.io/v1alpha1", "kind": "FederatedResourceQuota",
            "metadata": { "name": "q", "namespace": "default" }, "spec": spec })
}

fn deployment(name: &str, cpu: &str) -> Value {
    let container = json!({ "name": "c", "image": "i", "resources": { "requests": { "cpu": cpu } } });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name, "namespace": "default" },
        "spec": { "replicas": 1, "selector": { "matchLabels": { "app": name } },
            "template": { "metadata": { "labels": { "app": name } }, "spec": { "containers": [container] } } }
    })
}

fn used(quota: &Object) -> &str {
    quota.str_at(&["status", "overallUsed", "cpu"])
}

#[tokio::test(flavor = "multi_thread")]
async fn assignments_reach_their_clusters_and_report_back() {
    let set = Federation::start(&["eu", "us"]).await;
    let assignment = |cluster: &str| json!({ "clusterName": cluster, "hard": { "cpu": "1" } });
    let assignments = json!([assignment("eu"), assignment("us")]);
    set.hub.create(quota(json!({ "overall": { "cpu": "2" }, "staticAssignments": assignments }))).await;
    for member in ["eu", "us"] {
        let copy = set.member(member).when_there(RESOURCE_QUOTA, "default/q").await;
        assert_eq!(copy.at(&["spec", "hard"]), Some(&json!({ "cpu": "1" })));
        let status = json!({ "hard": { "cpu": "1" }, "used": { "cpu": "250m" } });
        set.member(member).patch_status(RESOURCE_QUOTA, "default/q", json!({ "status": status })).await;
    }
    let reported =
        |cluster: &str| json!({ "clusterName": cluster, "hard": { "cpu": "1" }, "used": { "cpu": "250m" } });
    let want = json!([reported("eu"), reported("us")]);
    let is_complete = |quota: &Object| quota.at(&["status", "aggregatedStatus"]) == Some(&want);
    let complete = set.hub.when(QUOTA, "default/q", is_complete).await;
    assert_eq!(complete.at(&["status", "overall"]), Some(&json!({ "cpu": "2" })));

    set.hub.patch(QUOTA, "default/q", json!({ "spec": { "staticAssignments": [assignment("eu")] } })).await;
    set.member("us").when_gone(RESOURCE_QUOTA, "default/q").await;
    set.hub.delete(QUOTA, "default/q").await;
    set.member("eu").when_gone(RESOURCE_QUOTA, "default/q").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_beyond_the_overall_limit_is_not_placed_until_there_is_room() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(quota(json!({ "overall": { "cpu": "10m" } }))).await;
    set.hub.create(deployment("first", "10m")).await;
    set.hub.create(policy("first", DEPLOYMENT, "first", &["eu"])).await;
    set.member("eu").when_there(DEPLOYMENT, "default/first").await;
    set.hub.when(QUOTA, "default/q", |quota| used(quota) == "10m").await;

    set.hub.create(deployment("second", "10m")).await;
    set.hub.create(policy("second", DEPLOYMENT, "second", &["eu"])).await;
    let is_refused = |binding: &Object| condition(binding, "Scheduled") == "False";
    let refused = set.hub.when(BINDING, "default/second-deployment", is_refused).await;
    let want = "admission webhook \"resourcebinding.karmada.io\" denied the request: \
                FederatedResourceQuota(default/q) exceeded for resource cpu: requested sum 20m, limit 10m.";
    assert_eq!(message(&refused, "Scheduled"), want);
    assert_eq!(refused.at(&["spec", "clusters"]), None);
    assert!(set.member("eu").get(DEPLOYMENT, "default/second").await.is_none());

    set.hub.delete(DEPLOYMENT, "default/first").await;
    set.member("eu").when_there(DEPLOYMENT, "default/second").await;
    set.hub.when(QUOTA, "default/q", |quota| used(quota) == "10m").await;
}
