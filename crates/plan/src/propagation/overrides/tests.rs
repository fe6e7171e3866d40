use portolan_api::policy::OverrideSpec;
use serde_json::json;

use super::*;

fn cluster(name: &str) -> Cluster {
    Cluster { metadata: ObjectMeta::cluster(name), ..Cluster::default() }
}

fn deployment() -> Object {
    Object(json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "nginx", "namespace": "default", "annotations": {"old": "1"}},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [
            {"name": "web", "image": "nginx:1", "args": ["-g"]}, {"name": "side", "image": "r.io/side:2"}]}}}}))
}

fn spec(overriders: serde_json::Value) -> OverrideSpec {
    serde_json::from_value(json!({"overrideRules": [{"overriders": overriders}]})).unwrap()
}

/// Applies one policy to the deployment for member1 and returns the manifest, or the error's text.
fn applied(spec: &OverrideSpec) -> Result<serde_json::Value, String> {
    let metadata = ObjectMeta::namespaced("default", "p");
    let mut manifest = deployment();
    let policies = [Policy { metadata: &metadata, spec }];
    apply(&policies, &mut manifest, &cluster("member1")).map_err(|error| error.to_string())?;
    Ok(manifest.0)
}

#[test]
fn overriders_change_what_they_name() {
    let cases = [
        (
            "plaintext add replaces a whole map",
            json!({"plaintext": [{"path": "/metadata/annotations", "operator": "add", "value": {"foo": "bar"}}]}),
            "/metadata/annotations",
            json!({"foo": "bar"}),
        ),
        (
            "annotations add keeps the others",
            json!({"annotationsOverrider": [{"operator": "add", "value": {"foo": "bar"}}]}),
            "/metadata/annotations",
            json!({"foo": "bar", "old": "1"}),
        ),
        (
            "labels replace needs the key",
            json!({"labelsOverrider": [{"operator": "replace", "value": {"foo": "bar"}}]}),
            "/metadata",
            json!({"name": "nginx", "namespace": "default", "annotations": {"old": "1"}}),
        ),
        (
            "images of all containers",
            json!({"imageOverrider": [{"component": "Registry", "operator": "replace", "value": "mirror.io"}]}),
            "/spec/template/spec/containers/1/image",
            json!("mirror.io/side:2"),
        ),
        (
            "one image",
            json!({"imageOverrider": [{"component": "Tag", "operator": "replace", "value": "9",
                   "predicate": {"path": "/spec/template/spec/containers/0/image"}}]}),
            "/spec/template/spec/containers",
            json!([{"name": "web", "image": "nginx:9", "args": ["-g"]}, {"name": "side", "image": "r.io/side:2"}]),
        ),
        (
            "args are appended to the named container",
            json!({"argsOverrider": [{"containerName": "web", "operator": "add", "value": ["daemon off;"]}]}),
            "/spec/template/spec/containers/0/args",
            json!(["-g", "daemon off;"]),
        ),
        (
            "a list without words goes away",
            json!({"argsOverrider": [{"containerName": "web", "operator": "remove", "value": ["-g"]}]}),
            "/spec/template/spec/containers/0",
            json!({"name": "web", "image": "nginx:1"}),
        ),
        (
            "plaintext comes after annotations",
            json!({"annotationsOverrider": [{"operator": "add", "value": {"a": "1"}}],
                   "plaintext": [{"path": "/metadata/annotations/a", "operator": "replace", "value": "2"}]}),
            "/metadata/annotations",
            json!({"a": "2", "old": "1"}),
        ),
    ];
    for (name, overriders, path, want) in cases {
        let manifest = applied(&spec(overriders)).unwrap();
        assert_eq!(manifest.pointer(path), Some(&want), "{name}");
    }
}

#[test]
fn a_field_may_hold_text_of_another_format() {
    let mut map = Object(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "default"},
        "data": {"app.json": "{\"log\":{\"level\":\"info\"}}", "app.yaml": "log:\n  level: info\n"}}),
    );
    let overriders = json!({"fieldOverrider": [
        {"fieldPath": "/data/app.json", "json": [{"subPath": "/log/level", "operator": "replace", "value": "debug"}]},
        {"fieldPath": "/data/app.yaml", "yaml": [{"subPath": "/log/level", "operator": "replace", "value": "debug"}]}]});
    let (metadata, spec) = (ObjectMeta::namespaced("default", "p"), spec(overriders));
    apply(&[Policy { metadata: &metadata, spec: &spec }], &mut map, &cluster("m")).unwrap();
    assert_eq!(map.0["data"]["app.json"], json!("{\"log\":{\"level\":\"debug\"}}"));
    assert_eq!(map.0["data"]["app.yaml"].as_str().map(str::trim), Some("log:\n  level: debug"));
}

#[test]
fn a_failing_override_names_policy_object_cluster_and_path() {
    let overriders = json!({"plaintext": [{"path": "/spec/nope/x", "operator": "replace", "value": 1}]});
    let error = applied(&spec(overriders)).unwrap_err();
    assert_eq!(
        error,
        "override policy p cannot be applied to Deployment default/nginx for cluster member1: \
         replace /spec/nope/x: the path does not exist in the object"
    );
}

#[test]
fn the_closest_policy_has_the_last_word() {
    let set = |replicas: u32, selectors: serde_json::Value| -> OverrideSpec {
        serde_json::from_value(json!({"resourceSelectors": selectors, "overrideRules": [{"overriders":
            {"plaintext": [{"path": "/spec/replicas", "operator": "replace", "value": replicas}]}}]}))
        .unwrap()
    };
    let kind = json!({"apiVersion": "apps/v1", "kind": "Deployment"});
    let named = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "nginx"});
    let policies = [
        (ObjectMeta::namespaced("default", "a-named"), set(1, json!([named]))),
        (ObjectMeta::namespaced("default", "b-kind"), set(2, json!([kind]))),
        (ObjectMeta::namespaced("default", "c-all"), set(3, json!([]))),
    ];
    let policies: Vec<Policy<'_>> =
        policies.iter().map(|(metadata, spec)| Policy { metadata, spec }).collect();
    let mut manifest = deployment();
    let applied = apply(&policies, &mut manifest, &cluster("m")).unwrap();
    assert_eq!(manifest.0["spec"]["replicas"], 1);
    let names: Vec<&str> = applied.iter().map(|applied| applied.policy_name.as_str()).collect();
    assert_eq!(names, ["a-named", "b-kind", "c-all"]);
}

#[test]
fn rules_apply_to_their_clusters_only() {
    let spec: OverrideSpec = serde_json::from_value(json!({"overrideRules": [
        {"targetCluster": {"clusterNames": ["member2"]},
         "overriders": {"labelsOverrider": [{"operator": "add", "value": {"where": "two"}}]}}]}))
    .unwrap();
    let metadata = ObjectMeta::cluster("p");
    for (name, want) in [("member1", None), ("member2", Some("two"))] {
        let mut manifest = deployment();
        let applied =
            apply(&[Policy { metadata: &metadata, spec: &spec }], &mut manifest, &cluster(name)).unwrap();
        assert_eq!(manifest.label("where"), want, "{name}");
        assert_eq!(applied.is_empty(), want.is_none(), "{name}");
    }
}
