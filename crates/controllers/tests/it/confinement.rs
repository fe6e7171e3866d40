//! A user with write access to one namespace of the hub reaches only that namespace in a member.

use portolan_object::Object;
use serde_json::{Value, json};

use crate::federation::{BINDING, CONFIG_MAP, Federation, WORK, condition, config_map, message, policy};

const ROLE_BINDING: &str = "rbac.authorization.k8s.io/v1/ClusterRoleBinding";
const EVENTS: &str = "ApplyOverridePolicyFailed";

fn override_policy(plaintext: Value) -> Value {
    json!({ "apiVersion": "policy.karmada.io/v1alpha1", "kind": "OverridePolicy",
        "metadata": { "namespace": "default", "name": "spoil" },
        "spec": { "resourceSelectors": [{ "apiVersion": "v1", "kind": "ConfigMap", "name": "app" }],
            "overrideRules": [{ "overriders": { "plaintext": plaintext } }] } })
}

/// Makes a ClusterRoleBinding for user eve of a ConfigMap.
fn to_administrator() -> Value {
    json!([
        { "path": "/apiVersion", "operator": "replace", "value": "rbac.authorization.k8s.io/v1" },
        { "path": "/kind", "operator": "replace", "value": "ClusterRoleBinding" },
        { "path": "/metadata/namespace", "operator": "remove" },
        { "path": "/data", "operator": "remove" },
        { "path": "/roleRef", "operator": "add", "value": {
            "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" } },
        { "path": "/subjects", "operator": "add", "value": [{ "kind": "User", "name": "eve" }] },
    ])
}

fn work_name() -> String {
    format!("karmada-es-eu/{}", portolan_api::names::work("ConfigMap", "app", "default"))
}

fn reason(object: &Object, kind: &str) -> String {
    let conditions = object.at(&["status", "conditions"]).and_then(Value::as_array).into_iter().flatten();
    let mut found = conditions.filter(|condition| condition["type"] == kind);
    found.next().and_then(|condition| condition["reason"].as_str()).unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_makes_no_other_object() {
    let set = Federation::start(&["eu"]).await;
    // This hub has no admission for policies, as a kube-apiserver.
    set.hub.create(override_policy(to_administrator())).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    let is_refused = |binding: &Object| reason(binding, "FullyApplied") == EVENTS;
    let binding = set.hub.when(BINDING, "default/app-configmap", is_refused).await;
    let text = message(&binding, "FullyApplied");
    assert!(text.contains("override policy spoil") && text.contains("cannot be overridden"), "{text}");
    assert!(set.hub.get(WORK, &work_name()).await.is_none());
    assert!(set.member("eu").get(ROLE_BINDING, "app").await.is_none());

    // Without the override the object arrives; with it again, it stays as it is.
    let harmless = json!([{ "path": "/data/k", "operator": "replace", "value": "2" }]);
    let patch = |plaintext: Value| json!({ "spec": { "overrideRules": [{ "overriders": { "plaintext": plaintext } }] } });
    let overrides = "policy.karmada.io/v1alpha1/OverridePolicy";
    set.hub.patch(overrides, "default/spoil", patch(harmless)).await;
    let arrived = |copy: &Object| copy.str_at(&["data", "k"]) == "2";
    set.member("eu").when(CONFIG_MAP, "default/app", arrived).await;
    set.hub
        .when(BINDING, "default/app-configmap", |binding| condition(binding, "FullyApplied") == "True")
        .await;
    set.hub.patch(overrides, "default/spoil", patch(to_administrator())).await;
    set.hub.when(BINDING, "default/app-configmap", is_refused).await;
    assert!(set.member("eu").get(ROLE_BINDING, "app").await.is_none());
    assert!(set.member("eu").get(CONFIG_MAP, "default/app").await.as_ref().is_some_and(arrived));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_override_of_an_earlier_release_made_is_deleted() {
    let set = Federation::start(&["eu"]).await;
    let eu = set.member("eu");
    set.hub.create(config_map("app", "1")).await;
    let mut keep = policy("app", CONFIG_MAP, "app", &["eu"]);
    keep["spec"]["preserveResourcesOnDeletion"] = json!(true);
    set.hub.create(keep).await;
    eu.when_there(CONFIG_MAP, "default/app").await;
    let work = set.hub.when_there(WORK, &work_name()).await;

    // As an earlier release left it: a Work with another object, and that object in the member.
    let mut spoiled = work.0["spec"]["workload"]["manifests"][0].clone();
    spoiled["apiVersion"] = json!("rbac.authorization.k8s.io/v1");
    spoiled["kind"] = json!("ClusterRoleBinding");
    spoiled["roleRef"] =
        json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" });
    spoiled["subjects"] = json!([{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eve" }]);
    for (parent, field) in [("metadata", "namespace"), ("", "data")] {
        let fields = if parent.is_empty() { &mut spoiled } else { &mut spoiled[parent] };
        fields.as_object_mut().expect("an object").remove(field);
    }
    eu.create(spoiled.clone()).await;
    set.hub.patch(WORK, &work_name(), json!({ "spec": { "workload": { "manifests": [spoiled] } } })).await;

    eu.when_gone(ROLE_BINDING, "app").await;
    let is_new = |new: &Object| new.uid() != work.uid();
    let new = set.hub.when(WORK, &work_name(), is_new).await;
    assert_eq!(new.0["spec"]["workload"]["manifests"][0]["kind"], "ConfigMap");
    eu.when_there(CONFIG_MAP, "default/app").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_propagates_nothing_of_another_namespace() {
    let set = Federation::start(&["eu"]).await;
    for namespace in ["red", "blue"] {
        set.hub
            .create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }))
            .await;
        set.member("eu").when_there("v1/Namespace", namespace).await;
    }
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "blue", "name": "s" },
        "data": { "k": "dg==" } });
    let secret = set.hub.create(secret).await;
    let role = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": { "name": "r" }, "rules": [] });
    let role = set.hub.create(role).await;
    for (name, template) in [("s-secret", &secret), ("r-clusterrole", &role)] {
        set.hub
            .create(json!({ "apiVersion": "work.karmada.io/v1alpha2", "kind": "ResourceBinding",
                "metadata": { "namespace": "red", "name": name, "labels": {
                    "resourcebinding.karmada.io/permanent-id": "1" } },
                "spec": { "resource": { "apiVersion": template.api_version(), "kind": template.kind(),
                        "namespace": template.namespace(), "name": template.name(), "uid": template.uid() },
                    "clusters": [{ "name": "eu" }] } }))
            .await;
    }
    // What is propagated later has arrived, and these have not.
    set.hub.create(config_map("later", "1")).await;
    set.hub.create(policy("later", CONFIG_MAP, "later", &["eu"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/later").await;
    assert!(set.member("eu").get("v1/Secret", "blue/s").await.is_none());
    assert!(set.member("eu").get("rbac.authorization.k8s.io/v1/ClusterRole", "r").await.is_none());
}
