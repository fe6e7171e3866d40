//! Custom resources from the creation to the deletion of their definition.

use serde_json::{Value, json};

use crate::cluster::{Cluster, MERGE, STRATEGIC};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const WIDGETS: &str = "/apis/ex.io/v1/namespaces/default/widgets";
const DEFINITION: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.ex.io";

fn schema() -> Value {
    json!({ "openAPIV3Schema": { "type": "object", "properties": {
        "spec": { "type": "object", "properties": {
            "color": { "type": "string", "enum": ["red", "green"], "default": "red" },
            "replicas": { "type": "integer" }, "note": { "type": "string" } } },
        "status": { "type": "object", "properties": { "replicas": { "type": "integer" } } } } } })
}

fn definition() -> Value {
    json!({ "metadata": { "name": "widgets.ex.io" }, "spec": {
        "group": "ex.io", "scope": "Namespaced",
        "names": { "plural": "widgets", "kind": "Widget", "shortNames": ["wd"] },
        "versions": [
            { "name": "v1", "served": true, "storage": true, "schema": schema(),
              "subresources": { "status": {}, "scale": { "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas" } },
              "additionalPrinterColumns": [{ "name": "Color", "type": "string", "jsonPath": ".spec.color" }] },
            { "name": "v1beta1", "served": true, "storage": false, "deprecated": true, "schema": schema() },
        ] } })
}

fn widget(name: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "ex.io/v1", "kind": "Widget", "metadata": { "name": name }, "spec": spec })
}

async fn started() -> Cluster {
    let cluster = Cluster::start().await;
    let made = cluster.post(DEFINITIONS, &definition()).await;
    assert_eq!(made.code, 201, "{}", made.text);
    assert_eq!(made.body["status"]["storedVersions"], json!(["v1"]));
    assert_eq!(made.body["spec"]["names"]["listKind"], "WidgetList");
    cluster.eventually(DEFINITION, |answer| is_true(&answer.body, "Established")).await;
    cluster
}

