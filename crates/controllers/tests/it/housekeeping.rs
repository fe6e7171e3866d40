//! The controllers of every API server: garbage collection and namespaces.

use portolan_net::Shutdown;
use portolan_object::{Object, ObjectKey};
use portolan_runtime::Resource;
use portolan_runtime::client::{Delete, Propagation};
use serde_json::{Value, json};

use crate::federation::Plane;

const CONFIG_MAP: &str = "v1/ConfigMap";
const POD: &str = "v1/Pod";

async fn config_map(plane: &Plane, name: &str) -> Object {
    let metadata = json!({ "namespace": "default", "name": name });
    plane.create(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata })).await
}

/// A patch that makes a ConfigMap the owner of an object that blocks its deletion.
fn owned_by(owner: &Object) -> Value {
    json!({ "metadata": { "ownerReferences": [{ "apiVersion": "v1", "kind": "ConfigMap", "name": owner.name(),
        "uid": owner.uid(), "blockOwnerDeletion": true }] } })
}

async fn delete_in_foreground(plane: &Plane, name: &str) {
    let maps = Resource::namespaced("", "v1", "ConfigMap", "configmaps");
    let options = Delete { propagation: Some(Propagation::Foreground), ..Delete::default() };
    let deleted = plane
        .client
        .resource::<Object>(&maps)
        .delete(&ObjectKey::namespaced("default", name), &options)
        .await;
    deleted.expect("it can be deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_scoped_object_stays_although_its_owner_is_in_a_namespace() {
    let scope = Shutdown::new();
    let plane = Plane::start(&scope).await;
    let owner = config_map(&plane, "owner").await;
    let role = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": { "name": "reader" }, "rules": [] });
    plane.create(role).await;
    let role = "rbac.authorization.k8s.io/v1/ClusterRole";
    plane.patch(role, "reader", owned_by(&owner)).await;

    let events = Resource::namespaced("", "v1", "Event", "events");
    let events = plane.client.resource::<Object>(&events);
    let told = async {
        loop {
            let found = events.list(&portolan_runtime::client::Selection::namespace("default")).await;
            let found = found.expect("events can be listed").items;
            if let Some(event) =
                found.iter().find(|event| event.object.0["reason"] == "OwnerRefInvalidNamespace")
            {
                return event.object.clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let event = tokio::time::timeout(std::time::Duration::from_secs(60), told).await.expect("an Event");
    assert_eq!(event.str_at(&["involvedObject", "name"]), "reader");
    plane.delete(CONFIG_MAP, "default/owner").await;
    // A dependent of the same owner that is in its namespace shows that the collector has seen the deletion.
    let dependent = config_map(&plane, "dependent").await;
    plane.patch(CONFIG_MAP, &format!("default/{}", dependent.name()), owned_by(&owner)).await;
    plane.when_gone(CONFIG_MAP, "default/dependent").await;
    assert!(plane.get(role, "reader").await.is_some());
    scope.request();
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_own_each_other_in_a_cycle_go_when_one_is_deleted_in_the_foreground() {
    let scope = Shutdown::new();
    let plane = Plane::start(&scope).await;
    let (a, b, c) =
        (config_map(&plane, "a").await, config_map(&plane, "b").await, config_map(&plane, "c").await);
    plane.patch(CONFIG_MAP, "default/a", owned_by(&c)).await;
    plane.patch(CONFIG_MAP, "default/b", owned_by(&a)).await;
    plane.patch(CONFIG_MAP, "default/c", owned_by(&b)).await;
    delete_in_foreground(&plane, "a").await;
    for name in ["default/a", "default/b", "default/c"] {
        plane.when_gone(CONFIG_MAP, name).await;
    }
    scope.request();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pods_of_a_namespace_go_before_what_they_use() {
    let scope = Shutdown::new();
    let plane = Plane::start(&scope).await;
    plane.create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } })).await;
    plane.when_there("v1/ServiceAccount", "shop/default").await;
    let metadata = json!({ "namespace": "shop", "name": "settings" });
    plane.create(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata })).await;
    plane
        .create(json!({ "apiVersion": "v1", "kind": "Pod",
            "metadata": { "namespace": "shop", "name": "web", "finalizers": ["test.example/hold"] },
            "spec": { "containers": [{ "name": "web", "image": "nginx" }] } }))
        .await;
    plane.delete("v1/Namespace", "shop").await;
    let told = |namespace: &Object| {
        let conditions = namespace.0["status"]["conditions"].as_array().into_iter().flatten();
        let mut remaining = conditions.filter(|condition| condition["type"] == "NamespaceContentRemaining");
        remaining.any(|condition| {
            condition["message"] == "Some resources are remaining: pods has 1 resource instances"
        })
    };
    plane.when("v1/Namespace", "shop", told).await;
    assert!(!plane.when_there(CONFIG_MAP, "shop/settings").await.is_deleting());
    plane.patch(POD, "shop/web", json!({ "metadata": { "finalizers": null } })).await;
    plane.when_gone("v1/Namespace", "shop").await;
    assert!(plane.get(CONFIG_MAP, "shop/settings").await.is_none());
    scope.request();
}

/// Objects are created until the API server refuses them, so that the last one is newer than the caches of the controllers.
#[tokio::test(flavor = "multi_thread")]
async fn no_object_outlives_its_namespace_when_it_was_created_just_before_the_deletion() {
    let scope = Shutdown::new();
    let plane = Plane::start(&scope).await;
    let maps = plane.client.resource::<Object>(&Resource::namespaced("", "v1", "ConfigMap", "configmaps"));
    for round in 0..10 {
        let namespace = format!("shop-{round}");
        plane
            .create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }))
            .await;
        let (writer, of) = (maps.clone(), namespace.clone());
        let writing = tokio::spawn(async move {
            for number in 0.. {
                let metadata = json!({ "namespace": of, "name": format!("map-{number}") });
                let map = Object(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata }));
                if writer.create(&map).await.is_err() {
                    return number;
                }
            }
            0
        });
        plane.when_there(CONFIG_MAP, &format!("{namespace}/map-0")).await;
        plane.delete("v1/Namespace", &namespace).await;
        plane.when_gone("v1/Namespace", &namespace).await;
        let created = writing.await.expect("no panic");
        assert!(maps.is_empty(&namespace).await.expect("a list"), "round {round}: one of {created} is left");
    }
    scope.request();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_of_a_namespace_is_written_again_after_an_edit() {
    let scope = Shutdown::new();
    let plane = Plane::start(&scope).await;
    let name = "default/kube-root-ca.crt";
    plane.when_there(CONFIG_MAP, name).await;
    plane.patch(CONFIG_MAP, name, json!({ "data": { "ca.crt": "edited", "more": "x" } })).await;
    plane.when(CONFIG_MAP, name, |found| found.0["data"] == json!({ "ca.crt": "" })).await;
    scope.request();
}
