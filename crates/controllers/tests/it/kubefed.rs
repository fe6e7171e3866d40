//! Federated objects of KubeFed.

use portolan_object::Object;
use serde_json::{Value, json};

use crate::federation::{
    BINDING, CLUSTER, CONFIG_MAP, DEPLOYMENT, Federation, WORK, condition, config_map, deployment, policy,
};

const FEDERATED_CONFIG_MAP: &str = "types.kubefed.io/v1beta1/FederatedConfigMap";
const FEDERATED_DEPLOYMENT: &str = "types.kubefed.io/v1beta1/FederatedDeployment";
const FEDERATED_NAMESPACE: &str = "types.kubefed.io/v1beta1/FederatedNamespace";
const NAMESPACE: &str = "v1/Namespace";

/// A federated object in `default` unless the name says otherwise.
fn federated(kind: &str, name: &str, template: Value, clusters: &[&str]) -> Value {
    let (api_version, kind) = kind.rsplit_once('/').expect("apiVersion/Kind");
    let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
    let clusters: Vec<Value> = clusters.iter().map(|name| json!({ "name": name })).collect();
    json!({ "apiVersion": api_version, "kind": kind, "metadata": { "namespace": namespace, "name": name },
        "spec": { "template": template, "placement": { "clusters": clusters } } })
}

fn data(value: &str) -> Value {
    json!({ "data": { "k": value } })
}

/// `name=status` of each cluster in the status of a federated object.
fn clusters(object: &Object) -> Vec<String> {
    let clusters = object.at(&["status", "clusters"]).and_then(Value::as_array).into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    clusters.map(|cluster| format!("{}={}", text(&cluster["name"]), text(&cluster["status"]))).collect()
}

fn is_propagated(object: &Object) -> bool {
    condition(object, "Propagation") == "True"
        && object.at(&["status", "observedGeneration"]) == Some(&json!(object.generation()))
}

fn has(want: &'static [&'static str]) -> impl Fn(&Object) -> bool {
    move |object| clusters(object) == want
}

