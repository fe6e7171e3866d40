//! Clusters in pull mode: an agent with the rights of its roles applies the Works and reports.

use std::sync::Arc;
use std::time::Duration;

use portolan_api::agents;
use portolan_controllers::agents::obtain_certificate;
use portolan_controllers::kubernetes::{self, Sign};
use portolan_net::Clock;
use portolan_net::pki::Authority;
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::permissions::{GroupResource, Placeable, needed_by_agent};
use portolan_runtime::ClientError;
use portolan_runtime::client::{Patch, Selection};
use serde_json::json;

use crate::federation::{
    BINDING, CLUSTER, CONFIG_MAP, DEPLOYMENT, Federation, WORK, condition, config_map, deployment, message,
    policy, taints,
};

const LEASE: &str = "coordination.k8s.io/v1/Lease";
const UNREACHABLE: &str = "cluster.karmada.io/unreachable";
const HELD: &str = "karmada-cluster/portolan-control-plane";

/// A hub with the cluster `eu` in pull mode, and its agent.
async fn with_agent() -> (Federation, portolan_net::Shutdown) {
    let mut set = Federation::start(&[]).await;
    set.register("eu").await;
    let agent = set.run_agent("eu");
    set.is_ready("eu").await;
    (set, agent)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_reaches_a_cluster_in_pull_mode_and_its_status_comes_back() {
    let (set, _agent) = with_agent().await;
    set.hub.create(deployment("web", 2)).await;
    set.hub.create(policy("web", DEPLOYMENT, "web", &["eu"])).await;
    let is_applied = |binding: &Object| condition(binding, "FullyApplied") == "True";
    set.hub.when(BINDING, "default/web-deployment", is_applied).await;
    set.member("eu").when_there(DEPLOYMENT, "default/web").await;
    set.member("eu")
        .patch_status(DEPLOYMENT, "default/web", json!({ "status": { "readyReplicas": 2 } }))
        .await;
    let is_reported = |template: &Object| template.0["status"]["readyReplicas"] == 2;
    set.hub.when(DEPLOYMENT, "default/web", is_reported).await;

    // Drift is put right by the agent, and a deleted template deletes the object.
    set.member("eu").patch(DEPLOYMENT, "default/web", json!({ "spec": { "replicas": 5 } })).await;
    set.member("eu").when(DEPLOYMENT, "default/web", |found| found.0["spec"]["replicas"] == 2).await;
    set.hub.delete(DEPLOYMENT, "default/web").await;
    set.member("eu").when_gone(DEPLOYMENT, "default/web").await;
    assert!(set.endpoints.lock().is_empty(), "the control plane dials no cluster in pull mode");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_the_agent_does_not_have_is_told_with_its_cure_and_counts_when_it_is_granted() {
    let mut set = Federation::start(&[]).await;
    set.register("eu").await;
    let rules =
        |placed: &[GroupResource]| json!(needed_by_agent(&Placeable::Only(placed.iter().cloned().collect())));
    let _agent = set.run_limited_agent("eu", rules(&[])).await;
    set.is_ready("eu").await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    let work = format!("karmada-es-eu/{}", portolan_api::names::work("ConfigMap", "app", "default"));
    let is_refused = |work: &Object| condition(work, "Applied") == "False";
    let refused = set.hub.when(WORK, &work, is_refused).await;
    let text = message(&refused, "Applied");
    assert!(text.contains("is forbidden") && text.contains("`portolan cluster permissions`"), "{text}");
    let is_told = |cluster: &Object| condition(cluster, "RightsMissing") == "True";
    let cluster = set.hub.when(CLUSTER, "eu", is_told).await;
    let text = message(&cluster, "RightsMissing");
    assert!(text.contains("configmaps; `portolan cluster permissions eu --apply"), "{text}");
    assert_eq!(condition(&cluster, "Ready"), "True", "other kinds can be placed");

    let role = "rbac.authorization.k8s.io/v1/ClusterRole";
    let granted = rules(&[GroupResource::new("", "configmaps")]);
    set.member("eu").patch(role, "federation", json!({ "rules": granted })).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;
    set.hub.when(CLUSTER, "eu", |cluster| condition(cluster, "RightsMissing") == "False").await;
    set.hub.when(WORK, &work, |work| condition(work, "Applied") == "True").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_work_of_a_pull_cluster_deleted_by_hand_is_made_again_and_its_object_stays() {
    let (set, _agent) = with_agent().await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    let copy = set.member("eu").when_there(CONFIG_MAP, "default/app").await;
    let work = format!("karmada-es-eu/{}", portolan_api::names::work("ConfigMap", "app", "default"));
    let before = set.hub.when(WORK, &work, |work| condition(work, "Applied") == "True").await;
    set.hub.delete(WORK, &work).await;
    let is_again = |work: &Object| work.uid() != before.uid() && condition(work, "Applied") == "True";
    set.hub.when(WORK, &work, is_again).await;
    let still = set.member("eu").get(CONFIG_MAP, "default/app").await.expect("it stays");
    assert_eq!(still.uid(), copy.uid());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_comes_and_goes_in_a_pull_cluster() {
    let (set, _agent) = with_agent().await;
    set.hub.create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } })).await;
    set.member("eu").when_there("v1/Namespace", "shop").await;
    set.hub.delete("v1/Namespace", "shop").await;
    set.member("eu").when_gone("v1/Namespace", "shop").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_goes_on_without_the_hub_and_after_a_restart() {
    let (set, agent) = with_agent().await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;
    set.stop_controllers().await;
    set.member("eu").patch(CONFIG_MAP, "default/app", json!({ "data": { "k": "other" } })).await;
    set.member("eu").when(CONFIG_MAP, "default/app", |found| found.0["data"]["k"] == "1").await;

    assert!(agent.drain(std::time::Duration::from_secs(20)).await.is_ok(), "the agent stops");
    set.run_controllers();
    set.hub.patch(CONFIG_MAP, "default/app", json!({ "data": { "k": "2" } })).await;
    let _agent = set.run_agent("eu");
    set.member("eu").when(CONFIG_MAP, "default/app", |found| found.0["data"]["k"] == "2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_cluster_that_leaves_is_as_before() {
    let (set, _agent) = with_agent().await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;
    set.member("eu").when_there(LEASE, HELD).await;
    set.hub.delete(CLUSTER, "eu").await;
    set.hub.when_gone(CLUSTER, "eu").await;
    set.member("eu").when_gone(CONFIG_MAP, "default/app").await;
    set.member("eu").when_gone(LEASE, HELD).await;
    set.hub.when_gone("rbac.authorization.k8s.io/v1/ClusterRole", "system:karmada:eu:agent").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_holds_what_a_restored_control_plane_withdraws() {
    let (mut set, _agent) = with_agent().await;
    set.join("us").await;
    set.is_ready("us").await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu", "us"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;
    let annotate = |name: &str, value: &str| json!({ "metadata": { "annotations": { name: value } } });
    let restored =
        json!({ "since": "2026-01-01T00:00:00Z", "reason": "the control plane was restored" }).to_string();
    set.hub.patch(CLUSTER, "eu", annotate("portolan.dev/state-not-trusted", &restored)).await;

    let elsewhere = json!({ "spec": { "placement": { "clusterAffinity": { "clusterNames": ["us"] } } } });
    set.hub.patch("policy.karmada.io/v1alpha1/PropagationPolicy", "default/app", elsewhere).await;
    let is_held = |cluster: &Object| condition(cluster, "DeletionsHeld") == "True";
    let cluster = set.hub.when(CLUSTER, "eu", is_held).await;
    let text = message(&cluster, "DeletionsHeld");
    assert!(text.contains("was restored") && text.contains("portolan release eu"), "{text}");
    assert!(set.member("eu").get(CONFIG_MAP, "default/app").await.is_some(), "it is held");

    set.hub.patch(CLUSTER, "eu", annotate("portolan.dev/deletions-released", "2099-01-01T00:00:00Z")).await;
    set.member("eu").when_gone(CONFIG_MAP, "default/app").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_key_of_an_agent_reaches_no_other_cluster() {
    let (mut set, _agent) = with_agent().await;
    set.register("us").await;
    set.hub
        .create(json!({ "apiVersion": "v1", "kind": "Secret", "data": { "token": "dG9rZW4=" },
            "metadata": { "namespace": "karmada-cluster", "name": "us" } }))
        .await;
    let stolen = set.hub.as_agent("eu");
    let is_refused = |name: &str, result: Result<(), ClientError>| {
        assert!(matches!(result, Err(ClientError::Forbidden(_))), "{name}: {result:?}");
    };
    let secrets = stolen.resource::<Object>(&portolan_api::resources::SECRET.into());
    let works = stolen.kind::<portolan_api::work::Work>();
    let clusters = stolen.kind::<portolan_api::cluster::Cluster>();
    let us = ObjectKey::cluster("us");
    let patch = Patch::Merge(json!({ "status": { "kubernetesVersion": "v0" } }));
    is_refused("secret", secrets.get(&ObjectKey::namespaced("karmada-cluster", "us")).await.map(drop));
    is_refused("secrets", secrets.list(&Selection::namespace("karmada-cluster")).await.map(drop));
    is_refused("works", works.list(&Selection::namespace("karmada-es-us")).await.map(drop));
    is_refused("all works", works.list(&Selection::all()).await.map(drop));
    is_refused("status", clusters.patch_status(&us, &patch).await.map(drop));
    is_refused("delete", clusters.delete(&us, &portolan_runtime::client::Delete::default()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_agent_makes_its_cluster_unknown_and_a_restart_of_the_hub_never_shows_it_ready() {
    let (set, agent) = with_agent().await;
    assert!(agent.drain(std::time::Duration::from_secs(20)).await.is_ok(), "the agent stops");
    let is_unknown = |cluster: &Object| condition(cluster, "Ready") == "Unknown";
    let cluster = set.hub.when(CLUSTER, "eu", is_unknown).await;
    assert!(message(&cluster, "Ready").contains("portolan agent --pull"), "{cluster:?}");
    set.hub.when(CLUSTER, "eu", |cluster| taints(cluster).contains(&UNREACHABLE.to_owned())).await;

    set.stop_controllers().await;
    set.run_controllers();
    set.hub.create(config_map("after", "1")).await;
    set.hub.create(policy("after", CONFIG_MAP, "after", &["eu"])).await;
    set.hub.when_there(BINDING, "default/after-configmap").await;
    assert!(is_unknown(&set.hub.get(CLUSTER, "eu").await.expect("a cluster")), "still unknown");
    let _agent = set.run_agent("eu");
    set.is_ready("eu").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_signed_for_the_cluster_of_the_token_and_for_no_other() {
    let mut set = Federation::start(&[]).await;
    set.register("us").await;
    let authority = Arc::new(Authority::create("hub-ca", Clock::system().now()).expect("an authority"));
    let sign: Sign = Arc::new(move |request, life| {
        authority.sign_client(request, life, Clock::system().now()).map_err(|error| error.to_string())
    });
    let scope = portolan_net::Shutdown::new();
    kubernetes::certificates(&set.hub.client, sign, &Clock::system(), &scope);
    for role in agents::roles::of_registration() {
        set.hub.create(role.0).await;
    }
    let ask = async |groups: &[&str], cluster: &str| {
        let token = set.hub.as_user("system:bootstrap:abcdef", groups);
        let (week, patience) = (Duration::from_secs(7 * 24 * 3600), Duration::from_secs(20));
        obtain_certificate(&token, cluster, week, patience).await.map(drop).map_err(|error| error.to_string())
    };
    let bound = agents::bound_token_group("eu");
    let bound = [agents::BOUND_TOKENS, bound.as_str()];
    assert_eq!(ask(&bound, "eu").await, Ok(()));
    set.hub
        .when_there("rbac.authorization.k8s.io/v1/Role", "karmada-es-eu/system:karmada:eu:agent-work")
        .await;
    assert_eq!(ask(&bound, "eu").await, Ok(()), "the token registers its cluster again");
    let denied = |got: Result<(), String>, causes: &[&str]| {
        let text = got.expect_err("denied");
        assert!(causes.iter().all(|cause| text.contains(cause)), "{text}");
    };
    denied(ask(&bound, "asia").await, &["TokenOfAnotherCluster", "token create --cluster asia"]);
    denied(ask(&[agents::UNBOUND_TOKENS], "us").await, &["ClusterExists", "--cluster us"]);
    assert_eq!(ask(&[agents::UNBOUND_TOKENS], "asia").await, Ok(()));
    let renewing = set.hub.as_agent("us");
    let patience = Duration::from_secs(20);
    let stolen = obtain_certificate(&renewing, "eu", patience * 60, patience).await.map(drop);
    denied(stolen.map_err(|error| error.to_string()), &["AgentOfAnotherCluster", "us", "eu"]);
    assert!(obtain_certificate(&renewing, "us", patience * 60, patience).await.is_ok(), "it renews its own");
    scope.request();
}
