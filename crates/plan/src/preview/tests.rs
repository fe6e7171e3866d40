//! A plan is the difference of what the controllers make before and after.

use portolan_api::cluster::Cluster;
use serde_json::{Value, json};

use super::*;
use crate::propagation::claim::Claim;

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a readable object")
}

fn cluster(name: &str) -> Cluster {
    read(json!({ "metadata": { "name": name }, "status": { "apiEnablements": [
        { "groupVersion": "v1", "resources": [{ "name": "configmaps", "kind": "ConfigMap" }] },
        { "groupVersion": "apps/v1", "resources": [{ "name": "deployments", "kind": "Deployment" }] }] } }))
}

fn config_map(data: &str) -> Object {
    Object(json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "k": data },
        "metadata": { "namespace": "shop", "name": "app", "uid": "u1", "resourceVersion": "1" } }))
}

fn deployment(replicas: i64, version: &str) -> Object {
    Object(json!({ "apiVersion": "apps/v1", "kind": "Deployment", "spec": { "replicas": replicas },
        "metadata": { "namespace": "shop", "name": "web", "uid": "u2", "resourceVersion": version } }))
}

fn policy(kind: (&str, &str), clusters: &[&str], more: Value) -> Policy {
    let mut spec = json!({ "resourceSelectors": [{ "apiVersion": kind.0, "kind": kind.1 }],
        "placement": { "clusterAffinity": { "clusterNames": clusters } } });
    for (name, value) in more.as_object().expect("fields") {
        if name == "replicaScheduling" {
            spec["placement"][name] = value.clone();
        } else {
            spec[name] = value.clone();
        }
    }
    read(json!({ "metadata": { "namespace": "shop", "name": "p", "uid": "p1" }, "spec": spec }))
}

fn hub(templates: Vec<Object>, policies: Vec<Policy>) -> Hub {
    let key = |object: Object| ((object.group_version_kind().group_kind(), object.key()), object);
    Hub {
        clusters: vec![cluster("eu"), cluster("us")],
        policies,
        templates: templates.into_iter().map(key).collect(),
        ..Hub::default()
    }
}

/// The hub after the controllers have written claims and bindings.
fn settled(mut hub: Hub) -> Hub {
    let policies = hub.policies.clone();
    for template in hub.templates.values_mut() {
        let Some(policy) = policies.first() else { continue };
        let claim: Claim = crate::propagation::detect::claim_of(&policy.metadata);
        claim.labels().iter().for_each(|(key, value)| template.set_label(key, value.clone()));
        claim.annotations().iter().for_each(|(key, value)| template.set_annotation(key, value.clone()));
        let metadata = crate::propagation::binding::metadata(template, &claim, "b1");
        let spec = crate::propagation::snapshot::binding_spec(template, &policy.spec, None);
        let mut binding = Binding { metadata, spec, ..Binding::default() };
        let clusters: Vec<&Cluster> = hub.clusters.iter().collect();
        if let Ok(placed) = crate::propagation::snapshot::place(binding.view(), &clusters) {
            binding.spec.clusters = placed.clusters;
            let record = crate::propagation::reschedule::placement_record(&policy.spec.placement);
            binding.metadata.annotations.insert("policy.karmada.io/applied-placement".to_owned(), record);
        }
        hub.bindings.insert(binding.metadata.key(), binding);
    }
    hub
}

fn lines(before: &Hub, after: &Hub) -> Vec<String> {
    let line = |change: &Change| {
        let fields: Vec<String> = change.fields.iter().map(ToString::to_string).collect();
        format!(
            "{} {:?} {} {} {}",
            change.cluster,
            change.action,
            change.kind,
            change.object,
            fields.join("; ")
        )
        .trim()
        .to_owned()
    };
    preview(before, after).changes.iter().map(line).collect()
}

const CONFIG_MAP: (&str, &str) = ("v1", "ConfigMap");
const DEPLOYMENT: (&str, &str) = ("apps/v1", "Deployment");

#[test]
fn the_same_hub_has_no_plan() {
    let hub = settled(hub(vec![config_map("1")], vec![policy(CONFIG_MAP, &["eu"], json!({}))]));
    assert_eq!(preview(&hub, &hub), Preview::default());
}

#[test]
fn a_new_policy_creates_what_it_selects() {
    let before = hub(vec![config_map("1")], vec![]);
    let after = hub(vec![config_map("1")], vec![policy(CONFIG_MAP, &["eu", "us"], json!({}))]);
    assert_eq!(lines(&before, &after), ["eu Create ConfigMap shop/app", "us Create ConfigMap shop/app"]);
}

#[test]
fn a_changed_template_changes_its_fields_everywhere() {
    let before = settled(hub(vec![config_map("1")], vec![policy(CONFIG_MAP, &["eu", "us"], json!({}))]));
    let mut after = before.clone();
    after.templates.values_mut().for_each(|template| template.0["data"]["k"] = json!("2"));
    let want = ["eu", "us"].map(|name| format!("{name} Update ConfigMap shop/app data.k: \"1\" -> \"2\""));
    assert_eq!(lines(&before, &after), want);
}

