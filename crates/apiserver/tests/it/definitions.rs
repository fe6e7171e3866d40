//! CustomResourceDefinitions: validation, and their effect on objects.

use serde_json::{Value, json};

use crate::cluster::{Answer, Cluster, MERGE};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const WIDGETS: &str = "/apis/ex.io/v1/namespaces/default/widgets";

/// A version with these properties in `spec`.
fn version(name: &str, storage: bool, properties: Value) -> Value {
    let spec = json!({ "type": "object", "properties": properties });
    let schema = json!({ "type": "object", "properties": { "spec": spec } });
    json!({ "name": name, "served": true, "storage": storage, "schema": { "openAPIV3Schema": schema } })
}

fn definition(plural: &str, kind: &str, versions: Value) -> Value {
    json!({
        "metadata": { "name": format!("{plural}.ex.io") },
        "spec": { "group": "ex.io", "scope": "Namespaced", "names": { "plural": plural, "kind": kind },
                  "versions": versions },
    })
}

fn widget(version: &str, spec: &Value) -> Value {
    json!({ "apiVersion": format!("ex.io/{version}"), "kind": "Widget", "metadata": { "name": "a" }, "spec": spec })
}

/// Waits until a condition of a definition has a state.
async fn until(cluster: &Cluster, name: &str, kind: &str, state: &str) -> Answer {
    let has = |answer: &Answer| {
        let conditions = answer.body["status"]["conditions"].as_array().into_iter().flatten();
        conditions.into_iter().any(|condition| condition["type"] == kind && condition["status"] == state)
    };
    cluster.eventually(&format!("{DEFINITIONS}/{name}"), has).await
}

/// An API server that serves widgets.
async fn serving(versions: Value) -> Cluster {
    let cluster = Cluster::start().await;
    let made = cluster.post(DEFINITIONS, &definition("widgets", "Widget", versions)).await;
    assert_eq!(made.code, 201, "{}", made.text);
    until(&cluster, "widgets.ex.io", "Established", "True").await;
    cluster
}

#[tokio::test]
async fn invalid_definitions_are_refused() {
    let cluster = Cluster::start().await;
    let mut broken = definition("widgets", "Widget", json!([version("v1", true, json!({ "a": {} }))]));
    broken["spec"]["scope"] = json!("Galaxy");
    assert_eq!(
        cluster.post(DEFINITIONS, &broken).await.summary(),
        "422 Invalid CustomResourceDefinition.apiextensions.k8s.io \"widgets.ex.io\" is invalid: [spec.scope: \
         Unsupported value: \"Galaxy\": supported values: \"Cluster\", \"Namespaced\", \
         spec.validation.openAPIV3Schema.properties[spec].properties[a].type: Required value: must not be empty for \
         specified object fields]"
    );
    assert_eq!(cluster.get(&format!("{DEFINITIONS}/widgets.ex.io")).await.code, 404);
}

#[tokio::test]
async fn a_version_in_stored_versions_cannot_be_removed() {
    let text = json!({ "a": { "type": "string" } });
    let first = version("v1", true, text.clone());
    let cluster = serving(json!([first, version("v2", false, text.clone())])).await;
    let one = format!("{DEFINITIONS}/widgets.ex.io");
    let switched = json!([version("v1", false, text.clone()), version("v2", true, text.clone())]);
    let answer = cluster.patch(&one, MERGE, &json!({ "spec": { "versions": switched } })).await;
    assert_eq!(answer.body["status"]["storedVersions"], json!(["v1", "v2"]));
    assert_eq!(answer.body["metadata"]["generation"], 2);
    let without = json!({ "spec": { "versions": [version("v2", true, text)] } });
    let refused = cluster.patch(&one, MERGE, &without).await;
    assert_eq!(refused.code, 422, "{}", refused.text);
    assert!(refused.text.contains("missing from spec.versions; v1 was previously a storage version"));
    let forgotten = json!({ "status": { "storedVersions": ["v2"] } });
    assert_eq!(cluster.patch(&format!("{one}/status"), MERGE, &forgotten).await.code, 200);
    assert_eq!(cluster.patch(&one, MERGE, &without).await.code, 200);
    cluster.eventually(WIDGETS, |answer| answer.code == 404).await;
}

