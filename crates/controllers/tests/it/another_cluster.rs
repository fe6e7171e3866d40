//! A cluster other than the one that has joined answers at the address of a member.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;
use portolan_object::Object;
use portolan_runtime::Client;
use portolan_runtime::client::Body;
use serde_json::{Value, json};
use tower::Service as _;

use crate::federation::{CLUSTER, CONFIG_MAP, Federation, WORK, config_map, message, policy};

const POLICY: &str = "policy.karmada.io/v1alpha1/PropagationPolicy";

fn is_another(cluster: &Object) -> bool {
    let conditions = cluster.at(&["status", "conditions"]).and_then(Value::as_array).into_iter().flatten();
    conditions
        .filter(|condition| condition["type"] == "Ready")
        .any(|condition| condition["status"] == "False" && condition["reason"] == "AnotherCluster")
}

fn work_of(name: &str) -> String {
    format!("karmada-es-eu/{}", portolan_api::names::work("ConfigMap", name, "default"))
}

/// Puts a ConfigMap into both members.
async fn place(set: &Federation, name: &str) {
    set.hub.create(config_map(name, "1")).await;
    set.hub.create(policy(name, CONFIG_MAP, name, &["eu", "us"])).await;
    set.member("us").when_there(CONFIG_MAP, &format!("default/{name}")).await;
}

/// The address of `eu` leads to `us`, where everything is this control plane's own: the Lease, and objects of the same names.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_or_deleted_there() {
    let mut set = Federation::start(&["us"]).await;
    let (is_switched, us) = (Arc::new(AtomicBool::new(false)), set.member("us").service());
    let switch = is_switched.clone();
    let connect = move |eu| {
        Client::in_process(tower::service_fn(move |request: Request<Body>| {
            let is_switched = switch.load(Ordering::Relaxed);
            let mut server = if is_switched { us.clone() } else { Clone::clone(&eu) };
            async move { server.call(request).await }
        }))
    };
    set.join_behind("eu", connect).await;
    let system = set.member("eu").get("v1/Namespace", "kube-system").await.expect("every API server has it");
    set.hub.patch(CLUSTER, "eu", json!({ "spec": { "id": system.uid() } })).await;
    set.is_ready("eu").await;
    place(&set, "app").await;
    place(&set, "gone").await;
    for name in ["default/app", "default/gone"] {
        set.member("eu").when_there(CONFIG_MAP, name).await;
    }
    let before = set.member("us").get(CONFIG_MAP, "default/app").await.expect("placed");

    is_switched.store(true, Ordering::Relaxed);
    set.member("eu").drain();
    let cluster = set.hub.when(CLUSTER, "eu", is_another).await;
    let text = message(&cluster, "Ready");
    assert!(text.contains("at https://eu.test answers another cluster"), "{text}");
    assert!(text.contains(system.uid()) && text.contains("`portolan unjoin eu --force`"), "{text}");

    // The Work of `eu` is withdrawn, another is changed, and a third is new.
    let only_us = json!({ "spec": { "placement": { "clusterAffinity": { "clusterNames": ["us"] } } } });
    set.hub.patch(POLICY, "default/app", only_us).await;
    set.hub.when(WORK, &work_of("app"), Object::is_deleting).await;
    set.hub.create(config_map("only-eu", "1")).await;
    set.hub.create(policy("only-eu", CONFIG_MAP, "only-eu", &["eu"])).await;
    set.hub.delete(CONFIG_MAP, "default/gone").await;
    set.member("us").when_gone(CONFIG_MAP, "default/gone").await;
    // What comes later through `us` itself arrives.
    set.hub.create(config_map("later", "1")).await;
    set.hub.create(policy("later", CONFIG_MAP, "later", &["us"])).await;
    set.member("us").when_there(CONFIG_MAP, "default/later").await;

    let after = set.member("us").get(CONFIG_MAP, "default/app").await.expect("it stays");
    assert_eq!(after.uid(), before.uid());
    assert!(set.member("us").get(CONFIG_MAP, "default/only-eu").await.is_none());
    assert!(set.hub.get(WORK, &work_of("app")).await.is_some_and(|work| work.is_deleting()), "it waits");
}
