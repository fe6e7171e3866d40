//! PATCH by JSON patch, merge patch and strategic merge patch. The patch algorithms are tested in `object`.

use serde_json::json;

use crate::cluster::{CONFIG_MAPS, Cluster, JSON_PATCH, MERGE, STRATEGIC, check, config_map};

#[tokio::test]
async fn invalid_patches_are_refused() {
    let cluster = Cluster::start().await;
    cluster.post(CONFIG_MAPS, &config_map("a", "v")).await;
    let one = &*format!("{CONFIG_MAPS}/a");
    let generic = "422 Invalid the server rejected our request due to an error in our request";
    let rows = [
        (
            "no patch type",
            "PATCH",
            one,
            &[("content-type", "application/json")][..],
            "{}",
            "415 UnsupportedMediaType 415: Unsupported Media Type",
        ),
        (
            "list as merge patch",
            "PATCH",
            one,
            &[MERGE],
            "[1]",
            "400 BadRequest error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
        (
            "object as JSON patch",
            "PATCH",
            one,
            &[JSON_PATCH],
            "{}",
            "400 BadRequest error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ),
        (
            "test fails",
            "PATCH",
            one,
            &[JSON_PATCH],
            r#"[{"op":"test","path":"/data/k","value":"x"}]"#,
            generic,
        ),
        ("nothing to remove", "PATCH", one, &[JSON_PATCH], r#"[{"op":"remove","path":"/data/z"}]"#, generic),
        ("broken", "PATCH", one, &[STRATEGIC], r#"{"a""#, "400 BadRequest unexpected end of JSON input"),
        (
            "name",
            "PATCH",
            one,
            &[MERGE],
            r#"{"metadata":{"name":"other"}}"#,
            "400 BadRequest the name of the object (other) does not match the name on the URL (a)",
        ),
        (
            "namespace",
            "PATCH",
            one,
            &[MERGE],
            r#"{"metadata":{"namespace":"other"}}"#,
            "400 BadRequest the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            "uid",
            "PATCH",
            one,
            &[MERGE],
            r#"{"metadata":{"uid":"other"}}"#,
            "422 Invalid ConfigMap \"a\" is invalid: metadata.uid: Invalid value: \"other\": field is immutable",
        ),
        (
            "version",
            "PATCH",
            one,
            &[MERGE],
            r#"{"metadata":{"resourceVersion":"1"},"data":{"q":"1"}}"#,
            "409 Conflict Operation cannot be fulfilled on configmaps \"a\": the object has been modified; \
             please apply your changes to the latest version and try again",
        ),
        (
            "missing",
            "PATCH",
            &format!("{CONFIG_MAPS}/z"),
            &[MERGE],
            "{}",
            "404 NotFound configmaps \"z\" not found",
        ),
        (
            "force is for apply",
            "PATCH",
            &format!("{one}?force=true"),
            &[MERGE],
            "{}",
            "422 Invalid PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch",
        ),
        (
            "unknown field",
            "PATCH",
            &format!("{one}?fieldValidation=Strict"),
            &[STRATEGIC],
            r#"{"bogus":1}"#,
            "422 Invalid  \"\" is invalid: patch: Invalid value: \"map[bogus:1]\": strict decoding error: unknown field \"bogus\"",
        ),
    ];
    check(&cluster, &rows).await;
    let kind = cluster.patch(one, MERGE, &json!({ "kind": "Foo" })).await;
    assert_eq!((kind.code, &kind.body["details"]["causes"][0]["field"]), (422, &json!("patch")));
}

#[tokio::test]
async fn patches_change_the_object() {
    let cluster = Cluster::start().await;
    cluster.post(CONFIG_MAPS, &config_map("a", "v")).await;
    let one = format!("{CONFIG_MAPS}/a");
    let steps = [
        (MERGE, json!({ "data": { "m": "1", "k": null } }), json!({ "m": "1" })),
        (
            JSON_PATCH,
            json!([{ "op": "add", "path": "/data/j", "value": "2" }]),
            json!({ "m": "1", "j": "2" }),
        ),
        (STRATEGIC, json!({ "data": { "$patch": "replace", "s": "3" } }), json!({ "s": "3" })),
        (JSON_PATCH, json!([]), json!({ "s": "3" })),
    ];
    for (kind, patch, want) in steps {
        let answer = cluster.patch(&one, kind, &patch).await;
        assert_eq!((answer.code, &answer.body["data"]), (200, &want), "{patch}");
    }
    let warned = cluster.patch(&one, MERGE, &json!({ "bogus": 1 })).await;
    assert_eq!((warned.code, warned.warnings()), (200, vec![r#"299 - "unknown field \"bogus\"""#]));
}

#[tokio::test]
async fn concurrent_patches_without_a_version_are_all_applied() {
    let cluster = Cluster::start().await;
    cluster.post(CONFIG_MAPS, &config_map("a", "v")).await;
    let one = format!("{CONFIG_MAPS}/a");
    let patches = (0..4).map(|number| {
        let patch = json!({ "data": { format!("n{number}"): "x" } });
        let (cluster, one) = (&cluster, &one);
        async move { cluster.patch(one, MERGE, &patch).await.code }
    });
    assert_eq!(futures::future::join_all(patches).await, [200; 4]);
    assert_eq!(cluster.get(&one).await.body["data"].as_object().unwrap().len(), 5);
}
