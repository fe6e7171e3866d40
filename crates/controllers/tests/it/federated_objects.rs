//! Federations: plain objects of the hub that every member has.

use portolan_object::{Object, ObjectKey};
use portolan_runtime::Resource;
use portolan_runtime::client::{Delete, Propagation, Selection};
use serde_json::{Value, json};

use crate::federation::{
    BINDING, CONFIG_MAP, DEPLOYMENT, Federation, condition, config_map, deployment, policy,
};

const FEDERATION: &str = "portolan.dev/v1alpha1/Federation";
const SERVICE: &str = "v1/Service";
const NGINX: &str = "default/nginx";

fn federation(name: &str, spec: Value) -> Value {
    json!({ "apiVersion": "portolan.dev/v1alpha1", "kind": "Federation", "metadata": { "name": name }, "spec": spec })
}

/// The Service of Federation v1's user guide.
fn nginx() -> Value {
    json!({ "apiVersion": "v1", "kind": "Service",
        "metadata": { "labels": { "run": "nginx" }, "name": "nginx", "namespace": "default" },
        "spec": { "ports": [{ "port": 80, "protocol": "TCP", "targetPort": 80, "name": "http" }],
            "selector": { "run": "nginx" }, "type": "LoadBalancer" } })
}

fn ingress(addresses: &[&str]) -> Value {
    let entries: Vec<Value> = addresses.iter().map(|address| json!({ "ip": address })).collect();
    json!({ "status": { "loadBalancer": { "ingress": entries } } })
}

fn has_ingress(service: &Object, addresses: &[&str]) -> bool {
    let entries = service.at(&["status", "loadBalancer", "ingress"]).and_then(Value::as_array);
    entries
        .into_iter()
        .flatten()
        .map(|entry| entry["ip"].as_str().unwrap_or_default())
        .eq(addresses.iter().copied())
}

