//! `portolan why` and `portolan tree` on federations with faults: what they say is what is the case.

use portolan_api::cluster::Cluster;
use portolan_controllers::explain::{Question, facts, federation};
use portolan_object::ObjectKey;
use portolan_plan::explain::{Diagnosis, Hop, Verdict, diagnose, sweep, tree};
use serde_json::json;

use crate::federation::{
    BINDING, CLUSTER, CONFIG_MAP, DEPLOYMENT, Federation, WORK, condition, config_map, deployment, policy,
};

const POLICY: &str = "policy.karmada.io/v1alpha1/PropagationPolicy";

async fn question(set: &Federation, kind: &str, name: &str) -> Question {
    let discovery = set.hub.client.discover().await.expect("kinds");
    let (api_version, kind) = kind.rsplit_once('/').expect("apiVersion/Kind");
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let found = discovery.find(group, kind).expect("a served kind").clone();
    let key = match name.split_once('/') {
        Some((namespace, name)) => ObjectKey::namespaced(namespace, name),
        None => ObjectKey::cluster(name),
    };
    Question { found, key, only: None }
}

async fn why(set: &Federation, kind: &str, name: &str) -> Diagnosis {
    let question = question(set, kind, name).await;
    let connect = async |cluster: &Cluster| Ok(set.member(&cluster.metadata.name).client.clone());
    diagnose(&facts(&set.hub.client, question, connect).await)
}

