//! The life of one object of each kind: every verb, in the forms that clients use, with the refusals that they meet.

use serde_json::{Value, json};

use super::kinds::Kind;
use super::{
    APPLY, CURRENT, Case, JSON, JSON_PATCH, MERGE, PARTIAL, PARTIAL_LIST, STRATEGIC, TABLE, read, write,
};
use crate::proxy::Request;

/// The cases of a kind, in order.
pub(super) fn cases(kind: &Kind) -> Vec<Case> {
    let (collection, object) = (kind.collection(), kind.object());
    let path = format!("{collection}/{}", kind.object_name);
    let mut requests = creation(&collection, &object);
    requests.extend(reads(&collection, &path));
    requests.extend(updates(&path, &object));
    requests.extend(patches(&path, &object));
    requests.extend(subresources(&path, &object));
    requests.extend(deletion(&collection, &path));
    let label = |name: &str| format!("{} {}: {name}", kind.version, kind.kind);
    requests.into_iter().map(|(name, request)| Case { name: label(name), request }).collect()
}

type Named = (&'static str, Request);

fn with(object: &Value, place: &str, value: Value) -> Value {
    let mut changed = object.clone();
    let (parent, field) = place.rsplit_once('/').expect("a pointer has a slash");
    if let Some(parent) = changed.pointer_mut(parent).and_then(Value::as_object_mut) {
        parent.insert(field.to_owned(), value);
    }
    changed
}

fn creation(collection: &str, object: &Value) -> Vec<Named> {
    let dry = format!("{collection}?dryRun=All");
    let post = |path: &str, body: Value| write("POST", path.to_owned(), JSON, body);
    let generated = with(object, "/metadata", json!({ "generateName": "made-" }));
    vec![
        ("create, dry run", post(&dry, object.clone())),
        ("create with an unknown field, strict", {
            post(&format!("{dry}&fieldValidation=Strict"), with(object, "/unknown", json!(1)))
        }),
        ("create with an unknown field", post(&dry, with(object, "/unknown", json!(1)))),
        ("create with a generated name", post(&dry, generated)),
        ("create without a name", post(&dry, with(object, "/metadata", json!({})))),
        ("create with a bad name", post(&dry, with(object, "/metadata/name", json!("-Bad_Name!")))),
        ("create with a bad label", post(&dry, with(object, "/metadata/labels", json!({ "-a": "b c" })))),
        ("create with a version", post(&dry, with(object, "/metadata/resourceVersion", json!("5")))),
        ("create with another kind", post(&dry, with(object, "/kind", json!("Other")))),
        ("create with another version", post(&dry, with(object, "/apiVersion", json!("other/v1")))),
        ("create in another namespace", post(&dry, with(object, "/metadata/namespace", json!("other")))),
        ("create with a finalizer", post(&dry, with(object, "/metadata/finalizers", json!(["bad"])))),
        (
            "create with an owner",
            post(&dry, with(object, "/metadata/ownerReferences", json!([{ "kind": "A", "name": "b" }]))),
        ),
        ("create", post(collection, object.clone())),
        ("create again", post(collection, object.clone())),
    ]
}

fn reads(collection: &str, path: &str) -> Vec<Named> {
    let selected = format!("{collection}?labelSelector=a%3Db");
    vec![
        ("get", read(path.to_owned(), JSON)),
        ("get as a table", read(path.to_owned(), TABLE)),
        ("get the metadata", read(path.to_owned(), PARTIAL)),
        ("list", read(format!("{selected}&limit=1"), JSON)),
        ("list as a table", read(selected.clone(), TABLE)),
        ("list the metadata", read(selected.clone(), PARTIAL_LIST)),
        ("watch from a list", {
            read(
                format!(
                    "{selected}&watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
                ),
                JSON,
            )
        }),
        ("get what is missing", read(format!("{collection}/missing"), JSON)),
    ]
}

fn updates(path: &str, object: &Value) -> Vec<Named> {
    let put = |body: Value| write("PUT", path.to_owned(), JSON, body);
    let labelled = with(object, "/metadata/labels", json!({ "a": "b", "c": "d" }));
    vec![
        ("update without a version", put(object.clone())),
        ("update with an old version", put(with(object, "/metadata/resourceVersion", json!("1")))),
        ("update with another uid", put(with(object, "/metadata/uid", json!("other")))),
        ("update with another name", put(with(object, "/metadata/name", json!("another")))),
        ("update", put(with(&labelled, "/metadata/resourceVersion", json!(CURRENT)))),
        ("update without a change", put(with(&labelled, "/metadata/resourceVersion", json!(CURRENT)))),
    ]
}

fn patches(path: &str, object: &Value) -> Vec<Named> {
    let patch = |content_type, body: Value| write("PATCH", path.to_owned(), content_type, body);
    let applied = |manager: &str, force: bool, label: &str| {
        let body = json!({
            "apiVersion": object["apiVersion"], "kind": object["kind"],
            "metadata": { "name": object["metadata"]["name"], "labels": { "a": label, "applied": manager } },
        });
        let force = if force { "&force=true" } else { "" };
        write("PATCH", format!("{path}?fieldManager={manager}{force}"), APPLY, body)
    };
    vec![
        ("merge patch", patch(MERGE, json!({ "metadata": { "annotations": { "m": "1" } } }))),
        (
            "merge patch of a label with a number",
            patch(MERGE, json!({ "metadata": { "labels": { "m": 1 } } })),
        ),
        (
            "JSON patch",
            patch(JSON_PATCH, json!([{ "op": "add", "path": "/metadata/annotations/j", "value": "1" }])),
        ),
        (
            "JSON patch with a test that fails",
            patch(JSON_PATCH, json!([{ "op": "test", "path": "/metadata/name", "value": "x" }])),
        ),
        ("JSON patch of nothing", patch(JSON_PATCH, json!([{ "op": "remove", "path": "/absent/field" }]))),
        ("not a JSON patch", patch(JSON_PATCH, json!({ "a": 1 }))),
        ("strategic patch", patch(STRATEGIC, json!({ "metadata": { "labels": { "c": null, "s": "1" } } }))),
        ("strategic patch without a change", patch(STRATEGIC, json!({}))),
        ("patch with another media type", patch(JSON, json!({}))),
        ("apply without a manager", patch(APPLY, json!({}))),
        ("apply", applied("one", false, "b")),
        ("apply with a conflict", applied("two", false, "z")),
        ("apply by force", applied("two", true, "b")),
    ]
}

fn subresources(path: &str, object: &Value) -> Vec<Named> {
    let status = format!("{path}/status");
    let annotated = json!({ "metadata": { "annotations": { "status": "1" }, "labels": { "status": "1" } }, "spec": { "x": 1 } });
    let conditions = json!({ "status": { "conditions": [{ "type": "A", "status": "True" }] } });
    let mut requests = vec![
        ("get the status", read(status.clone(), JSON)),
        ("patch metadata by the status", write("PATCH", status.clone(), MERGE, annotated)),
        ("patch the status", write("PATCH", status.clone(), MERGE, conditions)),
        ("update the status", {
            write("PUT", status, JSON, with(object, "/metadata/resourceVersion", json!(CURRENT)))
        }),
        ("get the scale", read(format!("{path}/scale"), JSON)),
        (
            "patch the scale",
            write("PATCH", format!("{path}/scale"), MERGE, json!({ "spec": { "replicas": 2 } })),
        ),
        ("scale below zero", {
            write("PATCH", format!("{path}/scale"), MERGE, json!({ "spec": { "replicas": -2 } }))
        }),
        ("get after all writes", read(path.to_owned(), JSON)),
    ];
    // A controller of kube-apiserver writes this status at the same time, so that the version is not always current.
    let is_written_there = object["kind"] == "APIService";
    requests.retain(|(name, _)| !(is_written_there && *name == "update the status"));
    requests
}

fn deletion(collection: &str, path: &str) -> Vec<Named> {
    let delete = |path: &str, body: Value| write("DELETE", path.to_owned(), JSON, body);
    vec![
        ("delete with another uid", delete(path, json!({ "preconditions": { "uid": "other" } }))),
        ("delete with an old version", delete(path, json!({ "preconditions": { "resourceVersion": "1" } }))),
        ("delete with a bad policy", delete(path, json!({ "propagationPolicy": "Nonsense" }))),
        (
            "delete with two policies",
            delete(path, json!({ "propagationPolicy": "Orphan", "orphanDependents": true })),
        ),
        ("delete with other options", delete(path, json!({ "kind": "Other", "apiVersion": "v1" }))),
        ("delete, dry run", delete(&format!("{path}?dryRun=All"), Value::Null)),
        (
            "delete the collection of none",
            delete(&format!("{collection}?labelSelector=a%3Dnone"), Value::Null),
        ),
        ("delete", delete(path, json!({ "preconditions": { "uid": CURRENT }, "gracePeriodSeconds": 0 }))),
        ("delete what is missing", delete(&format!("{collection}/missing"), Value::Null)),
    ]
}
