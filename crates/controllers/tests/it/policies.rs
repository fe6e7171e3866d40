//! Which policy a template belongs to, and when the policy takes effect.

use std::time::Duration;

use portolan_object::Object;
use portolan_runtime::Resource;
use serde_json::{Value, json};

use crate::federation::{
    BINDING, CONFIG_MAP, DEPLOYMENT, Federation, Plane, condition, config_map, deployment, policy,
};

const POLICY: &str = "policy.karmada.io/v1alpha1/PropagationPolicy";
const HOLDER: &str = "propagationpolicy.karmada.io/name";
const WIDE_HOLDER: &str = "clusterpropagationpolicy.karmada.io/name";

/// A policy that takes the ConfigMap `app` from policies of lower priority.
fn preempting(name: &str, priority: i32, cluster: &str) -> Value {
    let mut policy = policy(name, CONFIG_MAP, "app", &[cluster]);
    policy["spec"]["priority"] = json!(priority);
    policy["spec"]["preemption"] = json!("Always");
    policy
}

fn lazy(name: &str, cluster: &str) -> Value {
    let mut policy = policy(name, CONFIG_MAP, "app", &[cluster]);
    policy["spec"]["activationPreference"] = json!("Lazy");
    policy
}

fn wide(mut policy: Value) -> Value {
    policy["kind"] = json!("ClusterPropagationPolicy");
    policy["metadata"].as_object_mut().expect("metadata").remove("namespace");
    policy["spec"]["resourceSelectors"][0]["namespace"] = json!("default");
    policy
}

fn placement(cluster: &str) -> Value {
    json!({ "spec": { "placement": { "clusterAffinity": { "clusterNames": [cluster] } } } })
}

async fn when_held(hub: &Plane, annotation: &str, policy: &str) -> Object {
    hub.when(CONFIG_MAP, "default/app", |app| app.annotation(annotation) == Some(policy)).await
}

