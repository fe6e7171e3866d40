//! Custom resources: schema, defaults, pruning, rules, lists, status, scale.

use serde_json::{Value, json};

use super::{WIDGETS, get, merge, post, put, sequence};
use crate::parity::{APPLY, CURRENT, Case, TABLE, read, write};

/// The definition of the kind of all cases.
pub(super) fn definition() -> Value {
    let spec = json!({
        "type": "object",
        "properties": {
            "size": { "type": "integer", "minimum": 0, "maximum": 10, "default": 2 },
            "name": { "type": "string", "pattern": "^[a-z]*$", "maxLength": 5 },
            "color": { "type": "string", "enum": ["red", "green"] },
            "when": { "type": "string", "format": "date-time" },
            "port": { "x-kubernetes-int-or-string": true },
            "free": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
            "fixed": { "type": "string", "x-kubernetes-validations": [{ "rule": "self == oldSelf", "message": "fixed cannot change" }] },
            "set": { "type": "array", "items": { "type": "string" }, "x-kubernetes-list-type": "set" },
            "maybe": { "type": "string", "nullable": true },
            "list": {
                "type": "array", "maxItems": 3, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["key"],
                "items": { "type": "object", "required": ["key"], "properties": {
                    "key": { "type": "string" }, "value": { "type": "string", "default": "none" } } },
            },
        },
        "x-kubernetes-validations": [
            { "rule": "!has(self.name) || self.size > 0", "messageExpression": "'a name needs a size'", "reason": "FieldValueForbidden", "fieldPath": ".size" },
        ],
    });
    let status = json!({ "type": "object", "properties": {
        "replicas": { "type": "integer" }, "selector": { "type": "string" }, "phase": { "type": "string" } } });
    let schema = json!({ "type": "object", "properties": { "spec": spec, "status": status } });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "widgets.parity.example.org" },
        "spec": {
            "group": "parity.example.org", "scope": "Namespaced",
            "names": { "kind": "Widget", "plural": "widgets", "shortNames": ["wd"], "categories": ["all"] },
            "versions": [{
                "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema },
                "selectableFields": [{ "jsonPath": ".spec.name" }],
                "additionalPrinterColumns": [
                    { "name": "Size", "type": "integer", "jsonPath": ".spec.size", "description": "how large" },
                    { "name": "Keys", "type": "string", "jsonPath": ".spec.list[*].key", "priority": 1 },
                    { "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp" },
                ],
                "subresources": { "status": {}, "scale": {
                    "specReplicasPath": ".spec.size", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector" } },
            }],
        },
    })
}

fn widget(name: &str, spec: Value) -> Value {
    json!({ "apiVersion": "parity.example.org/v1", "kind": "Widget", "metadata": { "name": name }, "spec": spec })
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = specs();
    cases.extend(life());
    cases.extend(definitions());
    cases
}

fn specs() -> Vec<Case> {
    let rows = [
        ("defaults", json!({ "list": [{ "key": "a" }] })),
        ("an unknown field", json!({ "unknown": 1, "list": [{ "key": "a", "more": 2 }] })),
        ("free fields", json!({ "free": { "a": { "b": [1, 2.5, null] } } })),
        ("too large", json!({ "size": 11 })),
        ("a fraction", json!({ "size": 1.5 })),
        ("a whole fraction", json!({ "size": 1.0 })),
        ("a text for a number", json!({ "size": "1" })),
        ("null for a default", json!({ "size": null })),
        ("null that is allowed", json!({ "maybe": null })),
        ("null that is not allowed", json!({ "name": null })),
        ("a bad pattern and length", json!({ "name": "TOOLONG" })),
        ("a color that is none", json!({ "color": "blue" })),
        ("a time that is none", json!({ "when": "yesterday" })),
        ("a port of each type", json!({ "port": "http" })),
        ("a port that is a list", json!({ "port": [] })),
        ("equal elements of a set", json!({ "set": ["a", "b", "a"] })),
        ("equal keys of a map", json!({ "list": [{ "key": "a" }, { "key": "a" }] })),
        ("an element without its key", json!({ "list": [{ "value": "a" }] })),
        (
            "too many elements",
            json!({ "list": [{ "key": "a" }, { "key": "b" }, { "key": "c" }, { "key": "d" }] }),
        ),
        ("a rule that fails", json!({ "name": "n", "size": 0 })),
        ("several faults", json!({ "name": 7, "size": -1, "color": "blue" })),
        ("a list for an object", json!([])),
    ];
    let mut cases = Vec::new();
    for (name, spec) in rows {
        for (how, query) in [("", "dryRun=All"), (", strict", "dryRun=All&fieldValidation=Strict")] {
            let request = post(format!("{WIDGETS}?{query}"), widget("x", spec.clone()));
            cases.extend(sequence("widget with", vec![(&format!("{name}{how}"), request)]));
        }
    }
    cases
}

