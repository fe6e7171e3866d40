use portolan_api::resources;
use serde_json::json;

use super::*;

fn federated(spec: Value) -> Object {
    Object(json!({ "apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedDeployment",
        "metadata": { "namespace": "shop", "name": "web", "uid": "u", "generation": 2 }, "spec": spec }))
}

fn migrated(spec: Value, names: &[&str], by_selector: bool) -> Result<Migrated, MigrateError> {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    let of = FederatedType::of(resources::DEPLOYMENT.into());
    migrate(&federated(spec), &of, &Clusters { names, by_selector })
}

fn template() -> Value {
    json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "replicas": 3,
        "template": { "spec": { "containers": [{ "name": "web", "image": "nginx", "args": ["-g", "x"] }] } } } })
}

fn plaintext(found: &Migrated, rule: usize) -> Vec<String> {
    let overrides = &found.overrides.as_ref().expect("overrides").0;
    let plaintext = overrides["spec"]["overrideRules"][rule]["overriders"]["plaintext"].as_array().cloned();
    let line = |one: &Value| format!("{} {} {}", one["operator"], one["path"], one["value"]).replace('"', "");
    plaintext.expect("a list").iter().map(line).collect()
}

#[test]
fn the_policies_say_what_the_federated_object_said() {
    let spec = json!({ "template": template(), "placement": { "clusters": [{ "name": "eu" }, { "name": "us" }] },
        "overrides": [{ "clusterName": "eu", "clusterOverrides": [
            { "path": "/spec/replicas", "value": 5 },
            { "path": "/spec/paused", "value": true },
            { "path": "/metadata/annotations", "op": "add", "value": { "foo": "bar" } },
            { "path": "/metadata/annotations/foo", "op": "remove" },
            { "path": "/spec/template/spec/containers/0/args/-1", "value": "y" },
        ] }] });
    let found = migrated(spec, &["eu", "us"], false).expect("migrated");
    assert_eq!(
        found.template.0["metadata"],
        json!({ "namespace": "shop", "name": "web", "labels": { "app": "web" } })
    );
    let want = [
        "replace /spec/replicas 5",
        "add /spec/paused true",
        "add /metadata/annotations {foo:bar}",
        "remove /metadata/annotations/foo null",
        "replace /spec/template/spec/containers/0/args/1 y",
    ];
    assert_eq!(plaintext(&found, 0), want);
    let policy = &found.policy.0["spec"];
    assert_eq!(policy["placement"]["clusterAffinity"], json!({ "clusterNames": ["eu", "us"] }));
    assert_eq!(policy["placement"]["clusterTolerations"][0]["operator"], "Exists");
    assert_eq!(policy["conflictResolution"], "Overwrite");
    assert_eq!(found.policy.name(), found.overrides.as_ref().expect("overrides").name());
}

#[test]
fn retained_replicas_are_a_label_except_where_they_are_overridden() {
    let spec = json!({ "template": template(), "retainReplicas": true,
        "overrides": [{ "clusterName": "eu", "clusterOverrides": [{ "path": "/spec/replicas", "value": 5 }] }] });
    let found = migrated(spec, &["eu", "us"], false).expect("migrated");
    assert_eq!(found.template.label(RETAIN_REPLICAS), Some("true"));
    let want = [
        "replace /spec/replicas 5",
        "remove /metadata/labels/resourcetemplate.karmada.io~1retain-replicas null",
    ];
    assert_eq!(plaintext(&found, 0), want);
}

#[test]
fn a_selector_stays_one_unless_a_namespace_limits_it() {
    let spec = json!({ "template": template(),
        "placement": { "clusterSelector": { "matchLabels": { "env": "prod" } } } });
    let affinity = |by_selector| {
        let found = migrated(spec.clone(), &["eu"], by_selector).expect("migrated");
        found.policy.0["spec"]["placement"]["clusterAffinity"].clone()
    };
    assert_eq!(affinity(true), json!({ "labelSelector": { "matchLabels": { "env": "prod" } } }));
    assert_eq!(affinity(false), json!({ "clusterNames": ["eu"] }));
}

#[test]
fn what_policies_cannot_say_stays_federated() {
    assert_eq!(migrated(json!({ "template": template() }), &[], false), Err(MigrateError::NoClusters));
    let bad = json!({ "template": template(), "overrides": [{ "clusterName": "eu",
        "clusterOverrides": [{ "path": "/no/such", "value": 1 }] }] });
    assert!(matches!(migrated(bad, &["eu"], false), Err(MigrateError::Change(_))));
    let of = FederatedType::of(resources::NAMESPACE.into());
    let clusters = Clusters { names: ["eu".to_owned()].into(), by_selector: false };
    assert_eq!(migrate(&federated(json!({})), &of, &clusters), Err(MigrateError::Namespace));
}
