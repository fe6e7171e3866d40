//! Joining and leaving say what they wait for, and which finalizer holds it.

use std::time::Duration;

use portolan_controllers::clusters::join::{
    Access, JoinError, JoinRequest, Notices, UnjoinRequest, dry_run, join, unjoin,
};
use portolan_net::Shutdown;
use portolan_object::Object;
use serde_json::json;
use tokio::sync::mpsc;

use crate::federation::{CONFIG_MAP, Federation, Plane, condition, config_map, policy};

const NAMESPACE: &str = "v1/Namespace";
const HOLD: &str = "example.io/hold";
/// Longest wait for a notice.
const TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn joining_says_at_once_which_finalizer_holds_the_namespace() {
    let scope = Shutdown::new();
    let (hub, eu) = (Plane::start(&scope).await, Plane::start(&scope).await);
    for definition in portolan_api::crd::all() {
        hub.define(definition).await;
    }
    eu.create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "karmada-cluster" } }))
        .await;
    eu.create(json!({ "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": "karmada-cluster", "name": "held", "finalizers": [HOLD] } }))
        .await;
    eu.delete(NAMESPACE, "karmada-cluster").await;
    let is_held = |namespace: &Object| condition(namespace, "NamespaceFinalizersRemaining") == "True";
    eu.when(NAMESPACE, "karmada-cluster", is_held).await;

    let (told, mut notices) = mpsc::unbounded_channel();
    let request = JoinRequest {
        name: "eu".to_owned(),
        url: "https://eu.test".to_owned(),
        ca_pem: b"ca".to_vec(),
        // The test may have ended.
        notices: Notices::new(move |notice| drop(told.send(notice.to_owned()))),
        ..JoinRequest::default()
    };
    let refused = dry_run(&hub.client, &eu.client, &request).await.expect_err("it could not join now");
    assert!(matches!(refused, JoinError::Terminating { .. }), "{refused}");
    assert!(refused.to_string().contains("example.io/hold in 1 resource instances"), "{refused}");

    let (hub_client, member) = (hub.client.clone(), eu.client.clone());
    let joining = tokio::spawn(async move { join(&hub_client, &member, &request).await.map(drop) });
    let notice = tokio::time::timeout(TIMEOUT, notices.recv()).await;
    let notice = notice.expect("a notice").expect("the join goes on");
    for part in ["until namespace karmada-cluster is deleted in cluster eu", HOLD, "configmaps has "] {
        assert!(notice.contains(part), "{part} in {notice}");
    }
    eu.patch(CONFIG_MAP, "karmada-cluster/held", json!({ "metadata": { "finalizers": null } })).await;
    joining.await.expect("no panic").expect("the namespace is made again");
    let account = eu.get("v1/ServiceAccount", "karmada-cluster/karmada-eu").await;
    assert!(account.is_some(), "the account is there");
    scope.request();
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_names_what_a_finalizer_holds() {
    let set = Federation::start(&["eu"]).await;
    let eu = set.member("eu");
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    eu.when_there(CONFIG_MAP, "default/app").await;
    eu.patch(CONFIG_MAP, "default/app", json!({ "metadata": { "finalizers": [HOLD] } })).await;
    let request = UnjoinRequest {
        name: "eu",
        access: Access::Administrator(&eu.client),
        force: false,
        patience: TIMEOUT,
        notices: Notices::default(),
    };
    let left = unjoin(&set.hub.client, &request).await.expect("it leaves");
    assert_eq!(left.held, ["ConfigMap default/app (finalizers example.io/hold)"]);
}
