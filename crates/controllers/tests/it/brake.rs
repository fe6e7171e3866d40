//! Mass deletions in members are held until a user releases them.

use std::time::Duration;

use portolan_controllers::BrakeOptions;
use portolan_object::Object;
use portolan_plan::propagation::brake::{Budget, Distrust};
use serde_json::json;

use crate::federation::{CLUSTER, CONFIG_MAP, Federation, condition, config_map, message, policy};

const POLICY: &str = "policy.karmada.io/v1alpha1/PropagationPolicy";

/// A policy that places every ConfigMap of `default` whose name starts with `app` into `eu`.
async fn with_config_maps(set: &Federation, count: usize) {
    for index in 0..count {
        let mut map = config_map(&format!("app-{index}"), "1");
        map["metadata"]["labels"] = json!({ "bulk": "1" });
        set.hub.create(map).await;
    }
    let mut all = policy("app", CONFIG_MAP, "", &["eu"]);
    let selector = json!([{ "apiVersion": "v1", "kind": "ConfigMap", "labelSelector": { "matchLabels": { "bulk": "1" } } }]);
    all["spec"]["resourceSelectors"] = selector;
    set.hub.create(all).await;
    for index in 0..count {
        set.member("eu").when_there(CONFIG_MAP, &format!("default/app-{index}")).await;
    }
}

async fn present(set: &Federation, member: &str, count: usize) -> usize {
    let mut present = 0;
    for index in 0..count {
        present +=
            usize::from(set.member(member).get(CONFIG_MAP, &format!("default/app-{index}")).await.is_some());
    }
    present
}

fn strict() -> BrakeOptions {
    let budget = Budget { objects: 5, percent: 30, window: Duration::from_secs(60) };
    BrakeOptions { budget, ..BrakeOptions::default() }
}

fn placed(clusters: &[&str]) -> serde_json::Value {
    json!({ "spec": { "placement": { "clusterAffinity": { "clusterNames": clusters } } } })
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawals_above_the_budget_wait_for_a_release() {
    let set = Federation::start_with_brake(&["eu", "us"], strict()).await;
    with_config_maps(&set, 12).await;
    set.hub.patch(POLICY, "default/app", placed(&["us"])).await;
    let held = set.hub.when(CLUSTER, "eu", |cluster| condition(cluster, "DeletionsHeld") == "True").await;
    assert!(
        message(&held, "DeletionsHeld").contains("portolan release eu"),
        "{}",
        message(&held, "DeletionsHeld")
    );
    for index in 0..12 {
        set.member("us").when_there(CONFIG_MAP, &format!("default/app-{index}")).await;
    }
    assert_eq!(present(&set, "eu", 12).await, 12, "not even the first one is deleted");

    let now = "2999-01-01T00:00:00Z";
    let release = json!({ "metadata": { "annotations": { "portolan.dev/deletions-released": now } } });
    set.hub.patch(CLUSTER, "eu", release).await;
    for index in 0..12 {
        set.member("eu").when_gone(CONFIG_MAP, &format!("default/app-{index}")).await;
    }
    set.hub.when(CLUSTER, "eu", |cluster| condition(cluster, "DeletionsHeld") == "False").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_put_right_releases_the_objects_unharmed() {
    let set = Federation::start_with_brake(&["eu", "us"], strict()).await;
    with_config_maps(&set, 12).await;
    set.hub.patch(POLICY, "default/app", placed(&["us"])).await;
    set.hub.when(CLUSTER, "eu", |cluster| condition(cluster, "DeletionsHeld") == "True").await;
    let mut uids = Vec::new();
    for index in 0..12 {
        let copy = set.member("eu").get(CONFIG_MAP, &format!("default/app-{index}")).await;
        uids.push(copy.map(|copy| copy.uid().to_owned()));
    }
    set.hub.patch(POLICY, "default/app", placed(&["eu"])).await;
    set.hub.when(CLUSTER, "eu", |cluster| condition(cluster, "DeletionsHeld") == "False").await;
    for (index, uid) in uids.into_iter().enumerate() {
        let is_same = |copy: &Object| uid.as_deref().is_none_or(|uid| copy.uid() == uid);
        set.member("eu").when(CONFIG_MAP, &format!("default/app-{index}"), is_same).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_that_a_user_deletes_are_never_held() {
    let set = Federation::start_with_brake(&["eu"], strict()).await;
    with_config_maps(&set, 12).await;
    for index in 0..12 {
        set.hub.delete(CONFIG_MAP, &format!("default/app-{index}")).await;
    }
    for index in 0..12 {
        set.member("eu").when_gone(CONFIG_MAP, &format!("default/app-{index}")).await;
    }
    let cluster = set.hub.get(CLUSTER, "eu").await.expect("a cluster");
    assert_eq!(condition(&cluster, "DeletionsHeld"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_control_plane_withdraws_nothing_by_itself() {
    let distrust = Distrust {
        since: "2900-01-01T00:00:00Z".to_owned(),
        reason: "the state of the control plane was restored from a backup".to_owned(),
    };
    let brake = BrakeOptions { distrust: Some(distrust), ..BrakeOptions::default() };
    let set = Federation::start_with_brake(&["eu", "us"], brake).await;
    with_config_maps(&set, 1).await;
    set.hub.patch(POLICY, "default/app", placed(&["us"])).await;
    let held = set.hub.when(CLUSTER, "eu", |cluster| condition(cluster, "DeletionsHeld") == "True").await;
    assert!(
        message(&held, "DeletionsHeld").contains("was restored from a backup: ConfigMap default/app-0. If")
    );
    set.member("us").when_there(CONFIG_MAP, "default/app-0").await;
    assert_eq!(present(&set, "eu", 1).await, 1);
}
