//! Moving in from KubeFed, and from federated objects to policies, with what members have already.

use portolan_api::kubefed::{FederatedType, FederatedTypeConfig, Switch};
use portolan_api::resources;
use portolan_object::Object;
use portolan_plan::kubefed::migrate::{Clusters, migrate};
use portolan_plan::kubefed::take_over::{Host, take_over};
use serde_json::{Value, json};

use crate::federation::{DEPLOYMENT, Federation, condition, deployment};

const FEDERATED_DEPLOYMENT: &str = "types.kubefed.io/v1beta1/FederatedDeployment";
const FEDERATED_NAMESPACE: &str = "types.kubefed.io/v1beta1/FederatedNamespace";
const NAMESPACE: &str = "v1/Namespace";
const POD: &str = "v1/Pod";

/// A FederatedDeployment as a host has it, with what KubeFed and the host's API server wrote.
fn federated_web() -> Object {
    let mut template = deployment("web", 3);
    template["metadata"] = json!({ "labels": { "app": "web" } });
    Object(json!({ "apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedDeployment",
        "metadata": { "namespace": "shop", "name": "web", "uid": "b7c1", "resourceVersion": "4711", "generation": 6,
            "creationTimestamp": "2021-03-04T05:06:07Z", "finalizers": ["kubefed.io/sync-controller"] },
        "spec": { "template": template, "placement": { "clusters": [{ "name": "eu" }, { "name": "us" }] },
            "overrides": [{ "clusterName": "eu", "clusterOverrides": [{ "path": "/spec/replicas", "value": 5 }] }] },
        "status": { "observedGeneration": 6, "conditions": [{ "type": "Propagation", "status": "True" }],
            "clusters": [{ "name": "eu" }, { "name": "us" }] } }))
}

fn host() -> Host {
    let of = |target: resources::StaticResource| FederatedType::of(target.into());
    let namespace = json!({ "apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedNamespace",
        "metadata": { "namespace": "shop", "name": "shop", "finalizers": ["kubefed.io/sync-controller"] },
        "spec": { "template": {}, "placement": { "clusterSelector": {} } } });
    let config = json!({ "metadata": { "namespace": "kube-federation-system", "name": "kubefed" },
        "spec": { "scope": "Cluster" } });
    Host {
        config: Some(serde_json::from_value(config).expect("a KubeFedConfig")),
        type_configs: [resources::NAMESPACE, resources::DEPLOYMENT]
            .map(|target| FederatedTypeConfig::of(&of(target), Switch::Enabled))
            .to_vec(),
        federated: vec![federated_web(), Object(namespace)],
        ..Host::default()
    }
}

/// The Deployment as KubeFed made it in a member, with a Pod; the member's API server adds its defaults.
async fn made_by_kubefed(set: &Federation, cluster: &str, replicas: u32) -> [Object; 2] {
    let member = set.member(cluster);
    let managed = json!({ "kubefed.io/managed": "true" });
    member
        .create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop", "labels": managed } }))
        .await;
    member.when_there("v1/ServiceAccount", "shop/default").await;
    let mut web = deployment("web", replicas);
    web["metadata"] = json!({ "namespace": "shop", "name": "web", "labels": { "app": "web", "kubefed.io/managed": "true" },
        "annotations": { "deployment.kubernetes.io/revision": "4" } });
    let pod = json!({ "apiVersion": "v1", "kind": "Pod",
        "metadata": { "namespace": "shop", "name": "web-1", "labels": { "app": "web" } },
        "spec": { "containers": [{ "name": "nginx", "image": "nginx" }] } });
    [member.create(web).await, member.create(pod).await]
}

/// What tells whether anything restarts. The generation does not: annotations give a Deployment another one.
fn identity(object: &Object) -> (String, Value) {
    (object.uid().to_owned(), object.0["spec"].clone())
}

fn is_propagated(object: &Object) -> bool {
    condition(object, "Propagation") == "True"
        && object.at(&["status", "observedGeneration"]) == Some(&json!(object.generation()))
}

async fn is_untouched(set: &Federation, cluster: &str, before: &[Object; 2]) {
    let web = set.member(cluster).get(DEPLOYMENT, "shop/web").await.expect("it stays");
    assert_eq!(identity(&web), identity(&before[0]), "{cluster}");
    assert_eq!(web.annotation("deployment.kubernetes.io/revision"), Some("4"), "{cluster}");
    let pod = set.member(cluster).get(POD, "shop/web-1").await.expect("it stays");
    assert_eq!(
        (pod.uid(), pod.resource_version()),
        (before[1].uid(), before[1].resource_version()),
        "{cluster}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_a_kubefed_host_are_taken_over_in_place_and_become_templates_in_place() {
    let set = Federation::start(&["eu", "us"]).await;
    let eu = made_by_kubefed(&set, "eu", 5).await;
    let us = made_by_kubefed(&set, "us", 3).await;
    let is_complete =
        |namespace: &Object| namespace.annotation("portolan.dev/federated-types-created") == Some("true");
    set.hub.when(NAMESPACE, "kube-federation-system", is_complete).await;
    let plan = take_over(&host());
    let is_here = |object: &&Object| {
        !["kube-federation-system"].contains(&object.name()) && object.kind() != "FederatedTypeConfig"
    };
    for object in plan.foundation.iter().filter(is_here).chain(&plan.federated) {
        set.hub.create(object.0.clone()).await;
    }
    set.hub.when(FEDERATED_NAMESPACE, "shop/shop", is_propagated).await;
    let web = set.hub.when(FEDERATED_DEPLOYMENT, "shop/web", is_propagated).await;
    is_untouched(&set, "eu", &eu).await;
    is_untouched(&set, "us", &us).await;
    let copy = set.member("eu").get(DEPLOYMENT, "shop/web").await.expect("it stays");
    assert_eq!(copy.label("karmada.io/managed"), Some("true"), "it belongs to the control plane now");

    let of = FederatedType::of(resources::DEPLOYMENT.into());
    let clusters = Clusters { names: ["eu".to_owned(), "us".to_owned()].into(), by_selector: false };
    let migrated = migrate(&web, &of, &clusters).expect("policies can say it");
    for object in migrated.overrides.iter().chain([&migrated.policy, &migrated.template]) {
        set.hub.create(object.0.clone()).await;
    }
    let orphan = json!({ "metadata": { "annotations": { "kubefed.io/orphan": "true" } } });
    set.hub.patch(FEDERATED_DEPLOYMENT, "shop/web", orphan).await;
    set.hub.delete(FEDERATED_DEPLOYMENT, "shop/web").await;
    set.hub.when_gone(FEDERATED_DEPLOYMENT, "shop/web").await;
    let is_applied = |binding: &Object| condition(binding, "FullyApplied") == "True";
    set.hub.when("work.karmada.io/v1alpha2/ResourceBinding", "shop/web-deployment", is_applied).await;
    is_untouched(&set, "eu", &eu).await;
    is_untouched(&set, "us", &us).await;
    let copy = set.member("eu").get(DEPLOYMENT, "shop/web").await.expect("it stays");
    assert_eq!((copy.label("karmada.io/managed"), copy.label("kubefed.io/managed")), (Some("true"), None));
}
