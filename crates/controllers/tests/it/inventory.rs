//! ClusterProfiles of the members.

use std::time::Duration;

use portolan_object::Object;
use portolan_runtime::Resource;
use portolan_runtime::client::Selection;
use serde_json::json;

use crate::cluster_sets::{PROPERTY, SET, set};
use crate::federation::{CLUSTER, Federation, condition};

const PROFILE: &str = "multicluster.x-k8s.io/v1alpha1/ClusterProfile";

#[tokio::test(flavor = "multi_thread")]
async fn each_member_has_a_profile_in_the_namespace_of_its_set() {
    let federation = Federation::start(&["eu", "us"]).await;
    let hub = &federation.hub;
    hub.when(PROFILE, "portolan-clusters/us", |profile| condition(profile, "ControlPlaneHealthy") == "True")
        .await;
    hub.create(set(&[("eu", "first")])).await;
    hub.when(SET, "prod", |set| set.0["status"]["joined"] == "1/1").await;
    let id = json!({ "name": "cluster.clusterset.k8s.io", "value": "first" });
    let of_set = "portolan-clusterset-prod/eu";
    let has_id = |profile: &portolan_object::Object| {
        profile.0["status"]["properties"].as_array().is_some_and(|properties| properties.contains(&id))
    };
    let profile = hub.when(PROFILE, of_set, has_id).await;
    assert_eq!(profile.0["spec"], json!({ "displayName": "eu", "clusterManager": { "name": "portolan" } }));
    assert_eq!(profile.label("x-k8s.io/cluster-manager"), Some("portolan"));
    assert_eq!(condition(&profile, "Joined"), "True");
    hub.when_gone(PROFILE, "portolan-clusters/eu").await;
    let namespace = hub.when_there("v1/Namespace", "portolan-clusterset-prod").await;
    assert_eq!(namespace.label("multicluster.x-k8s.io/clusterset"), Some("prod"));
    let stays = "namespace.karmada.io/skip-auto-propagation";
    assert_eq!(namespace.label(stays), Some("true"), "members do not get it");

    // What a member says of itself, and what the Cluster says of its place.
    let tier = json!({ "apiVersion": "about.k8s.io/v1beta1", "kind": "ClusterProperty",
        "metadata": { "name": "tier.example.com" }, "spec": { "value": "gold" } });
    federation.member("eu").create(tier).await;
    hub.patch(CLUSTER, "eu", json!({ "spec": { "region": "eu-west" } })).await;
    hub.when(PROFILE, of_set, |profile| {
        let properties = profile.0["status"]["properties"].to_string();
        properties.contains("gold") && properties.contains("eu-west")
    })
    .await;
    federation.member("eu").delete(PROPERTY, "tier.example.com").await;
    hub.when(PROFILE, of_set, |profile| !profile.0["status"].to_string().contains("gold")).await;

    // A deleted profile comes back, and that of a cluster that has left goes.
    hub.delete(PROFILE, of_set).await;
    hub.when(PROFILE, of_set, has_id).await;
    hub.delete(CLUSTER, "us").await;
    hub.when_gone(PROFILE, "portolan-clusters/us").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_of_the_user_gets_the_labels_of_the_set() {
    let federation = Federation::start(&["eu"]).await;
    let hub = &federation.hub;
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": "portolan-clusterset-prod", "labels": { "team": "a" } } });
    hub.create(namespace).await;
    hub.create(set(&[("eu", "")])).await;
    hub.when_there(PROFILE, "portolan-clusterset-prod/eu").await;
    let has_labels = |namespace: &Object| {
        let label = |name| namespace.label(name);
        label("multicluster.x-k8s.io/clusterset") == Some("prod")
            && label("clusterset.multicluster.x-k8s.io") == Some("prod")
            && label("team") == Some("a")
    };
    hub.when("v1/Namespace", "portolan-clusterset-prod", has_labels).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_of_another_manager_is_left_alone_and_told_of_once() {
    let mut federation = Federation::start(&["us"]).await;
    // The manager of a profile cannot change: it is there before the cluster joins.
    federation.hub.when_there("v1/Namespace", "portolan-clusters").await;
    let other = json!({ "apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ClusterProfile",
        "metadata": { "namespace": "portolan-clusters", "name": "eu" },
        "spec": { "clusterManager": { "name": "other" } } });
    federation.hub.create(other).await;
    federation.join("eu").await;
    let hub = &federation.hub;
    let told = async || {
        let events = Resource::namespaced("", "v1", "Event", "events");
        let listed = hub.client.resource::<Object>(&events).list(&Selection::all()).await.expect("events");
        let reasons =
            listed.items.iter().filter(|seen| seen.object.str_at(&["reason"]) == "ClusterProfileNotOurs");
        let counts = reasons.map(|seen| seen.object.0["count"].as_u64().unwrap_or(1));
        counts.sum::<u64>()
    };
    let first = async {
        while told().await == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), first).await.is_ok(), "no Event");
    for region in ["eu-1", "eu-2", "eu-3"] {
        hub.patch(CLUSTER, "eu", json!({ "spec": { "region": region } })).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(told().await, 1);
    let kept = hub.get(PROFILE, "portolan-clusters/eu").await.expect("the profile");
    assert!(!kept.0["status"].to_string().contains("eu-3"), "{kept:?}");
}