/// Waits for an event about an object, and returns its message.
pub(crate) async fn when_event(hub: &Plane, object: &str, reason: &str) -> String {
    let events = hub.client.resource::<Object>(&Resource::from(portolan_api::resources::EVENT));
    let found = async {
        loop {
            let list = events.list(&Default::default()).await.expect("a list");
            let is_wanted = |event: &&Object| {
                event.str_at(&["involvedObject", "name"]) == object && event.str_at(&["reason"]) == reason
            };
            if let Some(event) = list.items.iter().map(|seen| &seen.object).find(is_wanted) {
                return event.str_at(&["message"]).to_owned();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(60), found).await;
    found.unwrap_or_else(|_| panic!("no event {reason} about {object}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_higher_priority_takes_the_object_and_gives_it_back() {
    let set = Federation::start(&["eu", "us"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("low", CONFIG_MAP, "app", &["eu"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;
    when_event(&set.hub, "app", "ApplyPolicySucceed").await;

    set.hub.create(preempting("high", 1, "us")).await;
    set.member("us").when_there(CONFIG_MAP, "default/app").await;
    set.member("eu").when_gone(CONFIG_MAP, "default/app").await;
    assert_eq!(
        when_event(&set.hub, "app", "PreemptPolicySucceed").await,
        "Propagation policy(default/high) preempted propagation policy(default/low) successfully"
    );

    set.hub.delete(POLICY, "default/high").await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;
    set.member("us").when_gone(CONFIG_MAP, "default/app").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_whose_priority_is_lowered_loses_the_object() {
    let set = Federation::start(&["eu", "us"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(preempting("one", 10, "eu")).await;
    when_held(&set.hub, HOLDER, "one").await;
    set.hub.create(preempting("other", 5, "us")).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;

    set.hub.patch(POLICY, "default/one", json!({ "spec": { "priority": 4 } })).await;
    when_held(&set.hub, HOLDER, "other").await;
    set.member("us").when_there(CONFIG_MAP, "default/app").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_of_the_namespace_takes_from_a_cluster_wide_one() {
    let set = Federation::start(&["eu", "us"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(wide(preempting("wide", 100, "eu"))).await;
    when_held(&set.hub, WIDE_HOLDER, "wide").await;

    set.hub.create(preempting("ours", 0, "us")).await;
    let app = when_held(&set.hub, HOLDER, "ours").await;
    assert_eq!(app.annotation(WIDE_HOLDER), None, "one claim at a time");
    set.member("us").when_there(CONFIG_MAP, "default/app").await;

    set.hub.delete(POLICY, "default/ours").await;
    when_held(&set.hub, WIDE_HOLDER, "wide").await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lazy_policy_acts_with_the_next_change_of_the_template() {
    let set = Federation::start(&["eu", "us"]).await;
    set.hub.create(lazy("lazy", "eu")).await;
    set.hub.when(POLICY, "default/lazy", |policy| policy.finalizers().count() == 1).await;
    set.hub.create(config_map("app", "1")).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;

    set.hub.patch(POLICY, "default/lazy", placement("us")).await;
    // Everything before this object has been looked at when it arrives.
    set.hub.create(config_map("later", "1")).await;
    set.hub.create(policy("later", CONFIG_MAP, "later", &["us"])).await;
    set.member("us").when_there(CONFIG_MAP, "default/later").await;
    let binding = set.hub.get(BINDING, "default/app-configmap").await.expect("a binding");
    assert_eq!(binding.0["spec"]["clusters"][0]["name"], "eu", "the change waits");

    set.hub.patch(CONFIG_MAP, "default/app", json!({ "data": { "k": "2" } })).await;
    set.member("us").when(CONFIG_MAP, "default/app", |app| app.str_at(&["data", "k"]) == "2").await;
    set.member("eu").when_gone(CONFIG_MAP, "default/app").await;
    let copy = set.member("us").get(CONFIG_MAP, "default/app").await.expect("a copy");
    assert_eq!(copy.annotation("portolan.dev/activation"), None, "a record of the control plane");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lazy_policy_that_comes_after_the_template_only_claims_it() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(lazy("lazy", "eu")).await;
    let app = when_held(&set.hub, HOLDER, "lazy").await;
    assert!(app.annotation("portolan.dev/activation").is_some_and(|record| record.starts_with("held-")));

    // A restart changes nothing.
    set.stop_controllers().await;
    set.run_controllers();
    set.hub.create(config_map("later", "1")).await;
    set.hub.create(policy("later", CONFIG_MAP, "later", &["eu"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/later").await;
    assert!(set.hub.get(BINDING, "default/app-configmap").await.is_none());

    set.hub.patch(CONFIG_MAP, "default/app", json!({ "data": { "k": "2" } })).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_deleted_by_hand_is_made_again_and_the_members_keep_their_objects() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    let copy = set.member("eu").when_there(CONFIG_MAP, "default/app").await;
    let is_applied = |binding: &Object| condition(binding, "FullyApplied") == "True";
    let binding = set.hub.when(BINDING, "default/app-configmap", is_applied).await;

    set.hub.delete(BINDING, "default/app-configmap").await;
    let is_new = |found: &Object| found.uid() != binding.uid() && is_applied(found);
    set.hub.when(BINDING, "default/app-configmap", is_new).await;
    let still = set.member("eu").get(CONFIG_MAP, "default/app").await.expect("still there");
    assert_eq!(still.uid(), copy.uid());

    // The deletion of the template takes everything along.
    set.hub.delete(CONFIG_MAP, "default/app").await;
    set.member("eu").when_gone(CONFIG_MAP, "default/app").await;
    set.hub.when_gone(BINDING, "default/app-configmap").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_deletion_of_a_policy_leaves_no_claims() {
    let set = Federation::start(&["eu"]).await;
    for number in 0..20 {
        set.hub.create(config_map(&format!("app-{number}"), "1")).await;
    }
    let mut all = policy("all", CONFIG_MAP, "", &["eu"]);
    all["spec"]["resourceSelectors"] = json!([{ "apiVersion": "v1", "kind": "ConfigMap" }]);
    set.hub.create(all).await;
    for number in 0..20 {
        let is_held = |app: &Object| app.annotation(HOLDER) == Some("all");
        set.hub.when(CONFIG_MAP, &format!("default/app-{number}"), is_held).await;
        set.hub.when_there(BINDING, &format!("default/app-{number}-configmap")).await;
    }
    set.hub.when(POLICY, "default/all", |policy| policy.finalizers().count() == 1).await;
    // As if the process had ended after it had released the bindings.
    set.stop_controllers().await;
    for number in 0..20 {
        let labels =
            json!({ "metadata": { "labels": { "propagationpolicy.karmada.io/permanent-id": null } } });
        set.hub.patch(BINDING, &format!("default/app-{number}-configmap"), labels).await;
    }
    set.hub.delete(POLICY, "default/all").await;
    set.run_controllers();
    set.hub.when_gone(POLICY, "default/all").await;
    for number in 0..20 {
        let is_free = |app: &Object| app.annotation(HOLDER).is_none() && app.labels().is_empty();
        set.hub.when(CONFIG_MAP, &format!("default/app-{number}"), is_free).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_keep_the_replicas_of_a_template_with_an_autoscaler() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(deployment("web", 1)).await;
    set.hub
        .create(json!({ "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": { "namespace": "default", "name": "web" },
            "spec": { "maxReplicas": 5,
                "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" } } }))
        .await;
    let mut both = policy("web", DEPLOYMENT, "web", &["eu"]);
    both["spec"]["resourceSelectors"]
        .as_array_mut()
        .expect("selectors")
        .push(json!({ "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "web" }));
    set.hub.create(both).await;
    let label = "resourcetemplate.karmada.io/retain-replicas";
    let eu = set.member("eu");
    eu.when(DEPLOYMENT, "default/web", |copy| copy.label(label) == Some("true")).await;

    eu.patch(DEPLOYMENT, "default/web", json!({ "spec": { "replicas": 3 } })).await;
    let touch = json!({ "metadata": { "annotations": { "touched": "yes" } } });
    set.hub.patch(DEPLOYMENT, "default/web", touch).await;
    let copy = eu.when(DEPLOYMENT, "default/web", |copy| copy.annotation("touched").is_some()).await;
    assert_eq!(copy.at(&["spec", "replicas"]), Some(&json!(3)));

    set.hub.delete("autoscaling/v2/HorizontalPodAutoscaler", "default/web").await;
    set.hub.when(DEPLOYMENT, "default/web", |template| template.label(label).is_none()).await;
    let is_back = |copy: &Object| copy.at(&["spec", "replicas"]) == Some(&json!(1));
    eu.when(DEPLOYMENT, "default/web", is_back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_without_effect_says_so() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("first", CONFIG_MAP, "app", &["eu"])).await;
    when_held(&set.hub, HOLDER, "first").await;
    set.hub.create(policy("second", CONFIG_MAP, "app", &["eu"])).await;
    set.hub.create(policy("typo", "v1/ConfigMpa", "app", &["eu"])).await;
    set.hub.create(policy("nowhere", CONFIG_MAP, "app", &["ue"])).await;
    let lost = when_event(&set.hub, "second", "ClaimedByAnotherPolicy").await;
    assert!(lost.contains("ConfigMap default/app belongs to PropagationPolicy default/first"), "{lost}");
    let typo = when_event(&set.hub, "typo", "KindNotServed").await;
    assert!(typo.ends_with("did you mean v1 ConfigMap?"), "{typo}");
    let nowhere = when_event(&set.hub, "nowhere", "NoSuchCluster").await;
    assert!(nowhere.contains("none of the clusters in spec.placement exists: ue"), "{nowhere}");

    let overriding = |name: &str, kind: &str, cluster: &str| {
        json!({ "apiVersion": "policy.karmada.io/v1alpha1", "kind": "OverridePolicy",
            "metadata": { "namespace": "default", "name": name },
            "spec": { "resourceSelectors": [{ "apiVersion": "v1", "kind": kind }],
                "overrideRules": [{ "targetCluster": { "clusterNames": [cluster] }, "overriders": {
                    "plaintext": [{ "path": "/data/a", "operator": "add", "value": "b" }] } }] } })
    };
    set.hub.create(overriding("scope", "Namespace", "eu")).await;
    let scope = when_event(&set.hub, "scope", "KindClusterScoped").await;
    assert!(scope.contains("objects of kind v1 Namespace have no namespace"), "{scope}");
    set.hub.create(overriding("no-cluster", "ConfigMap", "ue")).await;
    set.hub.create(overriding("no-kind", "ConfigMpa", "eu")).await;
    let no_cluster = when_event(&set.hub, "no-cluster", "NoSuchCluster").await;
    assert!(
        no_cluster.starts_with("spec.overrideRules names clusters that do not exist: ue"),
        "{no_cluster}"
    );
    let mut idle = overriding("idle", "ConfigMap", "eu");
    idle["spec"]["overrideRules"][0]["targetCluster"] =
        json!({ "labelSelector": { "matchLabels": { "tier": "gold" } } });
    set.hub.create(idle).await;
    let idle = when_event(&set.hub, "idle", "NoClusterFits").await;
    assert!(idle.starts_with("spec.overrideRules[0].targetCluster fits no cluster"), "{idle}");
    let mut nothing = overriding("nothing", "ConfigMap", "eu");
    nothing["spec"]["resourceSelectors"][0]["name"] = json!("ppa");
    set.hub.create(nothing).await;
    when_event(&set.hub, "nothing", "NothingSelected").await;
    let no_kind = when_event(&set.hub, "no-kind", "KindNotServed").await;
    assert!(no_kind.ends_with("did you mean v1 ConfigMap?"), "{no_kind}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_waits_for_its_overrides_and_its_priority_class() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(config_map("app", "1")).await;
    let mut waiting = policy("app", CONFIG_MAP, "app", &["eu"]);
    waiting["spec"]["dependentOverrides"] = json!(["later"]);
    waiting["spec"]["schedulePriority"] =
        json!({ "priorityClassSource": "KubePriorityClass", "priorityClassName": "high" });
    set.hub.create(waiting).await;
    let message = when_event(&set.hub, "app", "ApplyPolicyFailed").await;
    assert!(message.contains("waits for override policy later, which does not exist"), "{message}");

    set.hub
        .create(json!({ "apiVersion": "policy.karmada.io/v1alpha1", "kind": "OverridePolicy",
            "metadata": { "namespace": "default", "name": "later" }, "spec": { "overrideRules": [] } }))
        .await;
    set.hub
        .create(json!({ "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
            "metadata": { "name": "high" }, "value": 7 }))
        .await;
    let binding = set.hub.when_there(BINDING, "default/app-configmap").await;
    assert_eq!(binding.0["spec"]["schedulePriority"]["priority"], 7);
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;
}