#[test]
fn a_moved_policy_deletes_and_creates() {
    let before = settled(hub(vec![config_map("1")], vec![policy(CONFIG_MAP, &["us"], json!({}))]));
    let mut after = before.clone();
    after.policies = vec![policy(CONFIG_MAP, &["eu"], json!({}))];
    assert_eq!(lines(&before, &after), ["eu Create ConfigMap shop/app", "us Delete ConfigMap shop/app"]);
    after.policies = vec![policy(CONFIG_MAP, &["eu"], json!({ "preserveResourcesOnDeletion": true }))];
    assert_eq!(lines(&before, &after), ["eu Create ConfigMap shop/app"], "what is preserved stays");
}

#[test]
fn deletions_come_first() {
    let mut before =
        settled(hub(vec![config_map("1"), deployment(2, "1")], vec![policy(CONFIG_MAP, &["us"], json!({}))]));
    let key =
        before.templates.keys().find(|(kind, _)| kind.kind == "Deployment").cloned().expect("a Deployment");
    before.bindings.retain(|key, _| key.name != "web-deployment");
    before.templates.insert(key, deployment(2, "1"));
    let mut after = before.clone();
    let mut moved = policy(CONFIG_MAP, &["eu"], json!({}));
    moved.spec.resource_selectors.push(read(json!({ "apiVersion": "apps/v1", "kind": "Deployment" })));
    moved.spec.placement = read(json!({ "clusterAffinity": { "clusterNames": ["eu"] } }));
    after.policies = vec![moved, policy(DEPLOYMENT, &["us"], json!({}))];
    after.policies[1].metadata.name = "b".to_owned();
    assert_eq!(
        lines(&before, &after),
        ["eu Create ConfigMap shop/app", "us Delete ConfigMap shop/app", "us Create Deployment shop/web",]
    );
}

#[test]
fn a_released_template_stays_where_it_is() {
    let before = settled(hub(vec![config_map("1")], vec![policy(CONFIG_MAP, &["eu"], json!({}))]));
    let mut after = before.clone();
    after.policies = vec![policy(DEPLOYMENT, &["us"], json!({}))];
    assert_eq!(lines(&before, &after), Vec::<String>::new());
}

#[test]
fn overrides_change_one_cluster() {
    let before = settled(hub(vec![config_map("1")], vec![policy(CONFIG_MAP, &["eu", "us"], json!({}))]));
    let mut after = before.clone();
    let rule = |path: &str| {
        read(json!({ "metadata": { "namespace": "shop", "name": "o" }, "spec": { "overrideRules": [{
            "targetCluster": { "clusterNames": ["us"] },
            "overriders": { "plaintext": [{ "path": path, "operator": "replace", "value": "x" }] } }] } }))
    };
    after.overrides = vec![rule("/data/k")];
    assert_eq!(lines(&before, &after), ["us Update ConfigMap shop/app data.k: \"1\" -> \"x\""]);
    after.overrides = vec![rule("/data/missing")];
    let plan = preview(&before, &after);
    assert_eq!(plan.changes, [], "an override that fails changes nothing");
    assert_eq!(plan.problems.len(), 1, "{plan:?}");
}

#[test]
fn a_tainted_cluster_gets_nothing_new() {
    let before = hub(vec![config_map("1")], vec![policy(CONFIG_MAP, &["eu", "us"], json!({}))]);
    let mut tainted = before.clone();
    tainted.clusters[0].spec.taints = read(json!([{ "key": "gpu", "effect": "NoSchedule" }]));
    let empty = hub(vec![config_map("1")], vec![]);
    assert_eq!(lines(&empty, &tainted), ["us Create ConfigMap shop/app"]);
    let nowhere = hub(vec![config_map("1")], vec![policy(CONFIG_MAP, &["berlin"], json!({}))]);
    assert!(preview(&empty, &nowhere).problems[0].contains("do not exist: berlin"));
}

#[test]
fn what_the_uid_decides_is_said() {
    let divided = json!({ "replicaScheduling": { "replicaSchedulingType": "Divided" } });
    let before = hub(vec![], vec![policy(DEPLOYMENT, &["eu", "us"], divided)]);
    let mut after = before.clone();
    let put = |hub: &mut Hub, object: Object| {
        let key = (object.group_version_kind().group_kind(), object.key());
        hub.templates.insert(key, object);
    };
    put(&mut after, deployment(3, ""));
    assert_eq!(
        preview(&before, &after).notes,
        ["Deployment shop/web is new: its uid decides which of the equal clusters get one replica more"]
    );
    put(&mut after, deployment(4, ""));
    assert_eq!(preview(&before, &after).notes, [] as [&str; 0], "four replicas divide evenly");
}

#[test]
fn namespaces_go_everywhere() {
    let mut after = hub(vec![], vec![]);
    let before = after.clone();
    let namespace =
        Object(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } }));
    after.templates.insert((namespace.group_version_kind().group_kind(), namespace.key()), namespace);
    assert_eq!(lines(&before, &after), ["eu Create Namespace shop", "us Create Namespace shop"]);
}
