//! Clusters that come, report and leave.

use portolan_object::Object;
use serde_json::json;

use crate::federation::{CLUSTER, CONFIG_MAP, Federation, condition, config_map, message, policy};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_reports_what_it_is() {
    let set = Federation::start(&["eu"]).await;
    // Two controllers write it: one the status, the other the finalizer.
    let has_finalizer =
        |cluster: &Object| cluster.finalizers().any(|held| held == "karmada.io/cluster-controller");
    let is_complete =
        |cluster: &Object| cluster.0["status"]["nodeSummary"].is_object() && has_finalizer(cluster);
    let cluster = set.hub.when(CLUSTER, "eu", is_complete).await;
    assert_eq!(cluster.str_at(&["status", "kubernetesVersion"]), portolan_apiserver::VERSION);
    let enablements = cluster.0["status"]["apiEnablements"].to_string();
    assert!(enablements.contains("\"apps/v1\"") && enablements.contains("\"Deployment\""), "{enablements}");
    set.hub.when_there("v1/Namespace", "karmada-es-eu").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_type_in_a_member_is_known_at_once() {
    let set = Federation::start(&["eu"]).await;
    let name = "serviceexports.multicluster.x-k8s.io";
    let definition = portolan_api::crd::all().into_iter().find(|crd| crd["metadata"]["name"] == name);
    set.member("eu").create(definition.expect("an MCS definition")).await;
    set.hub
        .when(CLUSTER, "eu", |cluster| {
            cluster.0["status"]["apiEnablements"].to_string().contains("ServiceExport")
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_cluster_gets_what_policies_say() {
    let mut set = Federation::start(&["eu"]).await;
    set.hub.create(config_map("app", "1")).await;
    let mut everywhere = policy("app", CONFIG_MAP, "app", &[]);
    everywhere["spec"]["placement"] = json!({});
    set.hub.create(everywhere).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;

    set.join("us").await;
    set.member("us").when_there(CONFIG_MAP, "default/app").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_takes_our_objects_along_and_nothing_else() {
    let set = Federation::start(&["eu", "us"]).await;
    set.member("eu").create(config_map("theirs", "1")).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu", "us"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;

    set.hub.delete(CLUSTER, "eu").await;
    set.hub.when_gone(CLUSTER, "eu").await;
    set.member("eu").when_gone(CONFIG_MAP, "default/app").await;
    assert!(set.member("eu").get(CONFIG_MAP, "default/theirs").await.is_some());
    assert!(set.member("us").get(CONFIG_MAP, "default/app").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_deleted_policy_placed_does_not_keep_a_cluster() {
    let set = Federation::start(&["eu", "us"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu", "us"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;
    set.member("us").when_there(CONFIG_MAP, "default/app").await;
    let policy = "policy.karmada.io/v1alpha1/PropagationPolicy";
    set.hub.delete(policy, "default/app").await;
    set.hub.when_gone(policy, "default/app").await;

    set.hub.delete(CLUSTER, "eu").await;
    set.hub.when_gone(CLUSTER, "eu").await;
    set.member("eu").when_gone(CONFIG_MAP, "default/app").await;
    assert!(set.member("us").get(CONFIG_MAP, "default/app").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_cannot_be_watched_is_not_ready() {
    let rules = |core: &[&str]| {
        let groups = [
            "apps",
            "discovery.k8s.io",
            "apiextensions.k8s.io",
            "multicluster.x-k8s.io",
            "coordination.k8s.io",
        ];
        json!([
            { "apiGroups": [""], "resources": core, "verbs": ["*"] },
            { "apiGroups": groups, "resources": ["*"], "verbs": ["*"] },
            { "nonResourceURLs": ["*"], "verbs": ["*"] },
        ])
    };
    let mut set = Federation::start(&[]).await;
    set.join_limited("eu", rules(&["namespaces", "services", "configmaps", "pods", "resourcequotas"])).await;
    let cluster = set.hub.when(CLUSTER, "eu", |cluster| condition(cluster, "Ready") == "False").await;
    let reason = message(&cluster, "Ready");
    assert!(reason.contains("changes there are not seen: nodes.v1: "), "{reason}");
    assert!(reason.contains("is forbidden") && reason.contains("`portolan cluster permissions`"), "{reason}");

    let role = "rbac.authorization.k8s.io/v1/ClusterRole";
    let rules = rules(&["namespaces", "services", "configmaps", "pods", "resourcequotas", "nodes"]);
    set.member("eu").patch(role, "federation", json!({ "rules": rules })).await;
    set.is_ready("eu").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_may_use_the_proxy_can_be_impersonated_in_the_member() {
    let set = Federation::start(&["eu"]).await;
    let reference = json!({ "namespace": "karmada-cluster", "name": "eu-impersonator" });
    set.hub.patch(CLUSTER, "eu", json!({ "spec": { "impersonatorSecretRef": reference } })).await;
    let (api_version, role) = ("rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io/v1/ClusterRole");
    set.hub
        .create(json!({ "apiVersion": api_version, "kind": "ClusterRole", "metadata": { "name": "proxy" },
            "rules": [{ "apiGroups": ["cluster.karmada.io"], "resources": ["clusters/proxy"], "verbs": ["*"],
                "resourceNames": ["eu"] }] }))
        .await;
    set.hub
        .create(
            json!({ "apiVersion": api_version, "kind": "ClusterRoleBinding", "metadata": { "name": "proxy" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "proxy" },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ann" }] }),
        )
        .await;
    let names_ann = |role: &Object| role.0["rules"].to_string().contains("\"ann\"");
    set.member("eu").when(role, "karmada-impersonator", names_ann).await;
    set.member("eu")
        .when_there("rbac.authorization.k8s.io/v1/ClusterRoleBinding", "karmada-impersonator")
        .await;

    set.hub.delete("rbac.authorization.k8s.io/v1/ClusterRoleBinding", "proxy").await;
    set.member("eu").when(role, "karmada-impersonator", |role| !names_ann(role)).await;
    set.hub.delete(CLUSTER, "eu").await;
    set.hub.when_gone(CLUSTER, "eu").await;
    set.member("eu").when_gone(role, "karmada-impersonator").await;
}