#[tokio::test]
async fn conversion_keeps_fields_of_both_versions() {
    let text = json!({ "type": "string" });
    let cluster = serving(json!([
        version("v1beta1", true, json!({ "a": text, "only1": text })),
        version("v1", false, json!({ "a": text, "only2": text })),
    ]))
    .await;
    let beta = "/apis/ex.io/v1beta1/namespaces/default/widgets";
    cluster.post(beta, &widget("v1beta1", &json!({ "a": "x", "only1": "one" }))).await;
    assert_eq!(cluster.get(&format!("{WIDGETS}/a")).await.body["spec"], json!({ "a": "x" }));
    assert_eq!(cluster.get(WIDGETS).await.body["items"][0]["spec"], json!({ "a": "x" }));
    assert_eq!(cluster.get(&format!("{beta}/a")).await.body["spec"], json!({ "a": "x", "only1": "one" }));
    let written = cluster.patch(&format!("{WIDGETS}/a"), MERGE, &json!({ "spec": { "only2": "two" } })).await;
    assert_eq!(written.body["spec"], json!({ "a": "x" }), "what is not stored is not shown");
}

#[tokio::test]
async fn without_a_webhook_only_the_stored_version_is_served() {
    let cluster = Cluster::start().await;
    let versions = json!([version("v1", true, json!({})), version("v2", false, json!({}))]);
    let mut converted = definition("widgets", "Widget", versions);
    converted["spec"]["conversion"] = json!({ "strategy": "Webhook", "webhook": {
        "clientConfig": { "url": "https://converter.example/convert" }, "conversionReviewVersions": ["v1"] } });
    let made = cluster.post(DEFINITIONS, &converted).await;
    assert_eq!(made.code, 201, "{}", made.text);
    assert!(made.warnings()[0].contains("does not call conversion webhooks"), "{:?}", made.warnings());
    until(&cluster, "widgets.ex.io", "Established", "True").await;
    assert_eq!(cluster.get(WIDGETS).await.code, 200);
    assert_eq!(cluster.get("/apis/ex.io/v2/namespaces/default/widgets").await.code, 404);
}

#[tokio::test]
async fn free_names_are_accepted_for_the_next_definition() {
    let cluster = serving(json!([version("v1", true, json!({}))])).await;
    let second = definition("gadgets", "Widget", json!([version("v1", true, json!({}))]));
    cluster.post(DEFINITIONS, &second).await;
    let answer = until(&cluster, "gadgets.ex.io", "NamesAccepted", "False").await;
    assert_eq!(answer.body["status"]["acceptedNames"], json!({ "plural": "gadgets", "kind": "" }));
    cluster.delete(&format!("{DEFINITIONS}/widgets.ex.io")).await;
    until(&cluster, "gadgets.ex.io", "Established", "True").await;
    assert_eq!(cluster.get("/apis/ex.io/v1/gadgets").await.code, 200);
}

#[tokio::test]
async fn validation_rules_are_evaluated() {
    let mut ruled =
        version("v1", true, json!({ "replicas": { "type": "integer" }, "fixed": { "type": "string" } }));
    ruled["schema"]["openAPIV3Schema"]["properties"]["spec"]["x-kubernetes-validations"] = json!([
        { "rule": "self.replicas != 7", "message": "seven is forbidden", "reason": "FieldValueForbidden",
          "fieldPath": ".replicas" },
        { "rule": "!has(oldSelf.fixed) || self.fixed == oldSelf.fixed", "message": "is fixed" },
    ]);
    let cluster = serving(json!([ruled])).await;
    let seven = cluster.post(WIDGETS, &widget("v1", &json!({ "replicas": 7 }))).await;
    let want = "422 Invalid Widget.ex.io \"a\" is invalid: spec.replicas: Forbidden: seven is forbidden";
    assert_eq!(seven.summary(), want);
    assert_eq!(cluster.post(WIDGETS, &widget("v1", &json!({ "replicas": 1, "fixed": "f" }))).await.code, 201);
    let one = format!("{WIDGETS}/a");
    let changed = cluster.patch(&one, MERGE, &json!({ "spec": { "fixed": "g" } })).await;
    let want = "422 Invalid Widget.ex.io \"a\" is invalid: spec: Invalid value: is fixed";
    assert_eq!(changed.summary(), want);
    assert_eq!(cluster.patch(&one, MERGE, &json!({ "spec": { "replicas": 2 } })).await.code, 200);
}

