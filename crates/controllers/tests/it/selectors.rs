//! Which objects policies and overrides select, under names of every form.

use portolan_object::Object;
use serde_json::{Value, json};

use crate::federation::{BINDING, CONFIG_MAP, DEPLOYMENT, Federation, config_map, deployment, policy};

const POLICY: &str = "policy.karmada.io/v1alpha1/PropagationPolicy";
const CLUSTER_POLICY: &str = "policy.karmada.io/v1alpha1/ClusterPropagationPolicy";
const CLUSTER_BINDING: &str = "work.karmada.io/v1alpha2/ClusterResourceBinding";
const ROLE: &str = "rbac.authorization.k8s.io/v1/Role";
const CLUSTER_ROLE: &str = "rbac.authorization.k8s.io/v1/ClusterRole";
const CLAIM: &str = "propagationpolicy.karmada.io/permanent-id";

fn role(kind: &str, name: &str, namespace: &str) -> Value {
    json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
        "metadata": { "name": name, "namespace": namespace },
        "rules": [{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get"] }] })
}

/// A ClusterPropagationPolicy for one cluster-scoped object.
fn cluster_wide(name: &str, kind: &str, object: &str, clusters: &[&str]) -> Value {
    let mut policy = policy(name, kind, object, clusters);
    policy["kind"] = json!("ClusterPropagationPolicy");
    policy["metadata"].as_object_mut().expect("metadata").remove("namespace");
    policy
}

fn selecting(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": name })
}

#[tokio::test(flavor = "multi_thread")]
async fn added_selectors_place_more_and_replaced_ones_release_what_they_had() {
    let set = Federation::start(&["eu"]).await;
    for name in ["one", "two", "three"] {
        set.hub.create(config_map(name, "1")).await;
    }
    set.hub.create(policy("p", CONFIG_MAP, "one", &["eu"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/one").await;

    let both = json!({ "spec": { "resourceSelectors": [selecting("one"), selecting("two")] } });
    set.hub.patch(POLICY, "default/p", both).await;
    set.member("eu").when_there(CONFIG_MAP, "default/two").await;

    set.hub
        .patch(POLICY, "default/p", json!({ "spec": { "resourceSelectors": [selecting("three")] } }))
        .await;
    set.member("eu").when_there(CONFIG_MAP, "default/three").await;
    for name in ["one", "two"] {
        set.hub.when(CONFIG_MAP, &format!("default/{name}"), |map| map.label(CLAIM).is_none()).await;
        let binding = format!("default/{name}-configmap");
        set.hub.when(BINDING, &binding, |binding| binding.label(CLAIM).is_none()).await;
        assert!(set.member("eu").get(CONFIG_MAP, &format!("default/{name}")).await.is_some(), "it stays");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_object_goes_to_the_cluster_of_its_next_policy() {
    let set = Federation::start(&["eu", "us"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("first", CONFIG_MAP, "app", &["eu"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;

    set.hub
        .patch(POLICY, "default/first", json!({ "spec": { "resourceSelectors": [selecting("other")] } }))
        .await;
    set.hub.create(policy("second", CONFIG_MAP, "app", &["us"])).await;
    set.member("us").when_there(CONFIG_MAP, "default/app").await;
    set.member("eu").when_gone(CONFIG_MAP, "default/app").await;

    set.hub.delete(POLICY, "default/second").await;
    set.hub.create(policy("third", CONFIG_MAP, "app", &["eu"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;
    set.member("us").when_gone(CONFIG_MAP, "default/app").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_with_colons_and_of_more_than_63_characters_are_propagated() {
    let set = Federation::start(&["eu"]).await;
    let long = "p".repeat(80);
    set.hub.create(role("Role", "system:test", "default")).await;
    set.hub.create(policy(&long, ROLE, "system:test", &["eu"])).await;
    set.member("eu").when_there(ROLE, "default/system:test").await;

    let mut cluster_role = role("ClusterRole", "view:test", "");
    cluster_role["metadata"].as_object_mut().expect("metadata").remove("namespace");
    set.hub.create(cluster_role).await;
    set.hub.create(cluster_wide(&long, CLUSTER_ROLE, "view:test", &["eu"])).await;
    let copy = set.member("eu").when_there(CLUSTER_ROLE, "view:test").await;
    let binding = set.hub.when_there(CLUSTER_BINDING, "view.test-clusterrole").await;
    let id = "clusterresourcebinding.karmada.io/permanent-id";
    assert!(copy.label(id).is_some() && copy.label(id) == binding.label(id), "{copy:?}");

    set.hub.delete(CLUSTER_POLICY, &long).await;
    let claim = "clusterpropagationpolicy.karmada.io/permanent-id";
    set.hub.when(CLUSTER_ROLE, "view:test", |role| role.label(claim).is_none()).await;
    set.hub.when(CLUSTER_BINDING, "view.test-clusterrole", |binding| binding.label(claim).is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_without_selectors_is_for_everything_and_one_of_a_namespace_reaches_it() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;
    let labels = json!([{ "operator": "add", "value": { "place": "member" } }]);
    let rules = json!([{ "overriders": { "labelsOverrider": labels } }]);
    set.hub
        .create(json!({ "apiVersion": "policy.karmada.io/v1alpha1", "kind": "OverridePolicy",
            "metadata": { "namespace": "default", "name": "all" }, "spec": { "overrideRules": rules } }))
        .await;
    let is_labelled = |object: &Object| object.label("place") == Some("member");
    set.member("eu").when(CONFIG_MAP, "default/app", is_labelled).await;

    let selector = json!({ "apiVersion": "v1", "kind": "Namespace", "name": "shop" });
    set.hub
        .create(json!({ "apiVersion": "policy.karmada.io/v1alpha1", "kind": "ClusterOverridePolicy",
            "metadata": { "name": "shop" }, "spec": { "resourceSelectors": [selector], "overrideRules": rules } }))
        .await;
    set.hub.create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } })).await;
    set.member("eu").when("v1/Namespace", "shop", is_labelled).await;
}

/// `status.replicas` of the template.
fn replicas(template: &Object) -> Option<&Value> {
    template.at(&["status", "replicas"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_that_a_member_had_before_counts_once_it_is_taken_over() {
    let set = Federation::start(&["eu", "us"]).await;
    set.member("eu").create(deployment("web", 2)).await;
    set.hub.create(deployment("web", 2)).await;
    set.hub.create(policy("web", DEPLOYMENT, "web", &["eu", "us"])).await;
    set.member("us").when_there(DEPLOYMENT, "default/web").await;
    for member in ["eu", "us"] {
        let generation = set.member(member).when_there(DEPLOYMENT, "default/web").await.generation();
        let status = json!({ "status": { "replicas": 2, "observedGeneration": generation } });
        set.member(member).patch_status(DEPLOYMENT, "default/web", status).await;
    }
    set.hub.when(DEPLOYMENT, "default/web", |web| replicas(web) == Some(&json!(2))).await;

    let overwrite =
        json!({ "metadata": { "annotations": { "work.karmada.io/conflict-resolution": "overwrite" } } });
    set.hub.patch(DEPLOYMENT, "default/web", overwrite).await;
    set.hub.when(DEPLOYMENT, "default/web", |web| replicas(web) == Some(&json!(4))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_member_refuses_is_an_event_on_the_template() {
    let set = Federation::start(&["eu"]).await;
    set.member("eu").create(config_map("app", "member")).await;
    set.hub.create(config_map("app", "hub")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    let events =
        set.hub.client.resource::<Object>(&portolan_runtime::Resource::from(portolan_api::resources::EVENT));
    let told = async {
        loop {
            let listed = events.list(&Default::default()).await.expect("a list");
            let is_wanted = |event: &Object| {
                event.str_at(&["involvedObject", "kind"]) == "ConfigMap"
                    && event.str_at(&["reason"]) == "SyncFailed"
                    && event.str_at(&["message"]).contains("already exists in the cluster eu")
            };
            if listed.items.iter().any(|seen| is_wanted(&seen.object)) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(60), told).await;
    assert!(waited.is_ok(), "no event SyncFailed on the ConfigMap");
}