#[tokio::test(flavor = "multi_thread")]
async fn the_template_goes_to_the_placement_with_the_overrides_of_each_cluster() {
    let set = Federation::start(&["eu", "us"]).await;
    let mut template = deployment("web", 3);
    template["metadata"] = json!({ "labels": { "app": "web" }, "annotations": { "foo": "remove-me" } });
    template["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["-g", "daemon off;"]);
    let mut web = federated(FEDERATED_DEPLOYMENT, "web", template, &["us", "eu"]);
    web["spec"]["overrides"] = json!([{ "clusterName": "eu", "clusterOverrides": [
        { "path": "/spec/replicas", "value": 5 },
        { "path": "/spec/template/spec/containers/0/image", "value": "nginx:1.17.0-alpine" },
        { "path": "/metadata/annotations", "op": "add", "value": { "foo": "bar" } },
        { "path": "/metadata/annotations/foo", "op": "remove" },
        { "path": "/spec/template/spec/containers/0/args/0", "op": "add", "value": "-q" },
    ] }]);
    set.hub.create(web).await;

    let done = set.hub.when(FEDERATED_DEPLOYMENT, "default/web", is_propagated).await;
    assert_eq!(clusters(&done), ["eu=", "us="]);
    assert_eq!(done.finalizers().collect::<Vec<_>>(), ["kubefed.io/sync-controller"]);
    let container = |copy: &Object| copy.0["spec"]["template"]["spec"]["containers"][0].clone();
    let eu = set.member("eu").get(DEPLOYMENT, "default/web").await.expect("reported as done");
    assert_eq!(eu.at(&["spec", "replicas"]), Some(&json!(5)));
    assert_eq!(container(&eu)["image"], "nginx:1.17.0-alpine");
    assert_eq!(container(&eu)["args"], json!(["-q", "-g", "daemon off;"]));
    assert_eq!((eu.annotation("foo"), eu.label("kubefed.io/managed")), (None, Some("true")));
    let us = set.member("us").get(DEPLOYMENT, "default/web").await.expect("reported as done");
    assert_eq!(us.at(&["spec", "replicas"]), Some(&json!(3)));
    assert_eq!((container(&us)["image"].as_str(), us.annotation("foo")), (Some("nginx"), Some("remove-me")));
    assert!(set.hub.get(DEPLOYMENT, "default/web").await.is_none(), "the hub has no copy");

    let change = json!({ "spec": { "template": { "spec": { "replicas": 4 } }, "placement": { "clusters": [{ "name": "us" }] } } });
    set.hub.patch(FEDERATED_DEPLOYMENT, "default/web", change).await;
    let four = |copy: &Object| copy.at(&["spec", "replicas"]) == Some(&json!(4));
    set.member("us").when(DEPLOYMENT, "default/web", four).await;
    set.member("eu").when_gone(DEPLOYMENT, "default/web").await;
    set.hub.when(FEDERATED_DEPLOYMENT, "default/web", has(&["us="])).await;

    set.hub.delete(FEDERATED_DEPLOYMENT, "default/web").await;
    set.hub.when_gone(FEDERATED_DEPLOYMENT, "default/web").await;
    assert!(set.member("us").get(DEPLOYMENT, "default/web").await.is_none(), "deleted before its source");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selector_follows_the_labels_of_clusters() {
    let set = Federation::start(&["eu", "us"]).await;
    let mut app = federated(FEDERATED_CONFIG_MAP, "app", data("1"), &[]);
    app["spec"]["placement"] = json!({ "clusterSelector": { "matchLabels": { "env": "prod" } } });
    set.hub.create(app).await;
    set.hub.when(FEDERATED_CONFIG_MAP, "default/app", is_propagated).await;
    let label = json!({ "metadata": { "labels": { "env": "prod" } } });
    set.hub.patch(CLUSTER, "us", label).await;
    set.member("us").when_there(CONFIG_MAP, "default/app").await;
    assert!(set.member("eu").get(CONFIG_MAP, "default/app").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_in_members_are_adopted_and_repaired_and_stay_when_orphaned() {
    let set = Federation::start(&["eu"]).await;
    let eu = set.member("eu");
    let theirs = eu.create(config_map("app", "theirs")).await;
    set.hub.create(federated(FEDERATED_CONFIG_MAP, "app", data("ours"), &["eu"])).await;
    let is_ours = |copy: &Object| copy.str_at(&["data", "k"]) == "ours";
    let adopted = eu.when(CONFIG_MAP, "default/app", is_ours).await;
    assert_eq!(adopted.uid(), theirs.uid(), "adopted, not made again");
    eu.patch(CONFIG_MAP, "default/app", data("edited")).await;
    eu.when(CONFIG_MAP, "default/app", is_ours).await;

    // A binding or Work that a user deletes is made again over the same object.
    set.hub.when(FEDERATED_CONFIG_MAP, "default/app", is_propagated).await;
    let binding = set.hub.get(BINDING, "default/app-federatedconfigmap").await.expect("a binding");
    set.hub.delete(BINDING, "default/app-federatedconfigmap").await;
    set.hub.when(BINDING, "default/app-federatedconfigmap", |next| next.uid() != binding.uid()).await;
    assert_eq!(eu.get(CONFIG_MAP, "default/app").await.map(|copy| copy.uid() == theirs.uid()), Some(true));

    let orphan = json!({ "metadata": { "annotations": { "kubefed.io/orphan": "true" } } });
    set.hub.patch(FEDERATED_CONFIG_MAP, "default/app", orphan).await;
    set.hub.delete(FEDERATED_CONFIG_MAP, "default/app").await;
    set.hub.when_gone(FEDERATED_CONFIG_MAP, "default/app").await;
    set.hub.when_gone(BINDING, "default/app-federatedconfigmap").await;
    let kept = eu.get(CONFIG_MAP, "default/app").await.expect("orphaned");
    assert_eq!((kept.label("kubefed.io/managed"), kept.label("karmada.io/managed")), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_cluster_says_what_is_wrong_and_the_others_go_on() {
    let set = Federation::start(&["eu", "us", "asia"]).await;
    let mut unmanaged = config_map("app", "theirs");
    unmanaged["metadata"]["labels"] = json!({ "kubefed.io/managed": "false" });
    set.member("us").create(unmanaged).await;
    let mut app = federated(FEDERATED_CONFIG_MAP, "app", data("1"), &["eu", "us", "asia", "mars"]);
    app["spec"]["overrides"] =
        json!([{ "clusterName": "asia", "clusterOverrides": [{ "path": "/no/such/field", "value": 1 }] }]);
    set.hub.create(app).await;
    let failing = has(&["asia=ApplyOverridesFailed", "eu=", "us=ManagedLabelFalse"]);
    let found = set.hub.when(FEDERATED_CONFIG_MAP, "default/app", failing).await;
    let propagation = &found.0["status"]["conditions"][0];
    assert_eq!((&propagation["status"], &propagation["reason"]), (&json!("False"), &json!("CheckClusters")));
    let message = propagation["message"].as_str().expect("a message");
    assert!(message.contains("clusters that do not exist: mars"), "{message}");
    let messages = found.0["status"]["clusters"].to_string();
    assert!(messages.contains("there is no /no in the template"), "{messages}");
    let theirs = set.member("us").get(CONFIG_MAP, "default/app").await.expect("not touched");
    assert_eq!(theirs.str_at(&["data", "k"]), "theirs");

    // What is mended arrives.
    set.hub.patch(FEDERATED_CONFIG_MAP, "default/app", json!({ "spec": { "overrides": null } })).await;
    set.member("asia").when_there(CONFIG_MAP, "default/app").await;
    set.hub.delete(FEDERATED_CONFIG_MAP, "default/app").await;
    set.hub.when_gone(FEDERATED_CONFIG_MAP, "default/app").await;
    assert!(set.member("us").get(CONFIG_MAP, "default/app").await.is_some(), "not touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_and_a_placement_that_cannot_be_used_leave_members_as_they_are() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(federated(FEDERATED_CONFIG_MAP, "app", data("1"), &["eu"])).await;
    set.hub.when(FEDERATED_CONFIG_MAP, "default/app", is_propagated).await;
    let other_group = json!({ "spec": { "template": { "apiVersion": "apps/v1" } } });
    set.hub.patch(FEDERATED_CONFIG_MAP, "default/app", other_group).await;
    let failing = has(&["eu=ComputeResourceFailed"]);
    set.hub.when(FEDERATED_CONFIG_MAP, "default/app", failing).await;
    let bad_selector = json!({ "spec": { "template": { "apiVersion": "v1" }, "placement": { "clusters": null,
        "clusterSelector": { "matchExpressions": [{ "key": "env", "operator": "Near", "values": ["x"] }] } } } });
    set.hub.patch(FEDERATED_CONFIG_MAP, "default/app", bad_selector).await;
    let is_unplaced = |object: &Object| {
        object.0["status"]["conditions"][0]["reason"] == "ComputePlacementFailed"
            && clusters(object) == ["eu="]
    };
    set.hub.when(FEDERATED_CONFIG_MAP, "default/app", is_unplaced).await;
    assert!(set.member("eu").get(CONFIG_MAP, "default/app").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_federated_object_and_a_template_of_one_name_do_not_fight() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(config_map("app", "template")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;
    set.hub.create(federated(FEDERATED_CONFIG_MAP, "app", data("federated"), &["eu"])).await;
    let taken = has(&["eu=AlreadyExists"]);
    let found = set.hub.when(FEDERATED_CONFIG_MAP, "default/app", taken).await;
    let messages = found.0["status"]["clusters"].to_string();
    assert!(messages.contains("default/app-configmap"), "{messages}");
    let copy = set.member("eu").get(CONFIG_MAP, "default/app").await.expect("the template's");
    assert_eq!(copy.str_at(&["data", "k"]), "template");

    set.hub.delete(CONFIG_MAP, "default/app").await;
    let is_ours = |copy: &Object| copy.str_at(&["data", "k"]) == "federated";
    set.member("eu").when(CONFIG_MAP, "default/app", is_ours).await;
    set.hub.when(FEDERATED_CONFIG_MAP, "default/app", has(&["eu="])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_federated_namespace_decides_where_its_namespace_and_the_objects_in_it_are() {
    let set = Federation::start(&["eu", "us"]).await;
    set.hub.create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } })).await;
    set.member("us").when_there(NAMESPACE, "shop").await;
    set.hub.create(federated(FEDERATED_CONFIG_MAP, "shop/app", data("1"), &["eu", "us"])).await;
    set.member("us").when_there(CONFIG_MAP, "shop/app").await;

    let template = json!({ "metadata": { "labels": { "team": "a" } } });
    set.hub.create(federated(FEDERATED_NAMESPACE, "shop/shop", template, &["eu"])).await;
    set.member("eu").when(NAMESPACE, "shop", |copy| copy.label("team") == Some("a")).await;
    set.member("us").when_gone(CONFIG_MAP, "shop/app").await;
    set.hub.when(FEDERATED_CONFIG_MAP, "shop/app", has(&["eu="])).await;
    assert!(set.member("us").get(NAMESPACE, "shop").await.is_some(), "it was there before and stays");
    let work = format!("karmada-es-eu/{}", portolan_api::names::work("Namespace", "shop", ""));
    let owner = set.hub.get(WORK, &work).await.expect("a work");
    assert_eq!(owner.annotation("resourcebinding.karmada.io/name"), Some("shop-federatednamespace"));

    set.hub.create(federated(FEDERATED_NAMESPACE, "shop/other", json!({}), &["us"])).await;
    let found = set.hub.when(FEDERATED_NAMESPACE, "shop/other", has(&["us=ComputeResourceFailed"])).await;
    let messages = found.0["status"]["clusters"].to_string();
    assert!(messages.contains("has the name of the namespace"), "{messages}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_stays_in_its_clusters_and_goes_to_the_others_when_its_federated_namespace_is_deleted() {
    let set = Federation::start(&["eu", "us"]).await;
    // The namespace is in `us` only after the FederatedNamespace is gone.
    let skipped = json!({ "namespace.karmada.io/skip-auto-propagation": "true" });
    set.hub
        .create(json!({ "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": "shop", "labels": skipped } }))
        .await;
    set.hub.create(federated(FEDERATED_NAMESPACE, "shop/shop", json!({}), &["eu"])).await;
    set.member("eu").when_there(NAMESPACE, "shop").await;
    set.hub
        .patch(
            NAMESPACE,
            "shop",
            json!({ "metadata": { "labels": {
            "namespace.karmada.io/skip-auto-propagation": null } } }),
        )
        .await;
    set.member("eu").create(config_map_in("shop", "app")).await;
    let before = set.member("eu").get(NAMESPACE, "shop").await.expect("it is there");
    set.hub.delete(FEDERATED_NAMESPACE, "shop/shop").await;
    set.member("us").when_there(NAMESPACE, "shop").await;
    let work = format!("karmada-es-eu/{}", portolan_api::names::work("Namespace", "shop", ""));
    set.hub.when(WORK, &work, |work| work.annotation("resourcebinding.karmada.io/name").is_none()).await;
    set.hub.when_gone("work.karmada.io/v1alpha2/ResourceBinding", "shop/shop-federatednamespace").await;
    let after = set.member("eu").get(NAMESPACE, "shop").await.expect("it stays");
    assert_eq!((after.uid(), after.is_deleting()), (before.uid(), false));
    assert!(set.member("eu").get(CONFIG_MAP, "shop/app").await.is_some(), "its objects stay");
}

fn config_map_in(namespace: &str, name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "namespace": namespace, "name": name } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_writes_nothing_and_keeps_what_is_there() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(federated(FEDERATED_CONFIG_MAP, "app", data("1"), &["eu"])).await;
    set.hub.when(FEDERATED_CONFIG_MAP, "default/app", is_propagated).await;
    let before = set.member("eu").get(CONFIG_MAP, "default/app").await.expect("propagated");
    set.stop_controllers().await;
    set.run_controllers();
    // A second object shows that the controllers have caught up.
    set.hub.create(federated(FEDERATED_CONFIG_MAP, "later", data("1"), &["eu"])).await;
    set.hub.when(FEDERATED_CONFIG_MAP, "default/later", is_propagated).await;
    let after = set.member("eu").get(CONFIG_MAP, "default/app").await.expect("still there");
    assert_eq!(after.resource_version(), before.resource_version());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preference_divides_the_replicas_of_its_workload() {
    const PREFERENCE: &str = "scheduling.kubefed.io/v1alpha1/ReplicaSchedulingPreference";
    let set = Federation::start(&["eu", "us"]).await;
    let preference = |kind: &str| {
        json!({ "apiVersion": "scheduling.kubefed.io/v1alpha1", "kind": "ReplicaSchedulingPreference",
            "metadata": { "namespace": "default", "name": "web" },
            "spec": { "targetKind": kind, "totalReplicas": 9,
                "clusters": { "eu": { "weight": 1 }, "us": { "weight": 2 } } } })
    };
    set.hub.create(preference("FederatedDeployment")).await;
    let is_missing = |found: &Object| {
        let text = found.0["status"]["conditions"].to_string();
        condition(found, "Scheduled") == "False" && text.contains("TargetNotFound")
    };
    set.hub.when(PREFERENCE, "default/web", is_missing).await;

    let mut template = deployment("web", 1);
    template["metadata"] = json!({});
    set.hub.create(federated(FEDERATED_DEPLOYMENT, "web", template, &[])).await;
    let with = |replicas: i64| move |copy: &Object| copy.at(&["spec", "replicas"]) == Some(&json!(replicas));
    set.member("eu").when(DEPLOYMENT, "default/web", with(3)).await;
    set.member("us").when(DEPLOYMENT, "default/web", with(6)).await;
    set.hub.when(PREFERENCE, "default/web", |found| condition(found, "Scheduled") == "True").await;

    set.hub
        .patch(PREFERENCE, "default/web", json!({ "spec": { "clusters": { "us": { "maxReplicas": 2 } } } }))
        .await;
    set.member("us").when(DEPLOYMENT, "default/web", with(2)).await;
    set.member("eu").when(DEPLOYMENT, "default/web", with(7)).await;
    let wrong = json!({ "spec": { "targetKind": "FederatedJob" } });
    set.hub.patch(PREFERENCE, "default/web", wrong).await;
    let is_refused =
        |found: &Object| found.0["status"]["conditions"].to_string().contains("UnknownTargetKind");
    set.hub.when(PREFERENCE, "default/web", is_refused).await;
}

const SYSTEM: &str = "kube-federation-system";

async fn create_namespace(set: &Federation, name: &str) {
    set.hub.create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_kind_is_federated_by_a_type_config_and_members_without_it_say_so() {
    const BOAT: &str = "example.com/v1/Boat";
    const FEDERATED_BOAT: &str = "types.kubefed.io/v1beta1/FederatedBoat";
    const TYPE_CONFIG: &str = "core.kubefed.io/v1beta1/FederatedTypeConfig";
    let set = Federation::start(&["eu", "us"]).await;
    let schema =
        json!({ "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } });
    set.member("eu")
        .define(json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": { "name": "boats.example.com" },
            "spec": { "group": "example.com", "scope": "Namespaced",
                "names": { "kind": "Boat", "plural": "boats", "singular": "boat", "listKind": "BoatList" },
                "versions": [{ "name": "v1", "served": true, "storage": true, "schema": schema }] } }))
        .await;
    set.hub.when_there(NAMESPACE, SYSTEM).await;
    let boat = |group: &str, version: &str, kind: &str, plural: &str| json!({ "group": group, "version": version, "kind": kind, "pluralName": plural, "scope": "Namespaced" });
    set.hub
        .create(json!({ "apiVersion": "core.kubefed.io/v1beta1", "kind": "FederatedTypeConfig",
            "metadata": { "namespace": SYSTEM, "name": "boats.example.com" },
            "spec": { "targetType": boat("example.com", "v1", "Boat", "boats"), "propagation": "Enabled",
                "federatedType": boat("types.kubefed.io", "v1beta1", "FederatedBoat", "federatedboats") } }))
        .await;
    let controller = |state: &'static str| {
        move |config: &Object| {
            config.str_at(&["status", "propagationController"]) == state
                && config.at(&["status", "observedGeneration"]) == Some(&json!(config.generation()))
        }
    };
    let name = format!("{SYSTEM}/boats.example.com");
    set.hub.when(TYPE_CONFIG, &name, controller("NotRunning")).await;
    let target = portolan_api::kubefed::TypeName {
        gvk: portolan_object::GroupVersionKind::new("example.com", "v1", "Boat"),
        plural: "boats".to_owned(),
        namespaced: true,
    };
    let of = portolan_api::kubefed::FederatedType::of(target);
    set.hub.define(portolan_api::crd::federated_definition(&of, &["fbt"], false)).await;
    set.hub.when(TYPE_CONFIG, &name, controller("Running")).await;

    set.hub.create(federated(FEDERATED_BOAT, "ark", json!({ "spec": { "sails": 2 } }), &["eu", "us"])).await;
    let found = set.hub.when(FEDERATED_BOAT, "default/ark", has(&["eu=", "us=CreationFailed"])).await;
    let messages = found.0["status"]["clusters"].to_string();
    assert!(messages.contains("cluster us does not serve"), "{messages}");
    let sails = |sails: i64| move |copy: &Object| copy.at(&["spec", "sails"]) == Some(&json!(sails));
    set.member("eu").when(BOAT, "default/ark", sails(2)).await;

    set.hub.patch(TYPE_CONFIG, &name, json!({ "spec": { "propagation": "Disabled" } })).await;
    set.hub.when(TYPE_CONFIG, &name, controller("NotRunning")).await;
    let is_off = |object: &Object| object.0["status"]["conditions"][0]["reason"] == "PropagationDisabled";
    set.hub.when(FEDERATED_BOAT, "default/ark", is_off).await;
    set.hub
        .patch(FEDERATED_BOAT, "default/ark", json!({ "spec": { "template": { "spec": { "sails": 3 } } } }))
        .await;
    let is_seen = move |object: &Object| {
        is_off(object) && object.at(&["status", "observedGeneration"]) == Some(&json!(object.generation()))
    };
    set.hub.when(FEDERATED_BOAT, "default/ark", is_seen).await;
    let copy = set.member("eu").get(BOAT, "default/ark").await.expect("it stays");
    assert_eq!(copy.at(&["spec", "sails"]), Some(&json!(2)), "nothing changes meanwhile");
    set.hub.patch(TYPE_CONFIG, &name, json!({ "spec": { "propagation": "Enabled" } })).await;
    set.member("eu").when(BOAT, "default/ark", sails(3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_built_in_kind_is_federated_until_its_type_config_is_deleted() {
    const TYPE_CONFIG: &str = "core.kubefed.io/v1beta1/FederatedTypeConfig";
    let set = Federation::start(&["eu"]).await;
    let is_complete =
        |namespace: &Object| namespace.annotation("portolan.dev/federated-types-created") == Some("true");
    set.hub.when(NAMESPACE, SYSTEM, is_complete).await;
    let mut app = federated(FEDERATED_CONFIG_MAP, "app", data("1"), &["eu"]);
    app["spec"]["overrides"] =
        json!([{ "clusterName": "mars", "clusterOverrides": [{ "path": "/data/k", "value": "2" }] }]);
    set.hub.create(app).await;
    let found = set.hub.when(FEDERATED_CONFIG_MAP, "default/app", is_propagated).await;
    let message = found.0["status"]["conditions"][0]["message"].as_str().unwrap_or_default();
    assert_eq!(message, "spec.overrides names clusters that do not exist: mars");

    set.hub.delete(TYPE_CONFIG, &format!("{SYSTEM}/configmaps")).await;
    let is_off = |object: &Object| object.0["status"]["conditions"][0]["reason"] == "PropagationDisabled";
    set.hub.when(FEDERATED_CONFIG_MAP, "default/app", is_off).await;
    set.hub.create(federated(FEDERATED_CONFIG_MAP, "late", data("1"), &["eu"])).await;
    let late = set.hub.when(FEDERATED_CONFIG_MAP, "default/late", is_off).await;
    assert!(late.0["status"].to_string().contains("portolan federate enable"), "{}", late.0["status"]);
    assert!(set.member("eu").get(CONFIG_MAP, "default/app").await.is_some(), "it stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_kubefed_config_namespaces_must_be_federated_and_adoption_can_be_off() {
    let set = Federation::start(&["eu"]).await;
    set.hub.when_there(NAMESPACE, SYSTEM).await;
    create_namespace(&set, "shop").await;
    set.hub
        .create(json!({ "apiVersion": "core.kubefed.io/v1beta1", "kind": "KubeFedConfig",
            "metadata": { "namespace": SYSTEM, "name": "kubefed" },
            "spec": { "scope": "Cluster", "syncController": { "adoptResources": "Disabled" } } }))
        .await;
    let eu = set.member("eu");
    eu.when_there(NAMESPACE, "shop").await;
    let mut theirs = config_map("theirs", "theirs");
    theirs["metadata"]["namespace"] = json!("shop");
    eu.create(theirs).await;
    for name in ["shop/app", "shop/theirs"] {
        set.hub.create(federated(FEDERATED_CONFIG_MAP, name, data("1"), &["eu"])).await;
        let is_gated =
            |object: &Object| object.0["status"]["conditions"][0]["reason"] == "NamespaceNotFederated";
        set.hub.when(FEDERATED_CONFIG_MAP, name, is_gated).await;
    }
    set.hub.create(federated(FEDERATED_NAMESPACE, "shop/shop", json!({}), &["eu"])).await;
    set.hub.when(FEDERATED_CONFIG_MAP, "shop/app", is_propagated).await;
    set.hub.when(FEDERATED_CONFIG_MAP, "shop/theirs", has(&["eu=AlreadyExists"])).await;
    let theirs = eu.get(CONFIG_MAP, "shop/theirs").await.expect("not adopted");
    assert_eq!(theirs.str_at(&["data", "k"]), "theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_has_a_kubefed_cluster_with_its_labels_and_both_go_together() {
    const KUBEFED_CLUSTER: &str = "core.kubefed.io/v1beta1/KubeFedCluster";
    let set = Federation::start(&["eu", "us"]).await;
    let (eu, us) = (format!("{SYSTEM}/eu"), format!("{SYSTEM}/us"));
    let is_ready = |object: &Object| condition(object, "Ready") == "True";
    set.hub.when(KUBEFED_CLUSTER, &eu, is_ready).await;
    let label = |value: &str| json!({ "metadata": { "labels": { "env": value } } });
    set.hub.patch(KUBEFED_CLUSTER, &eu, label("prod")).await;
    set.hub.when(CLUSTER, "eu", |cluster| cluster.label("env") == Some("prod")).await;
    set.hub.patch(CLUSTER, "eu", label("test")).await;
    set.hub.when(KUBEFED_CLUSTER, &eu, |object| object.label("env") == Some("test")).await;

    // The namespace takes no cluster away.
    let uid = |object: &Object| object.uid().to_owned();
    let before = set.hub.get(KUBEFED_CLUSTER, &eu).await.as_ref().map(uid);
    set.hub.delete(NAMESPACE, SYSTEM).await;
    set.hub.when(KUBEFED_CLUSTER, &eu, |object| Some(uid(object)) != before && is_ready(object)).await;
    assert!(set.hub.get(CLUSTER, "eu").await.is_some());

    set.hub.delete(KUBEFED_CLUSTER, &eu).await;
    set.hub.when_gone(CLUSTER, "eu").await;
    set.hub.when_gone(KUBEFED_CLUSTER, &eu).await;
    set.hub.when(KUBEFED_CLUSTER, &us, is_ready).await;
    set.hub.delete(CLUSTER, "us").await;
    set.hub.when_gone(KUBEFED_CLUSTER, &us).await;

    let unreachable = json!({ "apiVersion": "core.kubefed.io/v1beta1", "kind": "KubeFedCluster",
        "metadata": { "namespace": SYSTEM, "name": "asia" },
        "spec": { "apiEndpoint": "https://127.0.0.1:1", "secretRef": { "name": "missing" } } });
    set.hub.create(unreachable).await;
    let is_malformed = |object: &Object| condition(object, "ConfigMalformed") == "True";
    let asia = set.hub.when(KUBEFED_CLUSTER, &format!("{SYSTEM}/asia"), is_malformed).await;
    let message = asia.0["status"].to_string();
    assert!(message.contains("the Secret kube-federation-system/missing has no token"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_federated_service_has_the_status_of_its_clusters_in_an_object_of_its_own() {
    const STATUS: &str = "core.kubefed.io/v1alpha1/FederatedServiceStatus";
    const TYPE_CONFIG: &str = "core.kubefed.io/v1beta1/FederatedTypeConfig";
    let set = Federation::start(&["eu", "us"]).await;
    let services = format!("{SYSTEM}/services");
    set.hub.when_there(TYPE_CONFIG, &services).await;
    let kind = json!({ "group": "core.kubefed.io", "version": "v1alpha1", "kind": "FederatedServiceStatus",
        "pluralName": "federatedservicestatuses", "scope": "Namespaced" });
    let collected = json!({ "spec": { "statusCollection": "Enabled", "statusType": kind } });
    set.hub.patch(TYPE_CONFIG, &services, collected).await;
    let spec = json!({ "type": "LoadBalancer", "ports": [{ "port": 80 }] });
    let service =
        federated("types.kubefed.io/v1beta1/FederatedService", "web", json!({ "spec": spec }), &["eu"]);
    set.hub.create(service).await;
    set.member("eu").when_there("v1/Service", "default/web").await;
    let ingress = json!({ "loadBalancer": { "ingress": [{ "ip": "192.0.2.1" }] } });
    set.member("eu").patch_status("v1/Service", "default/web", json!({ "status": ingress })).await;
    let is_complete = |found: &Object| {
        let clusters = &found.0["clusterStatus"];
        clusters[0]["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.1"
            && clusters[1] == json!({ "clusterName": "us" })
    };
    let found = set.hub.when(STATUS, "default/web", is_complete).await;
    assert_eq!(found.0["metadata"]["ownerReferences"][0]["kind"], "FederatedService");
    set.hub.delete(STATUS, "default/web").await;
    set.hub.when(STATUS, "default/web", |next| next.uid() != found.uid() && is_complete(next)).await;
    let is_running = |config: &Object| config.str_at(&["status", "statusController"]) == "Running";
    set.hub.when(TYPE_CONFIG, &services, is_running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_dns_record_becomes_a_dns_endpoint() {
    const RECORD: &str = "multiclusterdns.kubefed.io/v1alpha1/ServiceDNSRecord";
    const ENDPOINT: &str = "externaldns.k8s.io/v1alpha1/DNSEndpoint";
    let set = Federation::start(&["eu"]).await;
    set.hub.patch(CLUSTER, "eu", json!({ "spec": { "region": "europe", "zones": ["europe-a"] } })).await;
    let port = json!({ "type": "LoadBalancer", "selector": { "app": "web" }, "ports": [{ "port": 80 }] });
    let service = "types.kubefed.io/v1beta1/FederatedService";
    set.hub.create(federated(service, "web", json!({ "spec": port }), &["eu"])).await;
    let eu = set.member("eu");
    eu.when_there("v1/Service", "default/web").await;
    eu.create(json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": { "namespace": "default", "name": "web-1", "labels": { "kubernetes.io/service-name": "web" } },
        "endpoints": [{ "addresses": ["10.0.0.1"], "conditions": { "ready": true } }] }))
        .await;
    let ingress = json!({ "status": { "loadBalancer": { "ingress": [{ "ip": "192.0.2.1" }] } } });
    eu.patch_status("v1/Service", "default/web", ingress).await;
    let dns = |kind: &str, namespace: &str, name: &str| {
        json!({ "apiVersion": "multiclusterdns.kubefed.io/v1alpha1", "kind": kind,
            "metadata": { "namespace": namespace, "name": name } })
    };
    let mut record = dns("ServiceDNSRecord", "default", "web");
    record["spec"] = json!({ "domainRef": "myfed", "dnsPrefix": "www" });
    set.hub.create(record).await;
    let has_no_domain = |record: &Object| record.0["status"].to_string().contains("there is no Domain");
    set.hub.when(RECORD, "default/web", has_no_domain).await;
    let mut domain = dns("Domain", SYSTEM, "myfed");
    domain["domain"] = json!("example.com");
    set.hub.create(domain).await;
    let has = |want: &'static str| {
        move |endpoint: &Object| {
            let endpoints = endpoint.0["spec"]["endpoints"].as_array().cloned().unwrap_or_default();
            let line = |one: &Value| format!("{} {} {}", one["dnsName"], one["recordType"], one["targets"]);
            endpoints.iter().any(|one| line(one).replace('"', "") == want)
        }
    };
    let zone = "web.default.myfed.svc.europe-a.europe.example.com A [192.0.2.1]";
    set.hub.when(ENDPOINT, "default/service-web", has(zone)).await;
    let prefix = "www.example.com CNAME [web.default.myfed.svc.example.com]";
    set.hub.when(ENDPOINT, "default/service-web", has(prefix)).await;
    let is_shown = |record: &Object| {
        let found = &record.0["status"]["dns"][0];
        found["region"] == "europe" && found["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.1"
    };
    set.hub.when(RECORD, "default/web", is_shown).await;
    set.hub.delete(RECORD, "default/web").await;
    set.hub.when_gone(ENDPOINT, "default/service-web").await;
}
