//! The vectors of the API contract, by their ids.

use serde_json::{Value, json};

use super::{ApplyError, OnConflict, Scope, World};
use crate::test_schemas;

fn config_map() -> World {
    World::new(test_schemas::built_in("v1", "ConfigMap"), "v1", "ConfigMap", "s1")
}

fn deployment() -> World {
    World::new(test_schemas::built_in("apps/v1", "Deployment"), "apps/v1", "Deployment", "d1")
}

fn service() -> World {
    World::new(test_schemas::built_in("v1", "Service"), "v1", "Service", "s1")
}

fn custom() -> World {
    World::new(test_schemas::custom(), "ex.io/v1", "Foo", "f1")
}

fn data(data: Value) -> Value {
    json!({ "data": data })
}

fn refused(result: Result<(), ApplyError>) -> Value {
    result.expect_err("should be refused").to_status().to_value()
}

#[test]
fn sa1_to_sa9_config_map() {
    let mut world = config_map();
    world.apply("m1", data(json!({"a": "1", "b": "1"})));
    assert_eq!(world.owners(), ["m1: .data.a .data.b"], "SA1");

    let before = world.object.clone();
    world.minute = 1;
    world.apply("m1", data(json!({"a": "1", "b": "1"})));
    assert_eq!(world.object, before, "SA2");

    let status = refused(world.try_apply("m2", data(json!({"a": "2"})), OnConflict::Fail));
    assert_eq!(status["code"], 409, "SA3");
    assert_eq!(status["reason"], "Conflict", "SA3");
    assert_eq!(status["message"], "Apply failed with 1 conflict: conflict with \"m1\": .data.a", "SA3");
    let cause =
        json!({"reason": "FieldManagerConflict", "message": "conflict with \"m1\"", "field": ".data.a"});
    assert_eq!(status["details"], json!({ "causes": [cause] }), "SA3");

    world.apply("m2", data(json!({"a": "1"})));
    assert_eq!(world.owners(), ["m1: .data.a .data.b", "m2: .data.a"], "SA4");

    world.apply("m1", data(json!({"b": "1"})));
    assert_eq!(world.at("/data"), json!({"a": "1", "b": "1"}), "SA5");
    assert_eq!(world.owners(), ["m1: .data.b", "m2: .data.a"], "SA5");

    world.apply("m1", json!({}));
    assert_eq!(world.at("/data"), json!({"a": "1"}), "SA6");
    assert_eq!(world.owners(), ["m2: .data.a"], "SA6");

    world.force("m3", data(json!({"a": "3"})));
    assert_eq!(world.at("/data"), json!({"a": "3"}), "SA7");
    assert_eq!(world.owners(), ["m3: .data.a"], "SA7");

    world.update("upd", data(json!({"a": "4", "z": "1"})));
    assert_eq!(world.owners(), ["upd*: .data.a .data.z"], "SA8");

    let status = refused(world.try_apply("m5", data(json!({"a": "9", "z": "9"})), OnConflict::Fail));
    assert_eq!(
        status["message"],
        "Apply failed with 2 conflicts: conflicts with \"upd\" using v1:\n- .data.a\n- .data.z",
        "SA9"
    );
    let causes = status["details"]["causes"].as_array().unwrap();
    assert!(causes.iter().all(|cause| cause["message"] == "conflict with \"upd\" using v1"), "SA9");
    assert_eq!(causes.len(), 2, "SA9");
}

#[test]
fn sa13_null_is_owned() {
    let mut world = config_map();
    world.apply("m1", json!({}));
    let patch =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s1"}, "data": {"y": null}});
    let writer =
        super::Writer { manager: "m1", subresource: "", scope: Scope::Whole, now: "2026-01-01T00:00:00Z" };
    let applied = super::apply(world.object.as_ref(), &patch, world.schema, writer, OnConflict::Fail);
    world.object = Some(applied.unwrap());
    assert_eq!(world.at("/data"), json!({"y": null}));
    assert_eq!(world.owners(), ["m1: .data.y"]);
}

fn pod(pod: Value, others: Value) -> Value {
    let mut spec = json!({
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod},
    });
    crate::patch::merge_patch(&mut spec, &others).unwrap();
    json!({ "spec": spec })
}

const SHARED: &str = ".spec.selector .spec.template.metadata.labels.a";

