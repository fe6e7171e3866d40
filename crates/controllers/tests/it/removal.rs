//! What deletes an object in a member, and what does not.

use std::time::{Duration, Instant};

use portolan_api::names;
use portolan_object::Object;
use portolan_runtime::client::{Delete, Propagation};
use serde_json::json;

use crate::federation::{
    BINDING, CONFIG_MAP, DEPLOYMENT, Federation, WORK, condition, config_map, deployment, message, policy,
};

const POLICY: &str = "policy.karmada.io/v1alpha1/PropagationPolicy";
const NAMESPACE: &str = "v1/Namespace";

/// The Work of a ConfigMap in `default` for `eu`.
fn work(name: &str) -> String {
    format!("karmada-es-eu/{}", names::work("ConfigMap", name, "default"))
}

/// A hub with a ConfigMap that is in `eu`.
async fn with_config_map() -> (Federation, Object) {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    let is_applied = |binding: &Object| condition(binding, "FullyApplied") == "True";
    set.hub.when(BINDING, "default/app-configmap", is_applied).await;
    let copy = set.member("eu").when_there(CONFIG_MAP, "default/app").await;
    (set, copy)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_work_deleted_by_hand_is_made_again_and_its_object_stays() {
    let (set, copy) = with_config_map().await;
    let before = set.hub.get(WORK, &work("app")).await.expect("a work");
    set.hub.delete(WORK, &work("app")).await;
    set.hub
        .when(WORK, &work("app"), |work| work.uid() != before.uid() && condition(work, "Applied") == "True")
        .await;
    let still = set.member("eu").get(CONFIG_MAP, "default/app").await.expect("it stays");
    assert_eq!(still.uid(), copy.uid());
    set.hub.delete(CONFIG_MAP, "default/app").await;
    set.member("eu").when_gone(CONFIG_MAP, "default/app").await;
    set.hub.when_gone(WORK, &work("app")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_of_a_namespace_deleted_by_hand_is_made_again_and_the_namespace_stays() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } })).await;
    let copy = set.member("eu").when_there(NAMESPACE, "shop").await;
    let work = format!("karmada-es-eu/{}", names::work("Namespace", "shop", ""));
    let before = set.hub.when(WORK, &work, |work| condition(work, "Applied") == "True").await;
    set.hub.delete(WORK, &work).await;
    set.hub
        .when(WORK, &work, |work| work.uid() != before.uid() && condition(work, "Applied") == "True")
        .await;
    assert_eq!(set.member("eu").get(NAMESPACE, "shop").await.expect("it stays").uid(), copy.uid());
    set.hub.delete(NAMESPACE, "shop").await;
    set.member("eu").when_gone(NAMESPACE, "shop").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_and_annotations_removed_from_a_namespace_are_removed_in_members() {
    let set = Federation::start(&["eu"]).await;
    let metadata = json!({ "name": "shop", "labels": { "istio-injection": "enabled", "team": "a" },
        "annotations": { "note": "x" } });
    set.hub.create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata })).await;
    set.member("eu").when(NAMESPACE, "shop", |copy| copy.label("team") == Some("a")).await;
    let theirs = json!({ "metadata": { "labels": { "theirs": "1" }, "annotations": { "theirs": "1" } } });
    set.member("eu").patch(NAMESPACE, "shop", theirs).await;

    let change = json!({ "metadata": { "labels": { "istio-injection": null, "team": "b" },
        "annotations": { "note": null } } });
    set.hub.patch(NAMESPACE, "shop", change).await;
    let copy = set.member("eu").when(NAMESPACE, "shop", |copy| copy.label("team") == Some("b")).await;
    assert_eq!((copy.label("istio-injection"), copy.annotation("note")), (None, None));
    assert_eq!((copy.label("theirs"), copy.annotation("theirs")), (Some("1"), Some("1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_an_orphaned_template_stay_in_members() {
    let (set, copy) = with_config_map().await;
    let resource = portolan_runtime::Resource::namespaced("", "v1", "ConfigMap", "configmaps");
    let options = Delete { propagation: Some(Propagation::Orphan), ..Delete::default() };
    set.hub.client.resource::<Object>(&resource).delete(&copy.key(), &options).await.expect("deleted");
    set.hub.when_gone(CONFIG_MAP, "default/app").await;
    set.hub.when_gone(BINDING, "default/app-configmap").await;
    let kept = set.member("eu").get(CONFIG_MAP, "default/app").await.expect("it stays");
    assert_eq!((kept.uid(), kept.label("karmada.io/managed")), (copy.uid(), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_an_orphaned_template_are_released_also_without_a_policy() {
    let (set, copy) = with_config_map().await;
    set.hub.delete(POLICY, "default/app").await;
    set.hub.when_gone(POLICY, "default/app").await;
    let resource = portolan_runtime::Resource::namespaced("", "v1", "ConfigMap", "configmaps");
    let options = Delete { propagation: Some(Propagation::Orphan), ..Delete::default() };
    set.hub.client.resource::<Object>(&resource).delete(&copy.key(), &options).await.expect("deleted");
    set.hub.when_gone(BINDING, "default/app-configmap").await;
    set.hub.when_gone(WORK, &work("app")).await;
    let kept = set.member("eu").get(CONFIG_MAP, "default/app").await.expect("it stays");
    assert_eq!((kept.uid(), kept.label("karmada.io/managed")), (copy.uid(), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_with_preserved_objects_stays_in_members() {
    let set = Federation::start(&["eu"]).await;
    for name in ["shop", "blog"] {
        set.hub
            .create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }))
            .await;
        let mut map = config_map("app", "1");
        map["metadata"]["namespace"] = json!(name);
        set.hub.create(map).await;
        let mut keep = policy("app", CONFIG_MAP, "app", &["eu"]);
        keep["metadata"]["namespace"] = json!(name);
        keep["spec"]["preserveResourcesOnDeletion"] = json!(true);
        set.hub.create(keep).await;
        set.member("eu").when_there(CONFIG_MAP, &format!("{name}/app")).await;
    }
    // In one namespace the object goes first, in the other with its namespace.
    set.hub.delete(CONFIG_MAP, "shop/app").await;
    set.hub.when_gone(BINDING, "shop/app-configmap").await;
    for name in ["shop", "blog"] {
        set.hub.delete(NAMESPACE, name).await;
        set.hub.when_gone(NAMESPACE, name).await;
        set.hub.when_gone(WORK, &format!("karmada-es-eu/{}", names::work("Namespace", name, ""))).await;
        set.hub.when_gone(WORK, &format!("karmada-es-eu/{}", names::work("ConfigMap", "app", name))).await;
        let namespace = set.member("eu").get(NAMESPACE, name).await.expect("it stays");
        assert!(!namespace.is_deleting());
        assert_eq!(namespace.label("karmada.io/managed"), None);
        assert!(set.member("eu").get(CONFIG_MAP, &format!("{name}/app")).await.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_suspension_holds_back_is_told() {
    let (set, _) = with_config_map().await;
    let binding = "default/app-configmap";
    let suspend = json!({ "spec": { "suspension": { "dispatching": true } } });
    set.hub.patch(POLICY, "default/app", suspend).await;
    let suspended =
        set.hub.when(BINDING, binding, |binding| condition(binding, "Dispatching") == "False").await;
    assert_eq!(
        message(&suspended, "Dispatching"),
        "Changes are not sent to eu, because spec.suspension of the policy suspends dispatching."
    );
    set.hub.when(BINDING, binding, |binding| condition(binding, "FullyApplied") == "True").await;

    set.hub.patch(CONFIG_MAP, "default/app", json!({ "data": { "k": "2" } })).await;
    let waiting =
        set.hub.when(BINDING, binding, |binding| condition(binding, "FullyApplied") == "False").await;
    assert!(message(&waiting, "FullyApplied").starts_with("The latest change is not in eu: "));
    let copy = set.member("eu").get(CONFIG_MAP, "default/app").await.expect("a copy");
    assert_eq!(copy.str_at(&["data", "k"]), "1");

    set.hub.patch(POLICY, "default/app", json!({ "spec": { "suspension": null } })).await;
    set.member("eu").when(CONFIG_MAP, "default/app", |copy| copy.str_at(&["data", "k"]) == "2").await;
    set.hub.when(BINDING, binding, |binding| condition(binding, "FullyApplied") == "True").await;
    set.hub.when(BINDING, binding, |binding| condition(binding, "Dispatching") == "True").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_that_is_deleted_with_the_policy_stays_in_effect() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(deployment("web", 5)).await;
    set.hub
        .create(json!({ "apiVersion": "policy.karmada.io/v1alpha1", "kind": "OverridePolicy",
            "metadata": { "namespace": "default", "name": "zero" },
            "spec": { "resourceSelectors": [{ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" }],
                "overrideRules": [{ "overriders": { "plaintext": [
                    { "path": "/spec/replicas", "operator": "replace", "value": 0 }] } }] } }))
        .await;
    set.hub.create(policy("web", DEPLOYMENT, "web", &["eu"])).await;
    let has_override = |copy: &Object| copy.at(&["spec", "replicas"]) == Some(&json!(0));
    set.member("eu").when(DEPLOYMENT, "default/web", has_override).await;
    // A status that arrives later is a reason to apply the template again, without the override.
    let is_settled = |binding: &Object| {
        condition(binding, "FullyApplied") == "True"
            && binding.0["status"]["aggregatedStatus"][0]["health"].is_string()
    };
    set.hub.when(BINDING, "default/web-deployment", is_settled).await;

    set.hub.delete("policy.karmada.io/v1alpha1/OverridePolicie", "default/zero").await;
    // A status between the two deletions queues the binding.
    let status = json!({ "status": { "observedGeneration": 1, "replicas": 0, "conditions": [
        { "type": "Available", "status": "True", "reason": "between" }] } });
    set.member("eu").patch_status(DEPLOYMENT, "default/web", status).await;
    set.hub.delete(POLICY, "default/web").await;
    set.hub.when_gone(POLICY, "default/web").await;
    // Another object that takes longer than the deleted override shows that its pass is over.
    let time = tokio::time::Duration::from_secs(3);
    tokio::time::timeout(time, std::future::pending::<()>()).await.expect_err("time is over");
    set.hub.create(config_map("later", "1")).await;
    set.hub.create(policy("later", CONFIG_MAP, "later", &["eu"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/later").await;
    let copy = set.member("eu").get(DEPLOYMENT, "default/web").await.expect("it stays");
    assert!(has_override(&copy), "{copy:#?}");
}

/// Work is served in a version that its group does not prefer.
#[tokio::test(flavor = "multi_thread")]
async fn works_whose_namespace_is_gone_are_collected() {
    let set = Federation::start(&["eu"]).await;
    let labels = json!({ "namespace.karmada.io/skip-auto-propagation": "true" });
    let namespace = set
        .hub
        .create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop", "labels": labels } }))
        .await;
    set.hub
        .create(json!({ "apiVersion": "work.karmada.io/v1alpha1", "kind": "Work",
            "metadata": { "namespace": "karmada-es-eu", "name": "left", "ownerReferences": [{ "apiVersion": "v1",
                "kind": "Namespace", "name": "shop", "uid": namespace.uid(), "controller": true }] },
            "spec": { "workload": { "manifests": [] } } }))
        .await;
    set.hub.delete(NAMESPACE, "shop").await;
    set.hub.when_gone(NAMESPACE, "shop").await;
    set.hub.when_gone(WORK, "karmada-es-eu/left").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_goes_with_its_template_after_its_work_and_its_binding_were_deleted_by_hand() {
    let (set, _) = with_config_map().await;
    set.hub.delete(WORK, &work("app")).await;
    set.hub.delete(BINDING, "default/app-configmap").await;
    set.hub.delete(CONFIG_MAP, "default/app").await;
    set.member("eu").when_gone(CONFIG_MAP, "default/app").await;
    set.hub.when_gone(WORK, &work("app")).await;

    let (set, _) = with_config_map().await;
    set.hub.delete(BINDING, "default/app-configmap").await;
    set.hub.when_gone(BINDING, "default/app-configmap").await;
    set.hub.delete(WORK, &work("app")).await;
    set.hub.delete(CONFIG_MAP, "default/app").await;
    set.member("eu").when_gone(CONFIG_MAP, "default/app").await;
    set.hub.when_gone(WORK, &work("app")).await;
}

/// A template between two policies, as no controller has seen it yet: its binding was deleted by hand, and its policy too.
async fn between_policies() -> Federation {
    let (set, _) = with_config_map().await;
    set.stop_controllers().await;
    set.hub.delete(BINDING, "default/app-configmap").await;
    set.hub.delete(POLICY, "default/app").await;
    set
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_goes_with_its_template_that_lost_its_binding_between_two_policies() {
    let next = || policy("next", CONFIG_MAP, "app", &["eu"]);
    let is_gone = async |set: &Federation| {
        set.member("eu").when_gone(CONFIG_MAP, "default/app").await;
        set.hub.when_gone(WORK, &work("app")).await;
        set.hub.when_gone(BINDING, "default/app-configmap").await;
    };

    // The template goes before a controller sees anything.
    let set = between_policies().await;
    set.hub.create(next()).await;
    set.hub.delete(CONFIG_MAP, "default/app").await;
    set.run_controllers();
    is_gone(&set).await;

    // While the controllers see the loss.
    let set = between_policies().await;
    set.hub.create(next()).await;
    set.run_controllers();
    set.hub.delete(CONFIG_MAP, "default/app").await;
    is_gone(&set).await;

    // Between the end of the binding and the next policy.
    let set = between_policies().await;
    set.run_controllers();
    set.hub.when_gone(BINDING, "default/app-configmap").await;
    set.hub.create(next()).await;
    set.hub.delete(CONFIG_MAP, "default/app").await;
    is_gone(&set).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_namespace_is_applied_as_soon_as_it_is_there() {
    const SHOP: &str = "shop/app";
    /// Failures until then have made the delay of the next attempt longer than [`PROMPT`].
    const WAITING: Duration = Duration::from_secs(6);
    const PROMPT: Duration = Duration::from_secs(2);
    let set = Federation::start(&["eu"]).await;
    let label = "namespace.karmada.io/skip-auto-propagation";
    set.hub
        .create(json!({ "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": "shop", "labels": { label: "true" } } }))
        .await;
    let (mut map, mut policy) = (config_map("app", "1"), policy("app", CONFIG_MAP, "app", &["eu"]));
    for object in [&mut map, &mut policy] {
        object["metadata"]["namespace"] = json!("shop");
    }
    set.hub.create(map).await;
    set.hub.create(policy).await;
    let refused = set
        .hub
        .when(BINDING, "shop/app-configmap", |binding| condition(binding, "FullyApplied") == "False")
        .await;
    let said = refused.0["status"]["aggregatedStatus"][0]["appliedMessage"].to_string();
    assert!(said.contains("create the namespace on the control plane"), "{said}");
    tokio::time::sleep(WAITING).await;

    set.hub.patch(NAMESPACE, "shop", json!({ "metadata": { "labels": { label: null } } })).await;
    set.member("eu").when_there(NAMESPACE, "shop").await;
    let since = Instant::now();
    set.member("eu").when_there(CONFIG_MAP, SHOP).await;
    assert!(since.elapsed() < PROMPT, "{:?}", since.elapsed());
}
