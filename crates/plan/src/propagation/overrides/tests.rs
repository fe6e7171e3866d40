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
fn init_containers_and_cron_jobs_are_reached_and_ephemeral_containers_are_not() {
    let pod = json!({"initContainers": [{"name": "init", "image": "busybox:1"}],
        "containers": [{"name": "web", "image": "nginx:1"}],
        "ephemeralContainers": [{"name": "debug", "image": "busybox:1"}]});
    let template = json!({"template": {"spec": pod}});
    let kinds = [
        ("v1", "Pod", json!(pod), "/spec"),
        ("apps/v1", "Deployment", template.clone(), "/spec/template/spec"),
        ("apps/v1", "StatefulSet", template.clone(), "/spec/template/spec"),
        ("apps/v1", "DaemonSet", template.clone(), "/spec/template/spec"),
        ("apps/v1", "ReplicaSet", template.clone(), "/spec/template/spec"),
        ("batch/v1", "Job", template.clone(), "/spec/template/spec"),
        (
            "batch/v1",
            "CronJob",
            json!({"jobTemplate": {"spec": template}}),
            "/spec/jobTemplate/spec/template/spec",
        ),
    ];
    let overriders = json!({
        "imageOverrider": [{"component": "Registry", "operator": "replace", "value": "r.io"}],
        "commandOverrider": [{"containerName": "init", "operator": "add", "value": ["sleep"]}],
        "argsOverrider": [{"containerName": "web", "operator": "add", "value": ["-g"]}]});
    let (metadata, spec) = (ObjectMeta::namespaced("default", "p"), spec(overriders));
    for (api_version, kind, content, path) in kinds {
        let mut manifest = Object(json!({"apiVersion": api_version, "kind": kind, "spec": content,
            "metadata": {"name": "x", "namespace": "default"}}));
        apply(&[Policy { metadata: &metadata, spec: &spec }], &mut manifest, &cluster("m")).unwrap();
        let want = json!({
            "initContainers": [{"name": "init", "image": "r.io/busybox:1", "command": ["sleep"]}],
            "containers": [{"name": "web", "image": "r.io/nginx:1", "args": ["-g"]}],
            "ephemeralContainers": [{"name": "debug", "image": "busybox:1"}]});
        assert_eq!(manifest.0.pointer(path), Some(&want), "{kind}");
    }
}

#[test]
fn labels_and_annotations_are_added_replaced_and_removed() {
    for (overrider, field) in [("labelsOverrider", "labels"), ("annotationsOverrider", "annotations")] {
        let overriders = json!({overrider: [
            {"operator": "add", "value": {"new": "1", "kept": "2"}},
            {"operator": "replace", "value": {"there": "3", "missing": "3"}},
            {"operator": "remove", "value": {"gone": "whatever", "missing": ""}}]});
        let mut manifest = Object(
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {}},
            "metadata": {"name": "x", "namespace": "default", field: {"there": "1", "gone": "1", "kept": "1"}}}),
        );
        let (metadata, spec) = (ObjectMeta::namespaced("default", "p"), spec(overriders));
        apply(&[Policy { metadata: &metadata, spec: &spec }], &mut manifest, &cluster("m")).unwrap();
        assert_eq!(manifest.0["metadata"][field], json!({"there": "3", "new": "1", "kept": "2"}));
        assert_eq!(manifest.0["spec"], json!({"template": {}}), "the pod template is left alone");
    }
}

#[test]
fn text_in_a_field_is_patched_in_both_formats() {
    let steps = json!([
        {"subPath": "/level", "operator": "replace", "value": "debug"},
        {"subPath": "/tags/-", "operator": "add", "value": "b"},
        {"subPath": "/old", "operator": "remove"}]);
    for (format, text) in
        [("json", r#"{"level":"info","tags":["a"],"old":1}"#), ("yaml", "level: info\ntags: [a]\nold: 1\n")]
    {
        let mut map = Object(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"f": text},
            "metadata": {"name": "c", "namespace": "default"}}));
        let (metadata, spec) = (
            ObjectMeta::namespaced("default", "p"),
            spec(json!({"fieldOverrider": [{"fieldPath": "/data/f", format: steps}]})),
        );
        apply(&[Policy { metadata: &metadata, spec: &spec }], &mut map, &cluster("m")).unwrap();
        let text = map.0["data"]["f"].as_str().unwrap();
        let content = portolan_object::yaml::parse_documents(text).unwrap().remove(0);
        assert_eq!(content, json!({"level": "debug", "tags": ["a", "b"]}), "{format}");
    }
}

#[test]
fn the_old_form_of_a_policy_still_works() {
    let spec: OverrideSpec = serde_json::from_value(json!({
        "targetCluster": {"clusterNames": ["member1"]},
        "overriders": {"labelsOverrider": [{"operator": "add", "value": {"where": "one"}}]}}))
    .unwrap();
    let metadata = ObjectMeta::namespaced("default", "p");
    for (name, want) in [("member1", Some("one")), ("member2", None)] {
        let mut manifest = deployment();
        apply(&[Policy { metadata: &metadata, spec: &spec }], &mut manifest, &cluster(name)).unwrap();
        assert_eq!(manifest.label("where"), want, "{name}");
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