#[test]
fn sa14_to_sa20_deployment() {
    let x = json!({"name": "x", "image": "i1", "ports": [{"containerPort": 80}], "env": [{"name": "A", "value": "1"}]});
    let mut world = deployment();
    world.apply("m1", pod(json!({"containers": [x]}), json!({"replicas": 1})));
    world.apply("m2", pod(json!({"containers": [{"name": "y", "image": "i2"}]}), json!({})));
    let names = |world: &World| {
        let containers = world.at("/spec/template/spec/containers");
        let names = containers.as_array().into_iter().flatten();
        names.map(|container| container["name"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&world), ["x", "y"], "SA14");
    let y = r#".spec.template.spec.containers[name="y"]"#;
    assert_eq!(world.owners()[1], format!("m2: {SHARED} {y} {y}.image {y}.name"), "SA14");

    let other = pod(json!({"containers": [{"name": "x", "image": "i9"}]}), json!({}));
    let status = refused(world.try_apply("m3", other, OnConflict::Fail));
    assert_eq!(
        status["details"]["causes"][0]["field"], r#".spec.template.spec.containers[name="x"].image"#,
        "SA15"
    );

    let same = json!({"name": "x", "image": "i1", "env": [{"name": "B", "value": "2"}]});
    world.apply("m3", pod(json!({"containers": [same]}), json!({})));
    let env = world.at("/spec/template/spec/containers/0/env");
    assert_eq!(env, json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]), "SA16");
    let b = r#".spec.template.spec.containers[name="x"].env[name="B"]"#;
    assert!(world.owners()[2].ends_with(&format!("{b} {b}.name {b}.value")), "SA16: {:?}", world.owners());

    let twice = pod(json!({"containers": [{"name": "x"}, {"name": "x"}]}), json!({}));
    let status = refused(world.try_apply("m4", twice, OnConflict::Fail));
    assert_eq!(status["code"], 500, "SA17");
    assert_eq!(
        status["message"],
        "failed to create typed patch object (/d1; apps/v1, Kind=Deployment): .spec.template.spec.containers: \
         duplicate entries for key [name=\"x\"]",
        "SA17"
    );

    world.patch_through("scaler", "scale", Scope::ExceptStatus, json!({"spec": {"replicas": 4}}));
    assert_eq!(world.owners().last().unwrap(), "scaler/scale*: .spec.replicas", "SA18");
    assert!(!world.owners()[0].contains(".spec.replicas"), "SA18");

    let again = json!({"name": "x", "image": "i1"});
    let with_replicas = pod(json!({"containers": [again]}), json!({"replicas": 1}));
    let status = refused(world.try_apply("m1", with_replicas, OnConflict::Fail));
    let message = "Apply failed with 1 conflict: conflict with \"scaler\" with subresource \"scale\" using apps/v1: \
                   .spec.replicas";
    assert_eq!(status["message"], message, "SA19");

    world.apply("m1", pod(json!({"containers": [again]}), json!({})));
    assert_eq!(world.at("/spec/replicas"), 4, "SA20");
    let container = world.at("/spec/template/spec/containers/0");
    assert_eq!(container, json!({"name": "x", "image": "i1", "env": [{"name": "B", "value": "2"}]}), "SA20");
}

#[test]
fn sa21_status_of_a_controller() {
    let mut world = deployment();
    world.apply("m1", pod(json!({"containers": [{"name": "x"}]}), json!({})));
    world.patch_through("controller", "status", Scope::Status, json!({"status": {"replicas": 1}}));
    let status = refused(world.apply_status("m2", json!({"status": {"replicas": 2}})));
    let message = "Apply failed with 1 conflict: conflict with \"controller\" with subresource \"status\" using \
                   apps/v1: .status.replicas";
    assert_eq!(status["message"], message);
}