#[tokio::test]
async fn scale_uses_the_paths_of_the_definition() {
    let mut scaled =
        version("v1", true, json!({ "size": { "type": "integer", "minimum": 0, "maximum": 10 } }));
    let paths = json!({ "specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size" });
    scaled["subresources"] = json!({ "status": {}, "scale": paths });
    let cluster = serving(json!([scaled])).await;
    cluster.post(WIDGETS, &widget("v1", &json!({}))).await;
    let scale = format!("{WIDGETS}/a/scale");
    assert_eq!(
        cluster.get(&scale).await.summary(),
        "500 InternalError Internal error occurred: the spec replicas field \".spec.size\" does not exist"
    );
    let size = |count: i64| json!({ "spec": { "replicas": count } });
    assert_eq!(
        cluster.patch(&scale, MERGE, &json!({ "metadata": { "labels": { "a": "b" } } })).await.summary(),
        "400 BadRequest the spec replicas field \".spec.size\" cannot be empty"
    );
    assert_eq!(cluster.patch(&scale, MERGE, &size(3)).await.body["spec"]["replicas"], 3);
    assert_eq!(cluster.get(&format!("{WIDGETS}/a")).await.body["spec"]["size"], 3);
    assert_eq!(
        cluster.patch(&scale, MERGE, &size(-1)).await.summary(),
        "422 Invalid Widget.ex.io \"a\" is invalid: [spec.size: Invalid value: -1: spec.size in body should be greater \
         than or equal to 0, .spec.size: Invalid value: -1: should be a non-negative integer]"
    );
    assert_eq!(
        cluster.patch(&scale, MERGE, &size(50)).await.summary(),
        "422 Invalid Widget.ex.io \"a\" is invalid: spec.size: Invalid value: 50: spec.size in body should be less \
         than or equal to 10"
    );
}

/// The uniqueness of a list as people write it takes quadratic time.
#[tokio::test]
async fn rules_that_cost_too_much_are_refused() {
    let unique = "self.a.all(x, self.a.exists_one(y, x == y))";
    let ruled = |list: Value, rule: &str| {
        let mut ruled = version("v1", true, json!({ "a": list, "s": { "type": "string" } }));
        ruled["schema"]["openAPIV3Schema"]["properties"]["spec"]["x-kubernetes-validations"] =
            json!([{ "rule": rule }]);
        json!([ruled])
    };
    let unlimited = json!({ "type": "array", "items": { "type": "integer" } });
    let cluster = Cluster::start().await;
    let refused =
        cluster.post(DEFINITIONS, &definition("gadgets", "Gadget", ruled(unlimited.clone(), unique))).await;
    let summary = refused.summary();
    let want = "spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule: Forbidden: estimated \
                rule cost exceeds budget by factor of more than 100x (try simplifying the rule, or adding maxItems, \
                maxProperties, and maxLength where arrays, maps, and strings are declared)";
    assert!(refused.code == 422 && summary.contains(want), "{summary}");
    // What the estimate lets pass is ended at run time: `replace` of nothing multiplies two texts.
    let growing = "self.s.replace('', self.s) != self.s";
    let made = cluster.post(DEFINITIONS, &definition("widgets", "Widget", ruled(unlimited, growing))).await;
    assert_eq!(made.code, 201, "{}", made.text);
    until(&cluster, "widgets.ex.io", "Established", "True").await;
    assert_eq!(cluster.post(WIDGETS, &widget("v1", &json!({ "s": "short" }))).await.code, 201);
    let mut long = widget("v1", &json!({ "s": "x".repeat(20_000) }));
    long["metadata"]["name"] = json!("long");
    let refused = cluster.post(WIDGETS, &long).await;
    let summary = refused.summary();
    assert!(refused.code == 422 && summary.contains("no further validation rules will be run"), "{summary}");
}
