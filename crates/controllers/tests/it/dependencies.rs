//! Objects that follow a workload because its template refers to them.

use std::time::Duration;

use portolan_object::Object;
use portolan_runtime::client::Selection;
use serde_json::{Value, json};

use crate::federation::{
    BINDING, CONFIG_MAP, DEPLOYMENT, Federation, condition, config_map, deployment, message, policy,
};

const POLICY: &str = "policy.karmada.io/v1alpha1/PropagationPolicy";

/// A Deployment with a volume of each ConfigMap.
fn with_volumes(name: &str, maps: &[&str]) -> Value {
    let mut object = deployment(name, 1);
    object["spec"]["template"]["spec"]["volumes"] = volumes(maps);
    object
}

fn volumes(maps: &[&str]) -> Value {
    maps.iter().map(|map| json!({ "name": map, "configMap": { "name": map } })).collect()
}

/// A policy for a Deployment that takes its dependencies along.
fn following(name: &str, clusters: &[&str]) -> Value {
    let mut object = policy(name, DEPLOYMENT, name, clusters);
    object["spec"]["propagateDeps"] = json!(true);
    object
}

fn placed(clusters: &[&str]) -> Value {
    json!({ "spec": { "placement": { "clusterAffinity": { "clusterNames": clusters } } } })
}

