use serde_json::json;

use super::*;
use crate::test_schemas;

fn pod() -> Value {
    json!({
        "nodeSelector": {"n1": "1", "n2": "2"},
        "tolerations": [{"key": "t1", "operator": "Exists"}],
        "volumes": [{"name": "v1", "emptyDir": {}}, {"name": "v2", "configMap": {"name": "c"}}],
        "imagePullSecrets": [{"name": "s1"}],
        "hostAliases": [{"ip": "1.1.1.1", "hostnames": ["h"]}],
        "containers": [
            {
                "name": "x", "image": "i1", "command": ["a", "b"], "args": ["q"],
                "ports": [{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 81, "name": "q"}],
                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "volumeMounts": [{"mountPath": "/m1", "name": "v1"}],
            },
            {"name": "y", "image": "i2"},
        ],
    })
}

fn base() -> Value {
    json!({
        "metadata": {
            "name": "pd", "labels": {"l1": "a"}, "annotations": {"an": "1"}, "finalizers": ["x.io/a"],
        },
        "spec": {
            "replicas": 0, "paused": true, "selector": {"matchLabels": {"a": "b"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod()},
        },
    })
}

fn patch_pod(patch: Value) -> Result<Value, PatchError> {
    merge_base(&json!({"spec": {"template": {"spec": patch}}}))
        .map(|merged| merged["spec"]["template"]["spec"].clone())
}

fn merge_base(patch: &Value) -> Result<Value, PatchError> {
    merge(&base(), patch, test_schemas::built_in("apps/v1", "Deployment"))
}

/// The names (or other identifying texts) of a list's elements.
fn column(list: &Value, key: &str) -> Vec<String> {
    let elements = list.as_array().into_iter().flatten();
    elements.map(|element| element[key].as_str().map_or(element[key].to_string(), str::to_owned)).collect()
}

#[test]
fn lists_of_a_pod_merge_in_order() {
    let cases = [
        (
            "SM2",
            json!({"containers": [{"name": "z", "image": "i3"}]}),
            "/containers",
            "name",
            vec!["z", "x", "y"],
        ),
        ("SM3", json!({"containers": [{"name": "y", "$patch": "delete"}]}), "/containers", "name", vec!["x"]),
        (
            "SM4",
            json!({"containers": [{"$patch": "replace"}, {"name": "w", "image": "i"}]}),
            "/containers",
            "name",
            vec!["w"],
        ),
        (
            "SM5",
            json!({"$setElementOrder/containers": [{"name": "y"}, {"name": "x"}],
                          "containers": [{"name": "x", "image": "i7"}]}),
            "/containers",
            "image",
            vec!["i2", "i7"],
        ),
        (
            "SM6",
            json!({"$setElementOrder/containers": [{"name": "x"}, {"name": "n"}, {"name": "y"}],
                          "containers": [{"name": "n", "image": "i7"}]}),
            "/containers",
            "name",
            vec!["x", "n", "y"],
        ),
        (
            "one for another",
            json!({"$setElementOrder/containers": [{"name": "n"}],
                   "containers": [{"name": "n"}, {"name": "y", "$patch": "delete"}]}),
            "/containers",
            "name",
            vec!["x", "n"],
        ),
        (
            "order without a list",
            json!({"$setElementOrder/containers": [{"name": "y"}, {"name": "x"}]}),
            "/containers",
            "name",
            vec!["y", "x"],
        ),
    ];
    check_columns(cases);
}

#[test]
fn lists_within_a_container_merge_in_order() {
    let cases = [
        (
            "SM9",
            json!({"containers": [{"name": "x", "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]}]}),
            "/containers/0/env",
            "value",
            vec!["1", "3", "4"],
        ),
        (
            "SM10",
            json!({"containers": [{"name": "x", "env": [{"name": "A", "$patch": "delete"}]}]}),
            "/containers/0/env",
            "name",
            vec!["B"],
        ),
        (
            "SM11",
            json!({"containers": [{"name": "x", "ports": [{"containerPort": 80, "name": "web"}]}]}),
            "/containers/0/ports",
            "name",
            vec!["web", "q"],
        ),
        (
            "SM12",
            json!({"containers": [{"name": "x", "volumeMounts": [{"mountPath": "/m2", "name": "v1"}]}]}),
            "/containers/0/volumeMounts",
            "mountPath",
            vec!["/m2", "/m1"],
        ),
        ("SM14", json!({"tolerations": [{"key": "t2"}]}), "/tolerations", "key", vec!["t2"]),
        (
            "SM24",
            json!({"imagePullSecrets": [{"name": "s2"}]}),
            "/imagePullSecrets",
            "name",
            vec!["s2", "s1"],
        ),
    ];
    check_columns(cases);
}

/// Each row names a list in the merged pod, a member of its elements, and what these then are.
fn check_columns<const N: usize>(cases: [(&str, Value, &str, &str, Vec<&str>); N]) {
    for (id, patch, list, key, want) in cases {
        let merged = patch_pod(patch).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(column(merged.pointer(list).unwrap_or(&Value::Null), key), want, "{id}");
    }
}

#[test]
fn fields_of_a_pod_merge() {
    let mut changed = pod()["containers"].clone();
    changed[0]["image"] = json!("i9");
    let cases = [
        ("SM1", json!({"containers": [{"name": "x", "image": "i9"}]}), "/containers", Some(changed)),
        (
            "SM13",
            json!({"containers": [{"name": "x", "args": ["r"]}]}),
            "/containers/0/args",
            Some(json!(["r"])),
        ),
        (
            "SM15",
            json!({"nodeSelector": {"n1": null, "n3": "3"}}),
            "/nodeSelector",
            Some(json!({"n2": "2", "n3": "3"})),
        ),
        (
            "SM16 replace",
            json!({"nodeSelector": {"$patch": "replace", "k": "v"}}),
            "/nodeSelector",
            Some(json!({"k": "v"})),
        ),
        ("SM16 delete", json!({"nodeSelector": {"$patch": "delete"}}), "/nodeSelector", None),
        (
            "SM21",
            json!({"volumes": [{"$retainKeys": ["name", "secret"], "name": "v1", "secret": {"secretName": "s"}}]}),
            "/volumes",
            Some(json!([
                {"name": "v1", "secret": {"secretName": "s"}},
                {"name": "v2", "configMap": {"name": "c"}},
            ])),
        ),
        (
            "SM25",
            json!({"hostAliases": [{"ip": "1.1.1.1", "hostnames": ["h2"]}]}),
            "/hostAliases/0/hostnames",
            Some(json!(["h2"])),
        ),
        ("SM26", json!({"tolerations": null}), "/tolerations", None),
        (
            "null with an order",
            json!({"volumes": null, "$setElementOrder/volumes": [{"name": "v1"}]}),
            "/volumes",
            None,
        ),
        (
            "directives in what is new",
            json!({"containers": [{"name": "z", "$retainKeys": ["name"], "image": null,
                                   "$setElementOrder/env": [], "env": [{"name": "A", "$patch": "delete"}]}]}),
            "/containers/0",
            Some(json!({"name": "z", "env": []})),
        ),
    ];
    for (id, patch, at, want) in cases {
        let merged = patch_pod(patch).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(merged.pointer(at), want.as_ref(), "{id}");
    }
}

#[test]
fn fields_outside_the_pod_merge() {
    let cases = [
        (
            "SM17",
            json!({"metadata": {"finalizers": ["x.io/b"]}}),
            "/metadata/finalizers",
            json!(["x.io/b", "x.io/a"]),
        ),
        (
            "SM17 again",
            json!({"metadata": {"finalizers": ["x.io/a", "x.io/b", "x.io/b"]}}),
            "/metadata/finalizers",
            json!(["x.io/a", "x.io/b"]),
        ),
        (
            "SM18",
            json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x.io/a"]}}),
            "/metadata/finalizers",
            json!([]),
        ),
        (
            "SM19",
            json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
            "/spec/strategy",
            json!({"type": "Recreate"}),
        ),
        (
            "SM20",
            json!({"spec": {"strategy": {"type": "Recreate"}}}),
            "/spec/strategy",
            json!({"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
        ),
        ("SM27", json!({"spec": {"replicas": "x"}}), "/spec/replicas", json!("x")),
        ("SM28", json!({"spec": []}), "/spec", json!([])),
        ("unknown fields pass", json!({"spec": {"bogus": {"a": 1}}}), "/spec/bogus/a", json!(1)),
        ("nothing", json!({}), "", base()),
    ];
    for (id, patch, at, want) in cases {
        let merged = merge_base(&patch).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(merged.pointer(at), Some(&want), "{id}");
    }
}

#[test]
fn errors() {
    let pod = |patch: Value| json!({"spec": {"template": {"spec": patch}}});
    let cases = [
        (
            "SM7",
            pod(
                json!({"$setElementOrder/containers": [{"name": "x"}], "containers": [{"name": "y", "image": "i7"}]}),
            ),
            500,
            "The order in patch list:\n[map[image:i7 name:y]]\n doesn't match $setElementOrder list:\n[map[name:x]]\n",
        ),
        (
            "SM8",
            pod(json!({"containers": [{"image": "i9"}]})),
            500,
            "map: map[image:i9] does not contain declared merge key: name",
        ),
        (
            "SM22",
            json!({"spec": {"strategy": {"$retainKeys": ["rollingUpdate"], "type": "Recreate"}}}),
            400,
            "invalid patch format of retainKeys",
        ),
        (
            "SM23",
            pod(json!({"nodeSelector": {"$patch": "foo"}})),
            500,
            "unknown patch type: foo in map: map[$patch:foo]",
        ),
        (
            "element directive",
            pod(json!({"containers": [{"$patch": "foo", "name": "x"}]})),
            500,
            "unknown patch type: foo in map: map[$patch:foo name:x]",
        ),
        (
            "mixed elements",
            json!({"metadata": {"finalizers": [1]}}),
            500,
            "list element types are not identical: [[x.io/a] [1]]",
        ),
        (
            "list of lists",
            json!({"metadata": {"finalizers": [[1]]}}),
            500,
            "list element types are not identical: [[x.io/a] [[1]]]",
        ),
        (
            "order that is not a list",
            pod(json!({"$setElementOrder/containers": "x"})),
            500,
            "expected a []interface {}, but received a string",
        ),
        (
            "order of nothing",
            pod(json!({"$setElementOrder": []})),
            400,
            "invalid patch format of setElementOrder list",
        ),
        (
            "order of an unknown field",
            pod(json!({"$setElementOrder/bogus": []})),
            500,
            "unable to find api field for the json field \"bogus\"",
        ),
        (
            "not a map",
            json!([]),
            400,
            "json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
    ];
    for (id, patch, code, message) in cases {
        let status = merge_base(&patch).expect_err(id).to_status();
        assert_eq!((status.code, status.message.as_str()), (code, message), "{id}");
    }
}

#[test]
fn without_a_schema_maps_merge_and_lists_are_replaced() {
    let (set, root) = test_schemas::read(&json!({}));
    let merged = merge(&json!({"a": {"b": 1, "c": [1]}}), &json!({"a": {"c": [2], "d": 3}}), set.view(root));
    assert_eq!(merged, Ok(json!({"a": {"b": 1, "c": [2], "d": 3}})));
}
