//! Objects leave clusters with taints, and workloads leave clusters where they fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portolan_api::annotations::binding::FAILED_CLUSTERS;
use portolan_controllers::FailoverSettings;
use portolan_object::Object;
use portolan_runtime::Resource;
use portolan_runtime::client::Selection;
use serde_json::{Value, json};

use crate::federation::{
    BINDING, CLUSTER, DEPLOYMENT, Federation, condition, deployment, message, policy, taints,
};
use crate::outages::{cut, taint_policy};

fn evicting() -> FailoverSettings {
    FailoverSettings { evicts_by_taint: true, evictions_per_second: 100.0, ..FailoverSettings::default() }
}

/// A policy that places Deployment `web` into one of the clusters, with a `failover`.
fn one_of(clusters: &[&str], failover: Value) -> Value {
    let mut policy = policy("web", DEPLOYMENT, "web", clusters);
    let spread = json!([{ "spreadByField": "cluster", "minGroups": 1, "maxGroups": 1 }]);
    policy["spec"]["placement"]["spreadConstraints"] = spread;
    policy["spec"]["propagateDeps"] = json!(true);
    policy["spec"]["failover"] = failover;
    policy
}

/// The copy in a member gets the status of a Deployment that runs.
async fn runs(set: &Federation, member: &str) {
    let copy = set.member(member).when_there(DEPLOYMENT, "default/web").await;
    let count = copy.at(&["spec", "replicas"]).cloned();
    let status = json!({ "replicas": count, "updatedReplicas": count, "readyReplicas": count,
        "availableReplicas": count, "observedGeneration": copy.generation() });
    set.member(member).patch_status(DEPLOYMENT, "default/web", json!({ "status": status })).await;
}

async fn taint(set: &Federation, cluster: &str) {
    let taints = json!([{ "key": "down", "effect": "NoExecute" }]);
    set.hub.patch(CLUSTER, cluster, json!({ "spec": { "taints": taints } })).await;
}

fn tasks(binding: &Object) -> Vec<Value> {
    let tasks = binding.at(&["spec", "gracefulEvictionTasks"]).and_then(Value::as_array);
    tasks.cloned().unwrap_or_default()
}

fn is_healthy_in(binding: &Object, cluster: &str) -> bool {
    let items = binding.at(&["status", "aggregatedStatus"]).and_then(Value::as_array);
    items.into_iter().flatten().any(|item| item["clusterName"] == cluster && item["health"] == "Healthy")
}

const PATH: &str = "default/web-deployment";