#[test]
fn sa22_service_ports() {
    let mut world = service();
    world.apply(
        "m1",
        json!({"spec": {"ports": [{"name": "p", "port": 80}, {"port": 81, "protocol": "TCP"}]}}),
    );
    let ports = ".spec.ports";
    let (p80, p81) = (r#"[port=80,protocol="TCP"]"#, r#"[port=81,protocol="TCP"]"#);
    assert_eq!(
        world.owners(),
        [format!(
            "m1: {ports}{p80} {ports}{p81} {ports}{p80}.name {ports}{p80}.port {ports}{p81}.port {ports}{p81}.protocol"
        )]
    );
    let keys: Vec<String> = world
        .at("/metadata/managedFields/0/fieldsV1/f:spec/f:ports")
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(keys, [r#"k:{"port":80,"protocol":"TCP"}"#, r#"k:{"port":81,"protocol":"TCP"}"#]);
}

#[test]
fn sa23_finalizers() {
    let mut world = config_map();
    world.apply("m1", json!({"metadata": {"finalizers": ["a.io/x"]}}));
    let set = json!({"f:metadata": {"f:finalizers": {"v:\"a.io/x\"": {}}}});
    assert_eq!(world.at("/metadata/managedFields/0/fieldsV1"), set);
    world.apply("m2", json!({"metadata": {"finalizers": ["a.io/y"]}}));
    assert_eq!(world.at("/metadata/finalizers"), json!(["a.io/x", "a.io/y"]));
    world.apply("m1", json!({}));
    assert_eq!(world.at("/metadata/finalizers"), json!(["a.io/y"]));
    assert_eq!(world.owners(), [r#"m2: .metadata.finalizers[="a.io/y"]"#]);
}

#[test]
fn sa24_from_client_side_apply() {
    let client_side = || {
        let mut world = config_map();
        let last = world.patch(data(json!({"a": "1"}))).to_string();
        let annotations = json!({"kubectl.kubernetes.io/last-applied-configuration": last});
        world.update(
            "kubectl-client-side-apply",
            json!({"metadata": {"annotations": annotations}, "data": {"a": "1"}}),
        );
        world
    };
    let mut world = client_side();
    world.apply("kubectl", data(json!({"a": "2"})));
    assert_eq!(world.at("/data"), json!({"a": "2"}));
    let last = world.at("/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration");
    let last: Value = serde_json::from_str(last.as_str().unwrap()).unwrap();
    assert_eq!(last, world.patch(data(json!({"a": "2"}))));

    let mut world = client_side();
    let status = refused(world.try_apply("other", data(json!({"a": "2"})), OnConflict::Fail));
    let message =
        "Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using v1: .data.a";
    assert_eq!(status["message"], message);

    let mut world = client_side();
    world.update("upd", data(json!({"a": "3"})));
    let status = refused(world.try_apply("kubectl", data(json!({"a": "2"})), OnConflict::Fail));
    assert_eq!(status["message"], "Apply failed with 1 conflict: conflict with \"upd\" using v1: .data.a");
}

#[test]
fn sa25_and_sa26_custom_resource() {
    let mut world = custom();
    let spec = json!({
        "list": [{"name": "a", "value": "1"}], "set": ["x"], "atomic": ["1"], "amap": {"k": "v"},
    });
    world.apply("m1", json!({ "spec": spec }));
    world.apply("m2", json!({"spec": {"list": [{"name": "b"}], "set": ["y"]}}));
    assert_eq!(world.at("/spec/list"), json!([{"name": "a", "value": "1"}, {"name": "b"}]), "SA25");
    assert_eq!(world.at("/spec/set"), json!(["x", "y"]), "SA25");

    for (field, patch) in [("atomic", json!(["2"])), ("amap", json!({"other": "v"}))] {
        let status = refused(world.try_apply("m2", json!({"spec": {field: patch}}), OnConflict::Fail));
        let message = format!("Apply failed with 1 conflict: conflict with \"m1\": .spec.{field}");
        assert_eq!(status["message"], message, "SA26");
    }
}

#[test]
fn sa27_unknown_fields_and_wrong_types() {
    let untyped =
        |errors: &str| format!("failed to create typed patch object (/s1; /v1, Kind=ConfigMap): {errors}");
    let cases = [
        (json!({"bogus": 1}), ".bogus: field not declared in schema"),
        (json!({"metadata": {"bogus": 1}}), ".metadata.bogus: field not declared in schema"),
        (json!({"data": {"a": 1}}), ".data.a: expected string, got &value.valueUnstructured{Value:1}"),
        (json!({"data": []}), ".data: expected map, got &{[]}"),
        (json!({"immutable": "x"}), ".immutable: expected boolean, got &{x}"),
        (
            json!({"metadata": {"finalizers": {"a": 1}}}),
            ".metadata.finalizers: expected list, got &{map[a:1]}",
        ),
        (
            json!({"metadata": {"generation": "x"}}),
            ".metadata.generation: expected numeric (int or float), got string",
        ),
        (
            json!({"data": {"a": 1, "b": true}}),
            "errors:\n  .data.a: expected string, got &value.valueUnstructured{Value:1}\n  .data.b: expected string, \
             got &value.valueUnstructured{Value:true}",
        ),
        (
            json!({"metadata": {"finalizers": ["a", "a"]}}),
            ".metadata.finalizers: duplicate entries for key [=\"a\"]",
        ),
    ];
    for (patch, errors) in cases {
        let status = refused(config_map().try_apply("m1", patch, OnConflict::Fail));
        assert_eq!(status["message"], untyped(errors).as_str());
        assert_eq!((&status["code"], &status["reason"]), (&json!(500), &Value::Null));
    }
    let keyless = json!({"spec": {"list": [{"value": "x"}]}});
    let status = refused(custom().try_apply("m1", keyless, OnConflict::Fail));
    assert_eq!(
        status["message"],
        "failed to create typed patch object (/f1; ex.io/v1, Kind=Foo): .spec.list: element 0: associative list with \
         keys has an element that omits all key fields [\"name\"] (and doesn't have default values for any key fields)"
    );
    let mut world = config_map();
    let status = refused(world.try_apply("m1", json!({"metadata": {"managedFields": []}}), OnConflict::Fail));
    assert_eq!(
        (&status["code"], &status["message"]),
        (&json!(400), &json!("metadata.managedFields must be nil"))
    );
}