/// The clusters of all snapshots of a binding.
fn required_clusters(binding: &Object) -> Vec<String> {
    let snapshots = binding.at(&["spec", "requiredBy"]).and_then(Value::as_array);
    let clusters =
        snapshots.into_iter().flatten().flat_map(|one| one["clusters"].as_array().into_iter().flatten());
    clusters.map(|cluster| cluster["name"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Waits for an event in `default` about an object.
async fn when_told(set: &Federation, name: &str, message: &str) {
    let events = set.hub.client.resource::<Object>(&portolan_api::resources::EVENT.into());
    let selection = Selection::namespace("default");
    let is_told = |event: &Object| {
        event.str_at(&["involvedObject", "name"]) == name && event.str_at(&["message"]) == message
    };
    let told = async {
        while !events.list(&selection).await.expect("events").items.iter().any(|seen| is_told(&seen.object)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), told)
        .await
        .unwrap_or_else(|_| panic!("not told: {message}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn dependencies_follow_their_workload() {
    let set = Federation::start(&["eu", "us"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(with_volumes("web", &["app"])).await;
    set.hub.create(following("web", &["eu"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;
    let attached = set.hub.when_there(BINDING, "default/app-configmap").await;
    assert_eq!(required_clusters(&attached), ["eu"]);
    assert!(attached.labels().keys().any(|key| key.starts_with("resourcebinding.karmada.io/depended-by-")));

    // Its content follows, and so does a change of place.
    set.hub.patch(CONFIG_MAP, "default/app", json!({ "data": { "k": "2" } })).await;
    set.member("eu").when(CONFIG_MAP, "default/app", |copy| copy.str_at(&["data", "k"]) == "2").await;
    set.hub.patch(POLICY, "default/web", placed(&["us"])).await;
    set.member("us").when_there(CONFIG_MAP, "default/app").await;
    set.member("eu").when_gone(CONFIG_MAP, "default/app").await;

    // A new reference takes the place of the old one.
    set.hub.create(config_map("other", "1")).await;
    let template = json!({ "spec": { "template": { "spec": { "volumes": volumes(&["other"]) } } } });
    set.hub.patch(DEPLOYMENT, "default/web", template).await;
    set.member("us").when_there(CONFIG_MAP, "default/other").await;
    set.member("us").when_gone(CONFIG_MAP, "default/app").await;

    set.hub.delete(DEPLOYMENT, "default/web").await;
    set.member("us").when_gone(CONFIG_MAP, "default/other").await;
    let attached = set.hub.when_there(BINDING, "default/other-configmap").await;
    assert_eq!(required_clusters(&attached), Vec::<String>::new());
    assert!(set.hub.get(CONFIG_MAP, "default/other").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dependency_that_does_not_exist_is_told_and_comes_later() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(with_volumes("web", &["late"])).await;
    set.hub.create(following("web", &["eu"])).await;
    let binding = set
        .hub
        .when(BINDING, "default/web-deployment", |binding| condition(binding, "DependenciesFound") == "False")
        .await;
    assert!(message(&binding, "DependenciesFound").contains("ConfigMap late"));
    set.hub.create(config_map("late", "1")).await;
    set.member("eu").when_there(CONFIG_MAP, "default/late").await;
    set.hub
        .when(BINDING, "default/web-deployment", |binding| condition(binding, "DependenciesFound") == "True")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_workloads_and_a_policy_of_its_own_add_up() {
    let set = Federation::start(&["eu", "us", "asia"]).await;
    set.hub.create(config_map("app", "1")).await;
    for (name, cluster) in [("one", "eu"), ("two", "us")] {
        set.hub.create(with_volumes(name, &["app"])).await;
        set.hub.create(following(name, &[cluster])).await;
    }
    set.hub.create(policy("app", CONFIG_MAP, "app", &["asia"])).await;
    for cluster in ["eu", "us", "asia"] {
        set.member(cluster).when_there(CONFIG_MAP, "default/app").await;
    }
    set.hub.delete(DEPLOYMENT, "default/one").await;
    set.member("eu").when_gone(CONFIG_MAP, "default/app").await;
    let binding =
        set.hub.when(BINDING, "default/app-configmap", |one| required_clusters(one) == ["us"]).await;
    assert_eq!(binding.0["spec"]["clusters"], json!([{ "name": "asia" }]));
    assert!(set.member("asia").get(CONFIG_MAP, "default/app").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn overwrite_and_preserve_win_and_the_conflict_is_an_event() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(config_map("app", "1")).await;
    for (name, resolution, preserve) in [("one", "Overwrite", true), ("two", "Abort", false)] {
        set.hub.create(with_volumes(name, &["app"])).await;
        let mut policy = following(name, &["eu"]);
        policy["spec"]["conflictResolution"] = json!(resolution);
        policy["spec"]["preserveResourcesOnDeletion"] = json!(preserve);
        set.hub.create(policy).await;
    }
    let settings = |binding: &Object| {
        let spec = &binding.0["spec"];
        (spec["conflictResolution"].clone(), spec["preserveResourcesOnDeletion"].clone())
    };
    let both = |binding: &Object| {
        binding.at(&["spec", "requiredBy"]).and_then(Value::as_array).map(Vec::len) == Some(2)
    };
    let attached = set.hub.when(BINDING, "default/app-configmap", both).await;
    assert_eq!(settings(&attached), (json!("Overwrite"), json!(true)));

    // The settings in which they disagree are told, also when the binding stays as it is.
    set.hub.patch(POLICY, "default/two", json!({ "spec": { "conflictResolution": "Overwrite" } })).await;
    let preserve =
        "Dependency policy conflict detected: PreserveResourcesOnDeletion conflicted (true vs false).";
    when_told(&set, "app-configmap", preserve).await;
    set.hub.patch(POLICY, "default/two", json!({ "spec": { "conflictResolution": "Abort" } })).await;

    set.hub.delete(DEPLOYMENT, "default/one").await;
    set.hub
        .when(BINDING, "default/app-configmap", |binding| settings(binding) == (json!("Abort"), json!(false)))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dependencies_converge_after_a_restart() {
    let set = Federation::start(&["eu", "us"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(with_volumes("web", &["app"])).await;
    set.hub.create(following("web", &["eu"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;

    // Everything changes while no controller runs.
    set.stop_controllers().await;
    set.hub.patch(POLICY, "default/web", placed(&["us"])).await;
    set.hub.create(config_map("other", "1")).await;
    let template = json!({ "spec": { "template": { "spec": { "volumes": volumes(&["other"]) } } } });
    set.hub.patch(DEPLOYMENT, "default/web", template).await;
    set.run_controllers();
    set.member("us").when_there(CONFIG_MAP, "default/other").await;
    set.member("eu").when_gone(CONFIG_MAP, "default/app").await;
    // It may have been there until the new reference was recorded.
    set.member("us").when_gone(CONFIG_MAP, "default/app").await;

    set.hub.patch(POLICY, "default/web", json!({ "spec": { "propagateDeps": false } })).await;
    set.member("us").when_gone(CONFIG_MAP, "default/other").await;
    assert!(set.member("us").get(DEPLOYMENT, "default/web").await.is_some());
}