/// Waits for an event on the binding.
async fn when_event(set: &Federation, reason: &str, message: &str) {
    let api = set.hub.client.resource::<Object>(&Resource::namespaced("", "v1", "Event", "events"));
    let found = async {
        loop {
            let events = api.list(&Selection::all()).await.expect("events");
            let mut events = events.items.iter().map(|event| &event.object);
            if events.any(|event| {
                event.str_at(&["reason"]) == reason && event.str_at(&["message"]).contains(message)
            }) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), found).await;
    assert!(waited.is_ok(), "no event {reason} {message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_leaves_a_tainted_cluster_once_it_runs_elsewhere() {
    let set = Federation::start_with_failover(&["eu", "us"], evicting()).await;
    set.hub.create(deployment("web", 2)).await;
    set.hub.create(one_of(&["eu", "us"], Value::Null)).await;
    runs(&set, "eu").await;
    set.hub.when(BINDING, PATH, |binding| is_healthy_in(binding, "eu")).await;

    taint(&set, "eu").await;
    set.member("us").when_there(DEPLOYMENT, "default/web").await;
    let binding = set.hub.when(BINDING, PATH, |binding| !tasks(binding).is_empty()).await;
    let task = &tasks(&binding)[0];
    assert_eq!(task["fromCluster"], "eu");
    assert_eq!(task["reason"], "TaintUntolerated");
    assert_eq!(task["producer"], "TaintManager");
    assert_eq!(task["purgeMode"], "Gracefully");
    assert_eq!(task["replicas"], 2);
    assert!(set.member("eu").get(DEPLOYMENT, "default/web").await.is_some(), "it does not run in us yet");
    let tainted = set.hub.when_there(CLUSTER, "eu").await;
    assert!(tainted.at(&["spec", "taints"]).is_some_and(|taints| taints[0]["timeAdded"].is_string()));

    runs(&set, "us").await;
    set.member("eu").when_gone(DEPLOYMENT, "default/web").await;
    set.hub.when(BINDING, PATH, |binding| tasks(binding).is_empty()).await;
    when_event(&set, "EvictWorkloadFromClusterSucceed", "Evict from cluster eu succeed.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_a_workload_goes_with_it() {
    let set = Federation::start_with_failover(&["eu", "us"], evicting()).await;
    let rule = json!({ "aliasLabelName": "failover.example/replicas", "jsonPath": "{ .readyReplicas }" });
    let cluster = json!({ "purgeMode": "Directly", "statePreservation": { "rules": [rule] } });
    set.hub.create(deployment("web", 3)).await;
    set.hub.create(one_of(&["eu", "us"], json!({ "cluster": cluster }))).await;
    // Without a status the state would be lost, so the workload stays.
    set.member("eu").when_there(DEPLOYMENT, "default/web").await;
    taint(&set, "eu").await;
    when_event(&set, "EvictWorkloadFromClusterFailed", "statePreservation").await;

    runs(&set, "eu").await;
    let copy = set.member("us").when_there(DEPLOYMENT, "default/web").await;
    assert_eq!(copy.label("failover.example/replicas"), Some("3"));
    assert!(
        set.member("eu").get(DEPLOYMENT, "default/web").await.is_none(),
        "it went before the new one came"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_workload_moves_and_its_old_copy_stays_until_the_user_releases_it() {
    let set = Federation::start(&["eu", "us"]).await;
    let application = json!({ "decisionConditions": { "tolerationSeconds": 1 }, "purgeMode": "Never" });
    set.hub.create(deployment("web", 1)).await;
    set.hub.create(one_of(&["eu", "us"], json!({ "application": application }))).await;
    set.member("eu").when_there(DEPLOYMENT, "default/web").await;
    runs(&set, "eu").await;
    set.hub.when(BINDING, PATH, |binding| is_healthy_in(binding, "eu")).await;
    assert!(set.member("us").get(DEPLOYMENT, "default/web").await.is_none());

    let failing = json!({ "status": { "availableReplicas": 0, "readyReplicas": 0 } });
    set.member("eu").patch_status(DEPLOYMENT, "default/web", failing).await;
    let binding = set.hub.when(BINDING, PATH, |binding| !tasks(binding).is_empty()).await;
    let task = &tasks(&binding)[0];
    assert_eq!(task["reason"], "ApplicationFailure");
    assert_eq!(task["producer"], "resource-binding-application-failover-controller");
    assert_eq!(task["suppressDeletion"], true);
    runs(&set, "us").await;
    set.hub.when(BINDING, PATH, |binding| is_healthy_in(binding, "us")).await;
    assert!(set.member("eu").get(DEPLOYMENT, "default/web").await.is_some());

    let mut task = tasks(&set.hub.when_there(BINDING, PATH).await)[0].clone();
    task["suppressDeletion"] = json!(false);
    set.hub.patch(BINDING, PATH, json!({ "spec": { "gracefulEvictionTasks": [task] } })).await;
    set.member("eu").when_gone(DEPLOYMENT, "default/web").await;
    assert!(set.member("us").get(DEPLOYMENT, "default/web").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_workload_is_replaced_at_once_and_takes_its_state_along() {
    let set = Federation::start(&["eu", "us"]).await;
    let rule = json!({ "aliasLabelName": "failover.example/updated", "jsonPath": "{ .updatedReplicas }" });
    let application = json!({ "decisionConditions": { "tolerationSeconds": 1 }, "purgeMode": "Directly",
        "statePreservation": { "rules": [rule] } });
    set.hub.create(deployment("web", 1)).await;
    set.hub.create(one_of(&["eu", "us"], json!({ "application": application }))).await;
    runs(&set, "eu").await;
    set.hub.when(BINDING, PATH, |binding| is_healthy_in(binding, "eu")).await;
    let failing = json!({ "status": { "availableReplicas": 0, "readyReplicas": 0 } });
    set.member("eu").patch_status(DEPLOYMENT, "default/web", failing).await;
    let copy = set.member("us").when_there(DEPLOYMENT, "default/web").await;
    assert_eq!(copy.label("failover.example/updated"), Some("1"));
    assert!(
        set.member("eu").get(DEPLOYMENT, "default/web").await.is_none(),
        "it went before the new one came"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_workload_leaves_gracefully_once_it_runs_elsewhere() {
    let set = Federation::start(&["eu", "us"]).await;
    let application = json!({ "decisionConditions": { "tolerationSeconds": 1 }, "purgeMode": "Gracefully" });
    set.hub.create(deployment("web", 1)).await;
    set.hub.create(one_of(&["eu", "us"], json!({ "application": application }))).await;
    runs(&set, "eu").await;
    set.hub.when(BINDING, PATH, |binding| is_healthy_in(binding, "eu")).await;
    let failing = json!({ "status": { "availableReplicas": 0, "readyReplicas": 0 } });
    set.member("eu").patch_status(DEPLOYMENT, "default/web", failing).await;
    set.member("us").when_there(DEPLOYMENT, "default/web").await;
    assert!(set.member("eu").get(DEPLOYMENT, "default/web").await.is_some(), "it does not run in us yet");
    runs(&set, "us").await;
    set.member("eu").when_gone(DEPLOYMENT, "default/web").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_fails_is_evicted_and_gives_its_copy_up_when_it_is_back() {
    let mut set = Federation::start_with_failover(&["us"], evicting()).await;
    let is_cut = Arc::new(AtomicBool::new(false));
    let link = is_cut.clone();
    set.join_behind("eu", move |server| cut(server, link)).await;
    set.is_ready("eu").await;
    set.hub.create(taint_policy()).await;
    set.hub.create(deployment("web", 1)).await;
    set.hub.create(one_of(&["eu", "us"], Value::Null)).await;
    runs(&set, "eu").await;
    set.hub.when(BINDING, PATH, |binding| is_healthy_in(binding, "eu")).await;

    is_cut.store(true, Ordering::Relaxed);
    set.hub.when(CLUSTER, "eu", |cluster| condition(cluster, "Ready") == "False").await;
    runs(&set, "us").await;
    set.hub.when(BINDING, PATH, |binding| is_healthy_in(binding, "us") && tasks(binding).is_empty()).await;
    assert!(set.member("eu").get(DEPLOYMENT, "default/web").await.is_some(), "nothing reaches it");

    is_cut.store(false, Ordering::Relaxed);
    set.is_ready("eu").await;
    set.member("eu").when_gone(DEPLOYMENT, "default/web").await;
    let has_evicting_taint = |cluster: &Object| taints(cluster).contains(&"failed".to_owned());
    set.hub.when(CLUSTER, "eu", |cluster| !has_evicting_taint(cluster)).await;
    assert!(set.member("us").get(DEPLOYMENT, "default/web").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_that_runs_nowhere_keeps_its_old_copy_for_the_grace_period() {
    let set = Federation::start(&["eu", "us"]).await;
    let application = json!({ "decisionConditions": { "tolerationSeconds": 3 }, "purgeMode": "Gracefully",
        "gracePeriodSeconds": 1 });
    set.hub.create(deployment("web", 1)).await;
    let created = std::time::Instant::now();
    set.hub.create(one_of(&["eu", "us"], json!({ "application": application }))).await;
    // It never runs, in either cluster; from us it goes after another three seconds.
    set.member("us").when_there(DEPLOYMENT, "default/web").await;
    set.member("eu").when_gone(DEPLOYMENT, "default/web").await;
    assert!(created.elapsed() >= Duration::from_secs(4), "{:?}", created.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicated_workload_returns_to_where_it_failed_only_after_its_template_changes() {
    let set = Federation::start(&["eu", "us"]).await;
    let application = json!({ "decisionConditions": { "tolerationSeconds": 1 }, "purgeMode": "Directly" });
    let mut policy = policy("web", DEPLOYMENT, "web", &["eu", "us"]);
    policy["spec"]["propagateDeps"] = json!(true);
    policy["spec"]["failover"] = json!({ "application": application });
    set.hub.create(deployment("web", 1)).await;
    set.hub.create(policy).await;
    for cluster in ["eu", "us"] {
        runs(&set, cluster).await;
        set.hub.when(BINDING, PATH, |binding| is_healthy_in(binding, cluster)).await;
    }
    let failing = json!({ "status": { "availableReplicas": 0, "readyReplicas": 0 } });
    set.member("eu").patch_status(DEPLOYMENT, "default/web", failing).await;
    set.member("eu").when_gone(DEPLOYMENT, "default/web").await;
    set.hub.when(BINDING, PATH, |binding| tasks(binding).is_empty()).await;

    // The binding has been scheduled again when this label has arrived.
    set.hub.patch(DEPLOYMENT, "default/web", json!({ "metadata": { "labels": { "tier": "front" } } })).await;
    set.member("us").when(DEPLOYMENT, "default/web", |copy| copy.label("tier") == Some("front")).await;
    assert!(set.member("eu").get(DEPLOYMENT, "default/web").await.is_none());

    set.hub.patch(DEPLOYMENT, "default/web", json!({ "spec": { "minReadySeconds": 1 } })).await;
    set.member("eu").when_there(DEPLOYMENT, "default/web").await;
    set.hub.when(BINDING, PATH, |binding| binding.annotation(FAILED_CLUSTERS).is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taints_evict_nothing_by_default() {
    let set = Federation::start(&["eu", "us"]).await;
    set.hub.create(deployment("web", 1)).await;
    set.hub.create(one_of(&["eu", "us"], Value::Null)).await;
    runs(&set, "eu").await;
    set.hub.when(BINDING, PATH, |binding| is_healthy_in(binding, "eu")).await;
    taint(&set, "eu").await;
    let is_timed = |cluster: &Object| {
        cluster.at(&["spec", "taints"]).is_some_and(|taints| taints[0]["timeAdded"].is_string())
    };
    set.hub.when(CLUSTER, "eu", is_timed).await;
    // The binding has been looked at after the taint when its template has changed.
    set.hub.patch(DEPLOYMENT, "default/web", json!({ "spec": { "replicas": 2 } })).await;
    let is_scaled = |copy: &Object| copy.at(&["spec", "replicas"]) == Some(&json!(2));
    set.member("eu").when(DEPLOYMENT, "default/web", is_scaled).await;
    assert!(tasks(&set.hub.when_there(BINDING, PATH).await).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taint_that_is_tolerated_for_a_second_evicts_after_it() {
    let set = Federation::start_with_failover(&["eu", "us"], evicting()).await;
    let mut policy = one_of(&["eu", "us"], json!({ "cluster": { "purgeMode": "Directly" } }));
    policy["spec"]["placement"]["clusterTolerations"] =
        json!([{ "key": "down", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 2 }]);
    set.hub.create(deployment("web", 1)).await;
    set.hub.create(policy).await;
    runs(&set, "eu").await;
    set.hub.when(BINDING, PATH, |binding| is_healthy_in(binding, "eu")).await;
    let tainted = std::time::Instant::now();
    taint(&set, "eu").await;
    set.hub.when(BINDING, PATH, |binding| !tasks(binding).is_empty()).await;
    // The time of a taint has whole seconds.
    assert!(tainted.elapsed() >= Duration::from_secs(1), "{:?}", tainted.elapsed());
    set.member("us").when_there(DEPLOYMENT, "default/web").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_its_secret_is_not_ready_and_says_so() {
    let set = Federation::start(&["eu"]).await;
    set.hub.delete("v1/Secret", "karmada-cluster/eu").await;
    let cluster = set.hub.when(CLUSTER, "eu", |cluster| condition(cluster, "Ready") == "False").await;
    let text = message(&cluster, "Ready");
    assert!(text.contains("karmada-cluster/eu") && text.contains("portolan join"), "{text}");
}