fn is_true(definition: &Value, kind: &str) -> bool {
    let conditions = definition["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == kind && condition["status"] == "True")
}

#[tokio::test]
async fn established_means_served_everywhere() {
    let cluster = started().await;
    assert_eq!(cluster.post(WIDGETS, &widget("a", &json!({}))).await.code, 201);
    assert_eq!(cluster.get("/apis/ex.io").await.body["preferredVersion"]["version"], "v1");
    let resources = cluster.get("/apis/ex.io/v1").await.body["resources"].clone();
    assert_eq!(resources[0]["shortNames"], json!(["wd"]));
    let root = cluster.get("/openapi/v3").await.body;
    let url = root["paths"]["apis/ex.io/v1"]["serverRelativeURL"].as_str().unwrap().to_owned();
    let document = cluster.get(&url).await.body;
    assert!(document["components"]["schemas"]["io.ex.v1.Widget"]["properties"]["spec"].is_object());
    let patch = &document["paths"]["/apis/ex.io/v1/namespaces/{namespace}/widgets/{name}"]["patch"];
    let parameters = patch["parameters"].as_array().unwrap();
    assert!(parameters.iter().any(|parameter| parameter["name"] == "fieldValidation"));
}

#[tokio::test]
async fn objects_are_validated_by_their_schema() {
    let cluster = started().await;
    let made = cluster.post(WIDGETS, &widget("a", &json!({ "bogus": 1, "note": null }))).await;
    assert_eq!(made.body["spec"], json!({ "color": "red" }));
    assert_eq!(made.warnings(), [r#"299 - "unknown field \"spec.bogus\"""#]);
    assert_eq!(made.body["metadata"]["generation"], 1);
    let pink = cluster.post(WIDGETS, &widget("b", &json!({ "color": "pink" }))).await;
    assert_eq!(
        pink.summary(),
        "422 Invalid Widget.ex.io \"b\" is invalid: spec.color: Unsupported value: \"pink\": supported values: \"red\", \"green\""
    );
    let one = format!("{WIDGETS}/a");
    assert_eq!(cluster.patch(&one, STRATEGIC, &json!({})).await.code, 415);
    let blind = cluster.put(&one, &widget("a", &json!({}))).await;
    assert_eq!(
        blind.summary(),
        "422 Invalid widgets.ex.io \"a\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    );
    let status = cluster
        .patch(
            &format!("{one}/status"),
            MERGE,
            &json!({ "status": { "replicas": 3 }, "spec": { "color": "green" } }),
        )
        .await;
    assert_eq!(
        (&status.body["status"]["replicas"], &status.body["spec"]["color"]),
        (&json!(3), &json!("red"))
    );
    assert_eq!(status.body["metadata"]["generation"], 1);
    let scaled = cluster.patch(&format!("{one}/scale"), MERGE, &json!({ "spec": { "replicas": 2 } })).await;
    assert_eq!(
        (&scaled.body["spec"]["replicas"], &scaled.body["status"]["replicas"]),
        (&json!(2), &json!(3))
    );
    let item = cluster.get(WIDGETS).await.body["items"][0].clone();
    assert_eq!((&item["kind"], &item["metadata"]["generation"]), (&json!("Widget"), &json!(2)));
    let table = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")];
    let rows = cluster.send("GET", WIDGETS, &table, "").await.body["rows"].clone();
    assert_eq!(rows[0]["cells"], json!(["a", "red"]));
}

#[tokio::test]
async fn objects_are_served_in_every_version() {
    let cluster = started().await;
    cluster.post(WIDGETS, &widget("a", &json!({}))).await;
    let beta = "/apis/ex.io/v1beta1/namespaces/default/widgets";
    let one = cluster.get(&format!("{beta}/a")).await;
    assert_eq!(one.body["apiVersion"], "ex.io/v1beta1");
    assert_eq!(one.warnings(), [r#"299 - "ex.io/v1beta1 Widget is deprecated; use ex.io/v1 Widget""#]);
    let mut events = cluster.watch(&format!("{beta}?watch=1")).await;
    assert_eq!(events.next().await.unwrap()["object"]["apiVersion"], "ex.io/v1beta1");
    assert_eq!(
        cluster.patch(&format!("{beta}/a"), MERGE, &json!({ "spec": { "note": "n" } })).await.code,
        200
    );
    assert_eq!(cluster.get(&format!("{WIDGETS}/a")).await.body["spec"]["note"], "n");
    assert_eq!(events.next().await.unwrap()["object"]["spec"]["note"], "n");
}

#[tokio::test]
async fn a_changed_definition_ends_watches_and_takes_effect() {
    let cluster = started().await;
    cluster.post(WIDGETS, &widget("a", &json!({}))).await;
    let mut events = cluster.watch(&format!("{WIDGETS}?watch=1")).await;
    assert_eq!(events.summary().await, "ADDED a");
    let mut changed = definition()["spec"].clone();
    changed["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["size"] =
        json!({ "type": "integer", "default": 7 });
    let answer = cluster.patch(DEFINITION, MERGE, &json!({ "spec": changed })).await;
    assert_eq!(answer.code, 200, "{}", answer.text);
    assert_eq!(events.next().await, None);
    let old = cluster.get(&format!("{WIDGETS}/a")).await.body;
    assert_eq!(old["spec"], json!({ "color": "red", "size": 7 }), "old objects get new defaults");
}

#[tokio::test]
async fn a_deleted_definition_deletes_its_objects() {
    let cluster = started().await;
    cluster.post(WIDGETS, &widget("a", &json!({}))).await;
    let mut held = widget("held", &json!({}));
    held["metadata"]["finalizers"] = json!(["x.io/y"]);
    cluster.post(WIDGETS, &held).await;
    let mut events = cluster.watch(&format!("{WIDGETS}?watch=1")).await;
    assert_eq!([events.summary().await, events.summary().await], ["ADDED a", "ADDED held"]);
    let going = cluster.delete(DEFINITION).await;
    assert_eq!(going.summary(), "200 CustomResourceDefinition widgets.ex.io");
    assert!(is_true(&going.body, "Terminating"));
    assert_eq!([events.summary().await, events.summary().await], ["DELETED a", "MODIFIED held"]);
    let refused = cluster.post(WIDGETS, &widget("b", &json!({}))).await;
    assert_eq!(
        refused.summary(),
        "403 Forbidden widgets.ex.io \"b\" is forbidden: create not allowed while custom resource definition is terminating"
    );
    cluster.patch(&format!("{WIDGETS}/held"), MERGE, &json!({ "metadata": { "finalizers": null } })).await;
    assert_eq!(events.summary().await, "DELETED held");
    assert_eq!(events.next().await, None);
    cluster.eventually(DEFINITION, |answer| answer.code == 404).await;
    let gone = cluster.eventually(WIDGETS, |answer| answer.code == 404).await;
    assert_eq!(gone.text, "404 page not found\n");
}

#[tokio::test]
async fn a_definition_with_names_in_use_is_not_served() {
    let cluster = started().await;
    let mut second = definition();
    second["metadata"]["name"] = json!("others.ex.io");
    second["spec"]["names"] =
        json!({ "plural": "others", "singular": "other", "kind": "Widget", "listKind": "OtherList" });
    cluster.post(DEFINITIONS, &second).await;
    let path = format!("{DEFINITIONS}/others.ex.io");
    let answer = cluster.eventually(&path, |answer| answer.body["status"]["conditions"].is_array()).await;
    let condition = &answer.body["status"]["conditions"][0];
    assert_eq!((&condition["type"], &condition["reason"]), (&json!("NamesAccepted"), &json!("KindConflict")));
    assert_eq!(condition["message"], "\"Widget\" is already in use");
    assert_eq!(cluster.get("/apis/ex.io/v1/others").await.code, 404);
}
