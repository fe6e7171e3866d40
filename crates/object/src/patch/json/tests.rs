use serde_json::json;

use super::*;

fn base() -> Value {
    json!({
        "metadata": {"labels": {"l1": "a"}},
        "spec": {"replicas": 0, "containers": [{"name": "x"}, {"name": "y"}]},
    })
}

#[test]
fn patches() {
    let named =
        |names: &[&str]| Value::from(names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>());
    let labels = "/metadata/labels";
    let containers = "/spec/containers";
    let cases = [
        (
            "JP1",
            json!([{"op": "copy", "from": "/metadata/labels/l1", "path": "/metadata/labels/l2"},
                   {"op": "move", "from": "/metadata/labels/l1", "path": "/metadata/labels/l3"}]),
            labels,
            json!({"l2": "a", "l3": "a"}),
        ),
        (
            "JP2",
            json!([{"op": "add", "path": "/spec/containers/-", "value": {"name": "e"}}]),
            containers,
            named(&["x", "y", "e"]),
        ),
        (
            "JP3",
            json!([{"op": "add", "path": "/spec/containers/0", "value": {"name": "k"}}]),
            containers,
            named(&["k", "x", "y"]),
        ),
        (
            "JP6",
            json!([{"op": "replace", "path": "/metadata/labels/nope", "value": "1"}]),
            labels,
            json!({"l1": "a", "nope": "1"}),
        ),
        ("JP10", json!([]), "", base()),
        (
            "JP11",
            json!([{"op": "add", "path": "/metadata/labels/n~1ew~0x", "value": "1"}]),
            labels,
            json!({"l1": "a", "n/ew~x": "1"}),
        ),
        ("JP12", json!([{"op": "add", "path": "/spec/bogus", "value": 1}]), "/spec/bogus", json!(1)),
        (
            "test of a missing member against null",
            json!([{"op": "test", "path": "/metadata/labels/nope", "value": null}]),
            "",
            base(),
        ),
        (
            "negative indices",
            json!([{"op": "remove", "path": "/spec/containers/-1"},
                   {"op": "add", "path": "/spec/containers/-1", "value": {"name": "z"}}]),
            containers,
            named(&["x", "z"]),
        ),
        (
            "replace of the whole",
            json!([{"op": "replace", "path": "", "value": {"a": 1}}]),
            "",
            json!({"a": 1}),
        ),
        (
            "operations on elements",
            json!([{"op": "replace", "path": "/spec/containers/1/name", "value": "z"},
                   {"op": "test", "path": "/spec/containers/1/name", "value": "z"}]),
            containers,
            named(&["x", "z"]),
        ),
    ];
    for (name, patch, at, want) in cases {
        let patched = json_patch(&base(), &patch).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(patched.pointer(at), Some(&want), "{name}");
    }
}

#[test]
fn patches_that_do_not_fit() {
    let cases = [
        ("JP4", json!([{"op": "test", "path": "/spec/replicas", "value": 9}])),
        ("JP5", json!([{"op": "remove", "path": "/metadata/labels/nope"}])),
        ("JP7", json!([{"op": "add", "path": "/spec/foo/bar", "value": 1}])),
        ("JP9 operation", json!([{"op": "frob", "path": "/spec"}])),
        ("JP9 index", json!([{"op": "replace", "path": "/spec/containers/9", "value": 1}])),
        ("index before the start", json!([{"op": "remove", "path": "/spec/containers/-3"}])),
        ("not an index", json!([{"op": "add", "path": "/spec/containers/x", "value": 1}])),
        ("through a scalar", json!([{"op": "add", "path": "/spec/replicas/x", "value": 1}])),
        ("no path", json!([{"op": "add", "value": 1}])),
        ("no operation", json!([{}])),
        ("path without a slash", json!([{"op": "add", "path": "spec", "value": 1}])),
        ("move of what is not there", json!([{"op": "move", "from": "/nope", "path": "/spec"}])),
    ];
    for (name, patch) in cases {
        let error = json_patch(&base(), &patch).expect_err(name);
        let status = error.to_status().to_value();
        assert_eq!((&status["code"], &status["reason"]), (&json!(422), &json!("Invalid")), "{name}");
        assert_eq!(
            status["message"], "the server rejected our request due to an error in our request",
            "{name}"
        );
        assert_eq!(status["details"], json!({}), "{name}");
    }
}

#[test]
fn not_patches() {
    let cases = [
        (
            "JP8",
            json!({}),
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ),
        (
            "element",
            json!([1]),
            "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp",
        ),
        (
            "path",
            json!([{"op": "add", "path": 1}]),
            "error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.path of type string",
        ),
    ];
    for (name, patch, want) in cases {
        let status = json_patch(&base(), &patch).unwrap_err().to_status();
        assert_eq!(
            (status.code, status.reason.as_str(), status.message.as_str()),
            (400, "BadRequest", want),
            "{name}"
        );
    }
}

#[test]
fn patches_are_bounded() {
    let many = vec![json!({"op": "test", "path": "/spec/replicas", "value": 0}); OPERATION_LIMIT + 1];
    assert_eq!(json_patch(&base(), &Value::from(many)).unwrap_err().to_status().code, 413);

    let double = json!({"op": "copy", "from": "/spec", "path": "/spec/containers/-"});
    let doubling = Value::from(vec![double; 40]);
    assert!(matches!(json_patch(&base(), &doubling), Err(PatchError::Inapplicable(_))));
}

/// Version 5 of the library, which Karmada has for overrides.
#[test]
fn a_strict_patch_replaces_only_what_is_there() {
    let add = json!([{ "op": "replace", "path": "/spec/paused", "value": true }]);
    assert_eq!(json_patch(&base(), &add).unwrap()["spec"]["paused"], true);
    assert!(matches!(strict_json_patch(&base(), &add), Err(PatchError::Inapplicable(_))));
    let change = json!([{ "op": "replace", "path": "/spec/replicas", "value": 9 }]);
    assert_eq!(strict_json_patch(&base(), &change).unwrap()["spec"]["replicas"], 9);
}
