//! Server-side apply requests. The merge is tested in `object`.

use serde_json::{Value, json};

use crate::cluster::{APPLY, CONFIG_MAPS, Cluster, MERGE};

fn data(pairs: &Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "s" }, "data": pairs })
}

#[tokio::test]
async fn managers_own_what_they_apply() {
    let cluster = Cluster::start().await;
    let apply = async |manager: &str, body: Value| {
        cluster.patch(&format!("{CONFIG_MAPS}/s?{manager}"), APPLY, &body).await
    };
    let made = apply("fieldManager=m1", data(&json!({ "a": "1", "b": "1" }))).await;
    assert_eq!(made.code, 201);
    let again = apply("fieldManager=m1", data(&json!({ "a": "1", "b": "1" }))).await;
    assert_eq!((again.code, again.version()), (200, made.version()), "unchanged");
    let refused = apply("fieldManager=m2", data(&json!({ "a": "2" }))).await;
    assert_eq!(refused.summary(), "409 Conflict Apply failed with 1 conflict: conflict with \"m1\": .data.a");
    let cause =
        json!([{ "reason": "FieldManagerConflict", "message": "conflict with \"m1\"", "field": ".data.a" }]);
    assert_eq!(refused.body["details"], json!({ "causes": cause }));
    assert_eq!(apply("fieldManager=m2", data(&json!({ "a": "1" }))).await.code, 200, "shared");
    let kept = apply("fieldManager=m1", data(&json!({ "b": "1" }))).await;
    assert_eq!(kept.body["data"], json!({ "a": "1", "b": "1" }), "m2 still owns a");
    let gone = apply("fieldManager=m1", data(&Value::Null)).await;
    assert_eq!(gone.body["data"], json!({ "a": "1" }));
    let forced = apply("fieldManager=m3&force=true", data(&json!({ "a": "3" }))).await;
    assert_eq!(forced.body["data"], json!({ "a": "3" }));
    let patched = cluster
        .patch(
            &format!("{CONFIG_MAPS}/s?fieldManager=upd"),
            MERGE,
            &json!({ "data": { "a": "4", "z": "1" } }),
        )
        .await;
    assert_eq!(patched.code, 200);
    let refused = apply("fieldManager=m5", data(&json!({ "a": "9", "z": "9" }))).await;
    assert_eq!(
        refused.body["message"],
        "Apply failed with 2 conflicts: conflicts with \"upd\" using v1:\n- .data.a\n- .data.z"
    );
}

#[tokio::test]
async fn invalid_configurations_are_refused() {
    let cluster = Cluster::start().await;
    let uri = |query: &str| format!("{CONFIG_MAPS}/s?fieldManager=m{query}");
    let missing = "409 Conflict Operation cannot be fulfilled on configmaps \"s\": uid mismatch: the provided object \
                   specified uid abc, and no existing object was found";
    let rows = [
        (
            "uid of what is not there",
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"s","uid":"abc"}}"#,
            missing,
        ),
        (
            "no name for what is not there",
            r#"{"apiVersion":"v1","kind":"ConfigMap"}"#,
            "400 BadRequest the name of the object (s based on URL) was undeterminable: name must be provided",
        ),
        (
            "created",
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"s","resourceVersion":"1"}}"#,
            "201 ConfigMap s",
        ),
        ("no name for what is there", r#"{"apiVersion":"v1","kind":"ConfigMap"}"#, "200 ConfigMap s"),
        (
            "other name",
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"t"}}"#,
            "400 BadRequest the name of the object (t) does not match the name on the URL (s)",
        ),
        (
            "no apiVersion",
            r#"{"kind":"ConfigMap","metadata":{"name":"s"}}"#,
            "400 BadRequest invalid object type: /, Kind=ConfigMap",
        ),
        (
            "other kind",
            r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"}}"#,
            "400 BadRequest invalid object type: /v1, Kind=Secret",
        ),
        (
            "stale",
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"s","resourceVersion":"1"}}"#,
            "409 Conflict Operation cannot be fulfilled on configmaps \"s\": the object has been modified; \
             please apply your changes to the latest version and try again",
        ),
        (
            "managed fields",
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"s","managedFields":[]}}"#,
            "400 BadRequest metadata.managedFields must be nil",
        ),
        (
            "unknown field",
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"s"},"bogus":1}"#,
            "500  failed to create typed patch object (/s; /v1, Kind=ConfigMap): .bogus: field not declared in schema",
        ),
        ("yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: s\ndata:\n  y: z\n", "200 ConfigMap s"),
    ];
    for (name, body, want) in rows {
        let answer = cluster.send("PATCH", &uri(""), &[APPLY], body).await;
        assert_eq!(answer.summary(), want, "{name}");
    }
    let nameless = cluster.patch(&format!("{CONFIG_MAPS}/s"), APPLY, &data(&json!({}))).await;
    assert_eq!(
        nameless.summary(),
        "422 Invalid PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch"
    );
    let repeated = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: s\ndata:\n  q: a\n  q: b\n";
    let strict = cluster.send("PATCH", &uri("&fieldValidation=Strict"), &[APPLY], repeated).await;
    assert_eq!(strict.code, 400);
    assert!(strict.body["message"].as_str().unwrap().starts_with("error strict decoding YAML: "));
}

#[tokio::test]
async fn status_is_applied_through_its_subresource() {
    let cluster = Cluster::start().await;
    let path = "/apis/apps/v1/namespaces/default/deployments/d";
    let status = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "d" },
                         "spec": { "replicas": 7 }, "status": { "replicas": 2 } });
    let uri = format!("{path}/status?fieldManager=m");
    assert_eq!(cluster.patch(&uri, APPLY, &status).await.code, 404);
    let spec = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "d" }, "spec": {
        "selector": { "matchLabels": { "a": "b" } }, "template": { "metadata": { "labels": { "a": "b" } },
        "spec": { "containers": [{ "name": "c", "image": "i" }] } } } });
    assert_eq!(cluster.patch(&format!("{path}?fieldManager=m"), APPLY, &spec).await.code, 201);
    let answer = cluster.patch(&uri, APPLY, &status).await;
    assert_eq!(
        (&answer.body["status"]["replicas"], &answer.body["spec"]["replicas"]),
        (&json!(2), &json!(1))
    );
    let entries = answer.body["metadata"]["managedFields"].as_array().unwrap();
    assert!(entries.iter().any(|entry| entry["subresource"] == "status" && entry["operation"] == "Apply"));
}