/// Waits until an event with the reason is about the object of the name.
async fn is_told(set: &Federation, name: &str, reason: &str) {
    let api = set.hub.client.resource::<Object>(&Resource::namespaced("", "v1", "Event", "events"));
    let told = async {
        loop {
            let events = api.list(&Selection::all()).await.expect("events");
            let is_it = |event: &Object| {
                event.str_at(&["reason"]) == reason && event.str_at(&["involvedObject", "name"]) == name
            };
            if events.items.iter().any(|event| is_it(&event.object)) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(60), told).await;
    assert!(waited.is_ok(), "no event {reason} about {name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_service_is_in_every_member_and_shows_their_addresses() {
    let mut set = Federation::start(&["eu", "us"]).await;
    let mut theirs = nginx();
    theirs["spec"]["selector"] = json!({ "run": "old", "app": "old" });
    theirs["metadata"]["labels"] = json!({ "team": "web" });
    let adopted = set.member("us").create(theirs).await;
    set.hub.create(federation("myfed", json!({}))).await;
    let created = set.hub.create(nginx()).await;

    set.member("eu").when_there(SERVICE, NGINX).await;
    let is_in_line = |service: &Object| service.str_at(&["spec", "selector", "run"]) == "nginx";
    let conformed = set.member("us").when(SERVICE, NGINX, is_in_line).await;
    assert_eq!(conformed.uid(), adopted.uid(), "it is adopted, not made again");
    assert_eq!(conformed.at(&["spec", "selector"]), Some(&json!({ "run": "nginx" })));
    assert_eq!(conformed.at(&["spec", "clusterIP"]), adopted.at(&["spec", "clusterIP"]));

    set.member("us").patch_status(SERVICE, NGINX, ingress(&["130.211.57.243"])).await;
    set.member("eu").patch_status(SERVICE, NGINX, ingress(&["104.197.246.190", "104.196.14.231"])).await;
    let all = ["104.196.14.231", "104.197.246.190", "130.211.57.243"];
    let shown = set.hub.when(SERVICE, NGINX, |service| has_ingress(service, &all)).await;
    assert_eq!(shown.at(&["metadata", "labels"]), created.at(&["metadata", "labels"]));
    assert_eq!(shown.at(&["metadata", "annotations"]), None, "the user's object has no marks");

    // A cluster that joins later has it too, and one that is federated says so.
    set.join("asia").await;
    set.member("asia").when_there(SERVICE, NGINX).await;
    let is_counted = |federation: &Object| {
        condition(federation, "Ready") == "True" && federation.at(&["status", "objects"]) == Some(&json!(1))
    };
    set.hub.when(FEDERATION, "myfed", is_counted).await;

    // Deleted by hand, it comes back; deleted in the hub, it goes everywhere.
    set.member("eu").delete(SERVICE, NGINX).await;
    let is_new = |service: &Object| service.at(&["status", "loadBalancer", "ingress"]).is_none();
    set.member("eu").when(SERVICE, NGINX, is_new).await;
    set.hub.delete(SERVICE, NGINX).await;
    for member in ["eu", "us", "asia"] {
        set.member(member).when_gone(SERVICE, NGINX).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_addresses_go_with_the_load_balancer() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(federation("myfed", json!({}))).await;
    set.hub.create(nginx()).await;
    set.member("eu").when_there(SERVICE, NGINX).await;
    set.member("eu").patch_status(SERVICE, NGINX, ingress(&["192.0.2.1"])).await;
    set.hub.when(SERVICE, NGINX, |service| has_ingress(service, &["192.0.2.1"])).await;
    set.hub.patch(SERVICE, NGINX, json!({ "spec": { "type": "ClusterIP" } })).await;
    set.hub.when(SERVICE, NGINX, |service| has_ingress(service, &[])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_with_orphans_stays_in_the_members() {
    let set = Federation::start(&["eu", "us"]).await;
    set.hub.create(federation("myfed", json!({}))).await;
    set.hub.create(nginx()).await;
    for member in ["eu", "us"] {
        set.member(member).when_there(SERVICE, NGINX).await;
    }
    let options = Delete { propagation: Some(Propagation::Orphan), ..Delete::default() };
    let services = set.hub.client.resource::<Object>(&Resource::namespaced("", "v1", "Service", "services"));
    services.delete(&ObjectKey::namespaced("default", "nginx"), &options).await.expect("a deletion");
    set.hub.when_gone(SERVICE, NGINX).await;
    set.hub.when_gone(BINDING, "default/nginx-service").await;
    for member in ["eu", "us"] {
        set.member(member).when_there(SERVICE, NGINX).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_stay_when_their_federation_goes() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(federation("myfed", json!({}))).await;
    set.hub.create(nginx()).await;
    set.member("eu").when_there(SERVICE, NGINX).await;
    set.hub.delete(FEDERATION, "myfed").await;
    let is_released = |binding: &Object| binding.label("portolan.dev/federation").is_none();
    set.hub.when(BINDING, "default/nginx-service", is_released).await;
    set.member("eu").when_there(SERVICE, NGINX).await;
    set.hub.create(federation("again", json!({}))).await;
    let is_taken = |binding: &Object| binding.label("portolan.dev/federation") == Some("again");
    set.hub.when(BINDING, "default/nginx-service", is_taken).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_deleted_by_hand_comes_back_and_nothing_leaves_the_members() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(federation("myfed", json!({}))).await;
    set.hub.create(nginx()).await;
    let before = set.member("eu").when_there(SERVICE, NGINX).await;
    let first = set.hub.when_there(BINDING, "default/nginx-service").await;
    set.hub.delete(BINDING, "default/nginx-service").await;
    set.hub.when(BINDING, "default/nginx-service", |binding| binding.uid() != first.uid()).await;
    let after = set.member("eu").when_there(SERVICE, NGINX).await;
    assert_eq!(before.uid(), after.uid());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_has_precedence_and_both_say_so() {
    let set = Federation::start(&["eu", "us"]).await;
    set.hub.create(federation("myfed", json!({}))).await;
    set.hub.create(policy("only-eu", SERVICE, "nginx", &["eu"])).await;
    set.hub.create(nginx()).await;
    set.member("eu").when_there(SERVICE, NGINX).await;
    is_told(&set, "nginx", "FederationLeavesToPolicy").await;
    assert!(set.member("us").get(SERVICE, NGINX).await.is_none());
    // Without the policy it is in every cluster.
    set.hub.delete("policy.karmada.io/v1alpha1/PropagationPolicy", "default/only-eu").await;
    set.member("us").when_there(SERVICE, NGINX).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_kinds_and_namespaces_of_the_federation_are_federated() {
    let set = Federation::start(&["eu"]).await;
    for name in ["shop", "office"] {
        set.hub
            .create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }))
            .await;
    }
    let kinds = json!([{ "apiVersion": "v1", "kind": "ConfigMap" }]);
    let selector = json!({ "matchLabels": { "federated": "yes" } });
    let spec = json!({ "kinds": kinds, "namespaces": { "names": ["shop"], "selector": selector } });
    set.hub.create(federation("myfed", spec)).await;
    let in_namespace = |namespace: &str, name: &str| {
        let mut object = config_map(name, "v");
        object["metadata"]["namespace"] = json!(namespace);
        object
    };
    set.hub.create(in_namespace("office", "later")).await;
    set.hub.create(in_namespace("shop", "web")).await;
    set.hub.create(nginx()).await;
    set.member("eu").when_there(CONFIG_MAP, "shop/web").await;
    assert!(set.member("eu").get(CONFIG_MAP, "office/later").await.is_none());
    assert!(set.member("eu").get(SERVICE, NGINX).await.is_none());
    let label = json!({ "metadata": { "labels": { "federated": "yes" } } });
    set.hub.patch("v1/Namespace", "office", label).await;
    set.member("eu").when_there(CONFIG_MAP, "office/later").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_are_divided_by_the_preferences_of_federation_v1() {
    let set = Federation::start(&["foo", "bar"]).await;
    let kinds = json!([{ "apiVersion": "apps/v1", "kind": "Deployment" }]);
    set.hub.create(federation("myfed", json!({ "kinds": kinds }))).await;
    let preferences = json!({ "rebalance": true, "clusters": {
        "foo": { "minReplicas": 1, "maxReplicas": 2, "weight": 1 }, "*": { "weight": 1 } } });
    let mut web = deployment("web", 9);
    let annotation = "federation.kubernetes.io/deployment-preferences";
    web["metadata"]["annotations"] = json!({ annotation: preferences.to_string() });
    set.hub.create(web).await;
    let has = |replicas: i64| move |copy: &Object| copy.at(&["spec", "replicas"]) == Some(&json!(replicas));
    set.member("foo").when(DEPLOYMENT, "default/web", has(2)).await;
    set.member("bar").when(DEPLOYMENT, "default/web", has(7)).await;
    // What cannot be read changes nothing and is said.
    let wrong = json!({ "metadata": { "annotations": { annotation: "{" } }, "spec": { "replicas": 4 } });
    set.hub.patch(DEPLOYMENT, "default/web", wrong).await;
    is_told(&set, "web", "FederationFailed").await;
    assert!(has(2)(&set.member("foo").when_there(DEPLOYMENT, "default/web").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_federation_that_overlaps_with_another_says_so() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(federation("a", json!({ "namespaces": { "names": ["default"] } }))).await;
    set.hub.create(federation("b", json!({}))).await;
    set.hub.when(FEDERATION, "b", |federation| condition(federation, "Ready") == "False").await;
    set.hub.when(FEDERATION, "a", |federation| condition(federation, "Ready") == "True").await;
    set.hub.delete(FEDERATION, "a").await;
    set.hub.when(FEDERATION, "b", |federation| condition(federation, "Ready") == "True").await;
}