/// Asks until the first broken step is the expected one: the control plane may not have seen the fault yet.
async fn broken_at(set: &Federation, name: &str, hop: Hop, text: &str) -> Diagnosis {
    let asked = async {
        loop {
            let diagnosis = why(set, CONFIG_MAP, &format!("default/{name}")).await;
            if diagnosis.broken().is_some_and(|step| step.hop == hop && step.text.contains(text)) {
                return diagnosis;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    match tokio::time::timeout(std::time::Duration::from_secs(60), asked).await {
        Ok(diagnosis) => diagnosis,
        Err(_) => panic!("{name}: {:#?}", why(set, CONFIG_MAP, &format!("default/{name}")).await),
    }
}

async fn applied(set: &Federation, binding: &str) {
    set.hub.when(BINDING, binding, |binding| condition(binding, "FullyApplied") == "True").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_object_has_no_step_that_is_not_good() {
    let set = Federation::start(&["eu", "us"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu", "us"])).await;
    applied(&set, "default/app-configmap").await;

    let diagnosis = why(&set, CONFIG_MAP, "default/app").await;
    let bad: Vec<_> = diagnosis.steps.iter().filter(|step| step.verdict != Verdict::Good).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    let members: Vec<_> = diagnosis.steps.iter().filter(|step| step.hop == Hop::Member).collect();
    assert_eq!(members.len(), 2);
    assert!(diagnosis.good_since().is_some());
    let discovery = set.hub.client.discover().await.expect("kinds");
    assert_eq!(sweep::sweep(&federation(&set.hub.client, &discovery).await), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_with_ports_that_the_control_plane_allocated_is_up_to_date() {
    const SERVICE: &str = "v1/Service";
    let set = Federation::start(&["eu"]).await;
    let service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": "default", "name": "web" },
        "spec": { "type": "NodePort", "selector": { "app": "web" }, "ports": [{ "port": 80 }] } });
    set.hub.create(service).await;
    set.hub.create(policy("web", SERVICE, "web", &["eu"])).await;
    applied(&set, "default/web-service").await;
    let diagnosis = why(&set, SERVICE, "default/web").await;
    let bad: Vec<_> = diagnosis.steps.iter().filter(|step| step.verdict != Verdict::Good).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_is_found_at_its_step() {
    let set = Federation::start(&["eu", "us"]).await;
    let names = ["lonely", "typo", "nowhere", "foreign", "override", "suspended"];
    for name in names {
        set.hub.create(config_map(name, "1")).await;
    }
    set.member("eu").create(config_map("foreign", "theirs")).await;
    let mut typo = policy("typo", CONFIG_MAP, "typo", &["eu"]);
    typo["spec"]["resourceSelectors"][0]["kind"] = json!("configmaps");
    let overriding = json!({ "apiVersion": "policy.karmada.io/v1alpha1", "kind": "OverridePolicy",
        "metadata": { "namespace": "default", "name": "wrong" },
        "spec": { "resourceSelectors": [{ "apiVersion": "v1", "kind": "ConfigMap", "name": "override" }],
            "overrideRules": [{ "overriders": { "plaintext": [{ "path": "/data/nothing", "operator": "replace", "value": "x" }] } }] } });
    set.hub.create(overriding).await;
    let mut suspended = policy("suspended", CONFIG_MAP, "suspended", &["eu"]);
    suspended["spec"]["suspension"] = json!({ "dispatching": true });
    for policy in [
        typo,
        policy("nowhere", CONFIG_MAP, "nowhere", &["berlin"]),
        policy("foreign", CONFIG_MAP, "foreign", &["eu", "us"]),
        policy("override", CONFIG_MAP, "override", &["eu"]),
        suspended,
    ] {
        set.hub.create(policy).await;
    }

    let lonely = broken_at(&set, "lonely", Hop::Policy, "no policy selects it").await;
    let near = lonely
        .broken()
        .expect("broken")
        .details
        .iter()
        .any(|line| line.contains("must be written \"ConfigMap\""));
    assert!(near, "{lonely:#?}");
    broken_at(&set, "typo", Hop::Policy, "no policy selects it").await;
    broken_at(&set, "nowhere", Hop::Schedule, "do not exist: berlin").await;
    let is_applied_in_us = |binding: &portolan_object::Object| {
        let items = binding.at(&["status", "aggregatedStatus"]).and_then(serde_json::Value::as_array);
        items.into_iter().flatten().any(|item| item["clusterName"] == "us" && item["applied"] == true)
    };
    set.hub.when(BINDING, "default/foreign-configmap", is_applied_in_us).await;
    let foreign = broken_at(&set, "foreign", Hop::Member, "already exists in the cluster eu").await;
    assert_eq!(foreign.broken().and_then(|step| step.cluster.as_deref()), Some("eu"));
    let us =
        foreign.steps.iter().find(|step| step.hop == Hop::Member && step.cluster.as_deref() == Some("us"));
    assert_eq!(us.map(|step| step.verdict), Some(Verdict::Good), "{foreign:#?}");
    broken_at(&set, "override", Hop::Overrides, "the path does not exist").await;
    broken_at(&set, "suspended", Hop::Work, "spec.suspension.dispatching").await;

    let discovery = set.hub.client.discover().await.expect("kinds");
    let troubles = sweep::sweep(&federation(&set.hub.client, &discovery).await);
    let has = |cause: &str, object: &str| {
        let found = troubles
            .iter()
            .any(|one| one.cause.contains(cause) && one.objects.iter().any(|one| one == object));
        assert!(found, "{cause}: {troubles:#?}");
    };
    has("does not serve kind configmaps", "PropagationPolicy default/typo");
    has("do not exist: berlin", "ConfigMap default/nowhere");
    has("eu has objects of these names", "ConfigMap default/foreign");
    has("the path does not exist", "ConfigMap default/override");
    has("suspends dispatching", "ConfigMap default/suspended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_that_does_not_run_is_told_as_waiting() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    applied(&set, "default/app-configmap").await;
    set.hub.when(POLICY, "default/app", |policy| policy.finalizers().count() == 1).await;
    set.stop_controllers().await;

    set.hub.patch(CONFIG_MAP, "default/app", json!({ "data": { "k": "2" } })).await;
    let diagnosis = why(&set, CONFIG_MAP, "default/app").await;
    assert_eq!(diagnosis.broken(), None, "{diagnosis:#?}");
    let step = diagnosis.first(Verdict::Waiting).expect("the Work is old");
    assert_eq!(
        (step.hop, step.details.as_slice()),
        (Hop::Work, ["data.k: \"1\" -> \"2\"".to_owned()].as_slice())
    );

    set.hub.create(config_map("new", "1")).await;
    set.hub.create(policy("new", CONFIG_MAP, "new", &["eu"])).await;
    let step =
        why(&set, CONFIG_MAP, "default/new").await.first(Verdict::Waiting).cloned().expect("not claimed");
    assert_eq!(step.hop, Hop::Policy);

    set.member("eu").patch(CONFIG_MAP, "default/app", json!({ "data": { "k": "9" } })).await;
    let diagnosis = why(&set, CONFIG_MAP, "default/app").await;
    let member = diagnosis.steps.iter().find(|step| step.hop == Hop::Member).expect("a member step");
    assert_eq!((member.verdict, member.text.contains("differs")), (Verdict::Waiting, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_does_not_answer_is_told() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    applied(&set, "default/app-configmap").await;
    set.stop_controllers().await;
    let ready = json!([{ "type": "Ready", "status": "Unknown", "reason": "ClusterNotReachable", "message": "no answer",
        "lastTransitionTime": "2026-01-01T00:00:00Z" }]);
    set.hub.patch_status(CLUSTER, "eu", json!({ "status": { "conditions": ready } })).await;

    let diagnosis = why(&set, CONFIG_MAP, "default/app").await;
    let step = diagnosis.broken().expect("broken");
    assert_eq!((step.hop, step.cluster.as_deref()), (Hop::Member, Some("eu")));
    assert!(step.text.contains("ClusterNotReachable: no answer"), "{}", step.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tree_has_the_children_in_the_members() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(deployment("web", 1)).await;
    set.hub.create(policy("web", DEPLOYMENT, "web", &["eu"])).await;
    let eu = set.member("eu");
    let owner = eu.when_there(DEPLOYMENT, "default/web").await;
    eu.create(json!({ "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": { "namespace": "default", "name": "web-1",
        "labels": { "app": "web" }, "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web",
            "uid": owner.uid(), "controller": true }] },
        "spec": { "replicas": 1, "selector": { "matchLabels": { "app": "web" } }, "template": { "metadata": { "labels": { "app": "web" } },
            "spec": { "containers": [{ "name": "web", "image": "nginx" }] } } } }))
    .await;
    set.hub
        .when(BINDING, "default/web-deployment", |binding| condition(binding, "FullyApplied") == "True")
        .await;

    let question = question(&set, DEPLOYMENT, "default/web").await;
    let connect = async |cluster: &Cluster| Ok(set.member(&cluster.metadata.name).client.clone());
    let root = tree::tree(&facts(&set.hub.client, question, connect).await).expect("a tree");
    let path: Vec<String> = std::iter::successors(Some(&root), |node| node.children.first())
        .map(|node| node.object.split(' ').next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(path, ["Deployment", "ResourceBinding", "Work", "Deployment", "ReplicaSet"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_in_a_member_leads_to_its_template() {
    use portolan_controllers::explain::{OriginError, origin};
    let set = Federation::start(&["eu"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    let eu = set.member("eu");
    let copy = eu.when_there(CONFIG_MAP, "default/app").await;
    let mut child = config_map("child", "1");
    child["metadata"]["ownerReferences"] =
        json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": "app", "uid": copy.uid() }]);
    eu.create(child).await;
    eu.create(config_map("foreign", "1")).await;

    let cluster: Cluster =
        set.hub.get(CLUSTER, "eu").await.expect("a cluster").to_typed().expect("a Cluster");
    let served = eu.client.discover().await.expect("kinds");
    let resource = served.find("", "ConfigMap").expect("ConfigMaps").resource.clone();
    let ask = async |name: &str| {
        let key = ObjectKey::namespaced("default", name);
        origin(&set.hub.client, &cluster, &eu.client, &served, &resource, &key).await
    };
    let found = ask("child").await.expect("readable").expect("it comes from the hub");
    assert_eq!((found.kind.kind.as_str(), found.key.to_string().as_str()), ("ConfigMap", "default/app"));
    let work = portolan_api::names::work("ConfigMap", "app", "default");
    let path = format!(
        "ConfigMap default/child, owned by ConfigMap default/app in eu comes from Work karmada-es-eu/{work}"
    );
    assert_eq!(found.path, path);
    assert!(set.hub.get(WORK, &format!("karmada-es-eu/{work}")).await.is_some());
    assert_eq!(ask("nothing").await.expect("readable"), None);
    assert!(matches!(ask("foreign").await, Err(OriginError::NotManaged { .. })));
}