fn life() -> Vec<Case> {
    let path = format!("{WIDGETS}/life");
    let mut changed = widget("life", json!({ "fixed": "other" }));
    changed["metadata"]["resourceVersion"] = json!(CURRENT);
    let mut with_status = widget("life", json!({ "size": 5 }));
    with_status["status"] = json!({ "phase": "x" });
    with_status["metadata"]["resourceVersion"] = json!(CURRENT);
    let applied = |manager: &str, list: Value| {
        write(
            "PATCH",
            format!("{path}?fieldManager={manager}"),
            APPLY,
            widget("life", json!({ "list": list })),
        )
    };
    sequence(
        "life of a widget",
        vec![
            (
                "create",
                post(WIDGETS, widget("life", json!({ "fixed": "f", "name": "n", "list": [{ "key": "a" }] }))),
            ),
            ("a transition rule", put(&path, changed)),
            ("status in the body", put(&path, with_status.clone())),
            ("status", put(format!("{path}/status"), with_status)),
            (
                "replicas of the status",
                merge(
                    format!("{path}/status"),
                    json!({ "status": { "replicas": 3, "selector": "a=b", "odd": 1 } }),
                ),
            ),
            ("get the scale", get(format!("{path}/scale"))),
            ("scale", merge(format!("{path}/scale"), json!({ "spec": { "replicas": 4 } }))),
            (
                "scale above the maximum",
                merge(format!("{path}/scale"), json!({ "spec": { "replicas": 40 } })),
            ),
            ("apply an element", applied("one", json!([{ "key": "a", "value": "1" }]))),
            ("apply another", applied("two", json!([{ "key": "b", "value": "2" }]))),
            ("give up an element", applied("one", json!([]))),
            ("table", read(path.clone(), TABLE)),
            ("selected by a field", get(format!("{WIDGETS}?fieldSelector=spec.name%3Dn"))),
            ("read", get(&path)),
        ],
    )
}

fn definitions() -> Vec<Case> {
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let with = |place: &str, value: Value| {
        let mut object = definition();
        object["metadata"]["name"] = json!("gadgets.parity.example.org");
        object["spec"]["names"] = json!({ "kind": "Gadget", "plural": "gadgets" });
        if let Some(slot) = object.pointer_mut(place) {
            *slot = value;
        }
        post(format!("{path}?dryRun=All"), object)
    };
    let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    sequence(
        "definition with",
        vec![
            ("nothing wrong", with("/none", Value::Null)),
            ("another name", with("/spec/names/plural", json!("others"))),
            ("no version stored", with("/spec/versions/0/storage", json!(false))),
            ("a bad scope", with("/spec/scope", json!("Nowhere"))),
            ("a bad pattern", with(&format!("{spec}/name/pattern"), json!("(["))),
            ("no type", with(&format!("{spec}/name/type"), json!(""))),
            ("an unknown type", with(&format!("{spec}/name/type"), json!("float"))),
            ("a default of a wrong type", with(&format!("{spec}/size/default"), json!("x"))),
            ("a default out of range", with(&format!("{spec}/size/default"), json!(50))),
            (
                "a bad printed column",
                with("/spec/versions/0/additionalPrinterColumns/0/jsonPath", json!("spec.size")),
            ),
            (
                "a column of an unknown type",
                with("/spec/versions/0/additionalPrinterColumns/0/type", json!("color")),
            ),
            (
                "a bad path of replicas",
                with("/spec/versions/0/subresources/scale/specReplicasPath", json!(".status.x")),
            ),
            ("a map without keys", with(&format!("{spec}/list/x-kubernetes-list-map-keys"), json!([]))),
            ("keys that are not required", with(&format!("{spec}/list/items/required"), json!([]))),
            (
                "a rule that does not parse",
                with(
                    "/spec/versions/0/schema/openAPIV3Schema/properties/spec/x-kubernetes-validations/0/rule",
                    json!("self.size >"),
                ),
            ),
            (
                "a costly message",
                with(
                    "/spec/versions/0/schema/openAPIV3Schema/properties/spec/x-kubernetes-validations/0/messageExpression",
                    json!("'a name needs a size, not ' + string(self.size)"),
                ),
            ),
            (
                "a selectable field that is none",
                with("/spec/versions/0/selectableFields/0/jsonPath", json!(".spec.list")),
            ),
            ("a group without a dot", with("/spec/group", json!("short"))),
        ],
    )
}
