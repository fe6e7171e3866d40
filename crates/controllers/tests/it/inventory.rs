//! ClusterProfiles of the members.

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
