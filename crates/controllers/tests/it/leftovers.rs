//! A cluster that has left is as it was before it joined: all objects of all kinds are compared, with their content.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portolan_controllers::clusters::join::{Access, Notices, UnjoinRequest, unjoin, unjoin_dry_run};
use portolan_object::Object;
use portolan_runtime::Client;
use portolan_runtime::client::Selection;
use serde_json::{Value, json};

use crate::cluster_sets::{DERIVED, IMPORT, PROPERTY, SET, serve, set, slice};
use crate::federation::{CLUSTER, CONFIG_MAP, DEPLOYMENT, Federation, Plane, deployment, policy};

const TIMEOUT: Duration = Duration::from_secs(60);
const CLUSTER_ROLE: &str = "rbac.authorization.k8s.io/v1/ClusterRole";
/// Definitions that a cluster set installs stay, because deleting them deletes all objects of their kinds.
const OF_CLUSTER_SETS: [&str; 2] = [".multicluster.x-k8s.io", ".about.k8s.io"];

/// All objects of a cluster, without what changes by itself.
async fn objects(plane: &Plane) -> BTreeMap<String, Value> {
    let discovery = plane.client.discover().await.expect("an API server that answers");
    let kinds = discovery.resources.into_iter().filter(|found| found.preferred && found.allows(&["list"]));
    let mut objects = BTreeMap::new();
    for resource in kinds.map(|found| found.resource).filter(|resource| resource.gvk.kind != "Event") {
        let api = plane.client.resource::<Object>(&resource);
        let listed = api.list(&Selection::all()).await.expect("a list");
        for mut object in listed.items.into_iter().map(|seen| seen.object) {
            let is_definition = resource.gvk.kind == "CustomResourceDefinition";
            if is_definition && OF_CLUSTER_SETS.iter().any(|group| object.name().ends_with(group)) {
                continue;
            }
            for changing in ["resourceVersion", "managedFields", "generation"] {
                object.metadata_mut().remove(changing);
            }
            let name = format!("{} {}", resource.gvk.kind, object.key());
            object.0["status"] = Value::Null;
            // Filled in from other roles, some time after the start.
            if object.0["aggregationRule"].is_object() {
                object.0["rules"] = Value::Null;
            }
            objects.insert(name, object.0);
        }
    }
    objects
}

/// Waits until each namespace has the objects that every namespace gets.
async fn settled(plane: &Plane) -> BTreeMap<String, Value> {
    let found = objects(plane).await;
    for namespace in found.keys().filter_map(|name| name.strip_prefix("Namespace ")) {
        plane.when_there("v1/ServiceAccount", &format!("{namespace}/default")).await;
        plane.when_there(CONFIG_MAP, &format!("{namespace}/kube-root-ca.crt")).await;
    }
    objects(plane).await
}

/// What differs: objects that are new, gone or changed.
fn differences(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Vec<String> {
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    let differing = names.filter(|name| before.get(*name) != after.get(*name));
    differing.map(|name| format!("{name}: {:?} -> {:?}", before.get(name), after.get(name))).collect()
}

async fn becomes(plane: &Plane, before: &BTreeMap<String, Value>) {
    let mut last = Vec::new();
    let reached = async {
        loop {
            last = differences(before, &objects(plane).await);
            if last.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let reached = tokio::time::timeout(TIMEOUT, reached).await;
    assert!(reached.is_ok(), "left behind: {last:#?}");
}

/// What a user places in `eu` and `us`.
async fn place(hub: &Plane) {
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } });
    hub.create(namespace).await;
    hub.create(deployment("web", 1)).await;
    hub.create(policy("web", DEPLOYMENT, "web", &["eu", "us"])).await;
    hub.create(json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": { "name": "readers" }, "rules": [] }))
        .await;
    hub.create(json!({ "apiVersion": "policy.karmada.io/v1alpha1", "kind": "ClusterPropagationPolicy",
        "metadata": { "name": "readers" },
        "spec": { "resourceSelectors": [{ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "name": "readers" }], "placement": {} } }))
        .await;
}

/// The account that `join` made in a member.
async fn account(set: &Federation, name: &str) -> Client {
    let secret = set.hub.get("v1/Secret", &format!("karmada-cluster/{name}")).await.expect("a Secret");
    let token = STANDARD.decode(secret.str_at(&["data", "token"])).expect("base64");
    set.member(name).as_bearer(&String::from_utf8(token).expect("text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_has_left_is_as_it_was_before() {
    let mut set = Federation::start(&["us"]).await;
    set.add("eu").await;
    let (hub, eu) = (&set.hub, set.member("eu"));
    // A Service of the user, which is there before and afterwards.
    let own = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": "default", "name": "own" },
        "spec": { "ports": [{ "port": 80 }] } });
    eu.create(own).await;
    eu.create(slice("10.10.0.9")).await;
    let before = settled(eu).await;
    place(hub).await;
    hub.create(set_of_both()).await;
    set.member("us").when_there(PROPERTY, "clusterset.k8s.io").await;
    serve(set.member("us"), "10.10.0.5").await;

    for by_account in [false, true] {
        let _joined = set.join_by_command("eu", eu, false).await.expect("joined");
        set.is_ready("eu").await;
        eu.when_there(DEPLOYMENT, "default/web").await;
        eu.when_there(CLUSTER_ROLE, "readers").await;
        eu.when_there("v1/Namespace", "shop").await;
        eu.when_there(IMPORT, "default/serve").await;
        eu.when_there("v1/Service", DERIVED).await;
        let account = account(&set, "eu").await;
        let access = if by_account { Access::Account(&account) } else { Access::Administrator(&eu.client) };
        let request = UnjoinRequest {
            name: "eu",
            access,
            force: false,
            patience: TIMEOUT,
            notices: Notices::default(),
        };
        let left = unjoin(&hub.client, &request).await.expect("it leaves");
        assert!(left.remains.is_empty() && left.held.is_empty(), "{left:?}");
        hub.when_gone(CLUSTER, "eu").await;
        becomes(eu, &before).await;
    }
    assert!(hub.get(SET, "prod").await.is_some(), "the set stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_with_few_rights_names_the_kinds_that_it_cannot_see() {
    let mut set = Federation::start(&[]).await;
    set.add("eu").await;
    let eu = set.member("eu");
    let _joined = set.join_by_command("eu", eu, false).await.expect("joined");
    let account = account(&set, "eu").await;
    let rules = json!([
        { "apiGroups": [""], "resources": ["namespaces", "serviceaccounts"], "verbs": ["get", "list"] },
        { "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "list"] },
        { "nonResourceURLs": ["*"], "verbs": ["get"] },
    ]);
    eu.patch(CLUSTER_ROLE, "karmada-controller-manager:karmada-eu", json!({ "rules": rules })).await;
    let request = || UnjoinRequest {
        name: "eu",
        access: Access::Account(&account),
        force: false,
        patience: TIMEOUT,
        notices: Notices::default(),
    };
    let limited = async {
        loop {
            let leaving = unjoin_dry_run(&set.hub.client, &request()).await.expect("it could leave");
            if !leaving.hidden.is_empty() {
                return leaving;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let leaving = tokio::time::timeout(TIMEOUT, limited).await.expect("the rights are taken away");
    assert!(leaving.hidden.contains(&"secrets.v1".to_owned()), "{leaving:?}");
    assert!(leaving.deleted.contains(&"ServiceAccount karmada-cluster/karmada-eu".to_owned()), "{leaving:?}");
}

fn set_of_both() -> Value {
    set(&[("eu", ""), ("us", "")])
}
