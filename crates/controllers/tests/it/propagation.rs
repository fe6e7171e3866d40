//! From a policy to objects in members and back.

use serde_json::json;

use crate::federation::{
    BINDING, CONFIG_MAP, DEPLOYMENT, Federation, WORK, condition, config_map, deployment, message, policy,
};

const POLICY: &str = "policy.karmada.io/v1alpha1/PropagationPolicy";

#[tokio::test(flavor = "multi_thread")]
async fn an_object_reaches_the_chosen_members_and_follows_its_template() {
    let set = Federation::start(&["eu", "us"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;

    let copy = set.member("eu").when_there(CONFIG_MAP, "default/app").await;
    assert_eq!(copy.label("karmada.io/managed"), Some("true"));
    assert_eq!(copy.annotation("work.karmada.io/namespace"), Some("karmada-es-eu"));
    assert!(set.member("us").get(CONFIG_MAP, "default/app").await.is_none());
    set.hub
        .when(BINDING, "default/app-configmap", |binding| condition(binding, "FullyApplied") == "True")
        .await;

    set.hub.patch(CONFIG_MAP, "default/app", json!({ "data": { "k": null, "other": "2" } })).await;
    let is_new = |copy: &portolan_object::Object| copy.at(&["data"]) == Some(&json!({ "other": "2" }));
    set.member("eu").when(CONFIG_MAP, "default/app", is_new).await;

    set.hub
        .patch(
            POLICY,
            "default/app",
            json!({ "spec": { "placement": { "clusterAffinity": { "clusterNames": ["us"] } } } }),
        )
        .await;
    set.member("us").when(CONFIG_MAP, "default/app", is_new).await;
    set.member("eu").when_gone(CONFIG_MAP, "default/app").await;

    set.hub.delete(CONFIG_MAP, "default/app").await;
    set.member("us").when_gone(CONFIG_MAP, "default/app").await;
    set.hub.when_gone(BINDING, "default/app-configmap").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_comes_back_to_the_template() {
    let set = Federation::start(&["eu", "us"]).await;
    set.hub.create(deployment("web", 2)).await;
    set.hub.create(policy("web", DEPLOYMENT, "web", &["eu", "us"])).await;
    for (member, ready) in [("eu", 2), ("us", 1)] {
        let copy = set.member(member).when_there(DEPLOYMENT, "default/web").await;
        let status = json!({ "replicas": 2, "updatedReplicas": 2, "readyReplicas": ready, "availableReplicas": ready,
            "observedGeneration": copy.generation() });
        set.member(member).patch_status(DEPLOYMENT, "default/web", json!({ "status": status })).await;
    }
    let template = set
        .hub
        .when(DEPLOYMENT, "default/web", |template| {
            template.at(&["status", "readyReplicas"]) == Some(&json!(3))
        })
        .await;
    assert_eq!(template.at(&["status", "replicas"]), Some(&json!(4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_change_or_remove_in_a_member_is_put_back() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    let eu = set.member("eu");
    eu.when_there(CONFIG_MAP, "default/app").await;

    let edit = json!({ "data": { "k": "9" }, "metadata": { "labels": { "theirs": "stays" } } });
    eu.patch(CONFIG_MAP, "default/app", edit).await;
    let back = eu.when(CONFIG_MAP, "default/app", |copy| copy.str_at(&["data", "k"]) == "1").await;
    assert_eq!(back.label("theirs"), Some("stays"));

    let uid = back.uid().to_owned();
    eu.delete(CONFIG_MAP, "default/app").await;
    eu.when(CONFIG_MAP, "default/app", |copy| copy.uid() != uid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_not_ours_is_left_alone() {
    let set = Federation::start(&["eu", "us"]).await;
    set.member("eu").create(config_map("app", "theirs")).await;
    set.hub.create(config_map("app", "ours")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu", "us"])).await;

    set.member("us").when_there(CONFIG_MAP, "default/app").await;
    let binding = set
        .hub
        .when(BINDING, "default/app-configmap", |binding| condition(binding, "FullyApplied") == "False")
        .await;
    let text = binding.0["status"]["aggregatedStatus"].to_string();
    assert!(text.contains("already exists in the cluster eu"), "{text}");
    let theirs = set.member("eu").get(CONFIG_MAP, "default/app").await.expect("still there");
    assert_eq!(theirs.str_at(&["data", "k"]), "theirs");

    set.hub.delete(CONFIG_MAP, "default/app").await;
    set.member("us").when_gone(CONFIG_MAP, "default/app").await;
    assert!(set.member("eu").get(CONFIG_MAP, "default/app").await.is_some(), "never ours, never deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_policy_leaves_what_it_placed() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;
    set.hub.when(POLICY, "default/app", |policy| policy.finalizers().count() == 1).await;

    set.hub.delete(POLICY, "default/app").await;
    set.hub.when_gone(POLICY, "default/app").await;
    let template = set.hub.get(CONFIG_MAP, "default/app").await.expect("a template");
    assert_eq!(template.label("propagationpolicy.karmada.io/permanent-id"), None);
    assert!(set.member("eu").get(CONFIG_MAP, "default/app").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn preserved_objects_stay_without_marks() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(config_map("app", "1")).await;
    let mut keep = policy("app", CONFIG_MAP, "app", &["eu"]);
    keep["spec"]["preserveResourcesOnDeletion"] = json!(true);
    set.hub.create(keep).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;

    set.hub.delete(CONFIG_MAP, "default/app").await;
    let work = "karmada-es-eu/".to_owned() + &portolan_api::names::work("ConfigMap", "app", "default");
    set.hub.when_gone(WORK, &work).await;
    let kept = set.member("eu").get(CONFIG_MAP, "default/app").await.expect("preserved");
    assert_eq!((kept.labels(), kept.annotations()), Default::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taint_keeps_new_work_away_and_says_so() {
    let set = Federation::start(&["eu", "us"]).await;
    let taint = json!([{ "key": "dedicated", "value": "special-user", "effect": "NoSchedule" }]);
    set.hub.patch(crate::federation::CLUSTER, "eu", json!({ "spec": { "taints": taint } })).await;
    // The control plane sees the taint a moment after it is written; what is placed until then stays.
    for attempt in 0..100 {
        let name = format!("app-{attempt}");
        set.hub.create(config_map(&name, "1")).await;
        set.hub.create(policy(&name, CONFIG_MAP, &name, &["eu"])).await;
        let binding = set
            .hub
            .when(BINDING, &format!("default/{name}-configmap"), |binding| {
                !condition(binding, "Scheduled").is_empty()
            })
            .await;
        if condition(&binding, "Scheduled") == "True" {
            continue;
        }
        let text = message(&binding, "Scheduled");
        assert!(text.contains("untolerated taint {dedicated=special-user:NoSchedule}"), "{text}");
        set.hub.patch(crate::federation::CLUSTER, "eu", json!({ "spec": { "taints": [] } })).await;
        set.member("eu").when_there(CONFIG_MAP, &format!("default/{name}")).await;
        return;
    }
    panic!("the taint keeps nothing away");
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_follow_the_hub() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } })).await;
    let copy = set.member("eu").when_there("v1/Namespace", "shop").await;
    assert_eq!(copy.label("karmada.io/managed"), Some("true"));
    set.hub.delete("v1/Namespace", "shop").await;
    set.member("eu").when_gone("v1/Namespace", "shop").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_control_plane_process_changes_nothing() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(deployment("web", 1)).await;
    set.hub.create(policy("web", DEPLOYMENT, "web", &["eu"])).await;
    set.member("eu").when_there(DEPLOYMENT, "default/web").await;
    let settled = set
        .hub
        .when(BINDING, "default/web-deployment", |binding| condition(binding, "FullyApplied") == "True")
        .await;
    let copy = set.member("eu").get(DEPLOYMENT, "default/web").await.expect("a copy");

    // As after a restart: everything is read again and judged again.
    let again = set.run_controllers();
    let name = portolan_runtime::ClusterName::new("eu");
    while again.members().get(&name).is_none_or(|member| member.discovery().resources.is_empty()) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    set.hub.create(config_map("later", "1")).await;
    set.hub.create(policy("later", CONFIG_MAP, "later", &["eu"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/later").await;
    let still = set.member("eu").get(DEPLOYMENT, "default/web").await.expect("a copy");
    assert_eq!(still.resource_version(), copy.resource_version());
    let still = set.hub.get(BINDING, "default/web-deployment").await.expect("a binding");
    assert_eq!(still.resource_version(), settled.resource_version());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_only_an_older_version_of_its_group_has_is_propagated() {
    let set = Federation::start(&["eu"]).await;
    let definition = |kind: &str, version: &str| {
        let singular = kind.to_lowercase();
        json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": { "name": format!("{singular}s.net.example.io") },
            "spec": { "group": "net.example.io", "scope": "Namespaced",
                "names": { "kind": kind, "listKind": format!("{kind}List"), "plural": format!("{singular}s"), "singular": singular },
                "versions": [{ "name": version, "served": true, "storage": true,
                    "schema": { "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } } }] } })
    };
    for (kind, version) in [("Gateway", "v1"), ("Filter", "v1alpha3")] {
        set.hub.define(definition(kind, version)).await;
        set.member("eu").define(definition(kind, version)).await;
    }
    let kind = "net.example.io/v1alpha3/Filter";
    set.hub
        .create(json!({ "apiVersion": "net.example.io/v1alpha3", "kind": "Filter",
            "metadata": { "namespace": "default", "name": "limits" }, "spec": { "rate": 1 } }))
        .await;
    set.hub.create(policy("limits", kind, "limits", &["eu"])).await;
    set.member("eu").when_there(kind, "default/limits").await;
}
