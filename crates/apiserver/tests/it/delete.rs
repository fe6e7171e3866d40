//! DELETE: replies, preconditions, finalizers, grace, collections, namespaces.

use serde_json::json;

use crate::cluster::{CONFIG_MAPS, Cluster, MERGE, check, config_map};

#[tokio::test]
async fn replies_show_the_outcome_of_a_deletion() {
    let cluster = Cluster::start().await;
    let one = &*format!("{CONFIG_MAPS}/a");
    cluster.post(CONFIG_MAPS, &config_map("a", "v")).await;
    let rows = [
        ("uid", "DELETE", one, &[][..], r#"{"preconditions":{"uid":"x"}}"#, "409"),
        (
            "policy",
            "DELETE",
            &format!("{one}?propagationPolicy=Nope"),
            &[],
            "",
            "422 Invalid DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Nope\": \
             supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
        ),
        (
            "both policies",
            "DELETE",
            &format!("{one}?propagationPolicy=Orphan&orphanDependents=true"),
            &[],
            "",
            "422 Invalid DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Invalid value: \"Orphan\": \
             orphanDependents and deletionPropagation cannot be both set",
        ),
        (
            "gone",
            "DELETE",
            one,
            &[],
            r#"{"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Background"}"#,
            "200 Status",
        ),
        ("again", "DELETE", one, &[], "", "404 NotFound configmaps \"a\" not found"),
        (
            "default stays",
            "DELETE",
            "/api/v1/namespaces/default",
            &[],
            "",
            "403 Forbidden namespaces \"default\" is forbidden: this namespace may not be deleted",
        ),
    ];
    check(&cluster, &rows[1..]).await;
    let made = cluster.post(CONFIG_MAPS, &config_map("a", "v")).await;
    let refused = cluster.send(rows[0].1, one, &[], rows[0].4).await;
    assert!(
        refused
            .summary()
            .starts_with("409 Conflict Operation cannot be fulfilled on ConfigMap \"a\": the UID in")
    );
    assert_eq!(refused.body["details"]["kind"], "ConfigMap");
    let gone = cluster.delete(one).await.body;
    let uid = &made.body["metadata"]["uid"];
    assert_eq!(gone["status"], "Success");
    assert_eq!(gone["details"], json!({ "name": "a", "kind": "configmaps", "uid": uid }));
}

#[tokio::test]
async fn an_object_with_finalizers_is_marked_and_kept() {
    let cluster = Cluster::start().await;
    let one = format!("{CONFIG_MAPS}/a");
    let mut held = config_map("a", "v");
    held["metadata"]["finalizers"] = json!(["x.io/a"]);
    cluster.post(CONFIG_MAPS, &held).await;
    let marked = cluster.delete(&one).await;
    assert_eq!(marked.summary(), "200 ConfigMap a");
    assert!(marked.body["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(marked.body["metadata"]["deletionGracePeriodSeconds"], 0);
    assert_eq!(cluster.delete(&one).await.body, marked.body, "nothing changes any more");
    let more = json!({ "metadata": { "finalizers": ["x.io/a", "x.io/b"] } });
    let refused = cluster.patch(&one, MERGE, &more).await;
    assert_eq!(
        refused.summary(),
        "422 Invalid ConfigMap \"a\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if \
         the object is being deleted, found new finalizers []string{\"x.io/b\"}"
    );
    let mut events =
        cluster.watch(&format!("{CONFIG_MAPS}?watch=1&resourceVersion={}", marked.version())).await;
    let last = cluster.patch(&one, MERGE, &json!({ "metadata": { "finalizers": null } })).await;
    assert_eq!((last.code, last.version()), (200, marked.version()), "the last state, under its old version");
    assert_eq!(cluster.get(&one).await.code, 404);
    let event = events.next().await.unwrap();
    assert_eq!(
        (&event["type"], &event["object"]["metadata"]["finalizers"]),
        (&json!("DELETED"), &json!(["x.io/a"]))
    );
    assert_ne!(event["object"]["metadata"]["resourceVersion"], json!(marked.version()));
}

#[tokio::test]
async fn foreground_deletion_waits_for_the_garbage_collector() {
    let cluster = Cluster::start().await;
    cluster.post(CONFIG_MAPS, &config_map("a", "v")).await;
    let marked = cluster.delete(&format!("{CONFIG_MAPS}/a?propagationPolicy=Foreground")).await;
    assert_eq!(marked.body["metadata"]["finalizers"], json!(["foregroundDeletion"]));
}

#[tokio::test]
async fn running_pods_have_a_grace_period() {
    let cluster = Cluster::start().await;
    let pods = "/api/v1/namespaces/default/pods";
    let pod =
        json!({ "metadata": { "name": "p" }, "spec": { "containers": [{ "name": "c", "image": "i" }] } });
    cluster.post(pods, &pod).await;
    assert_eq!(cluster.delete(&format!("{pods}/p")).await.summary(), "200 Pod p");
    assert_eq!(cluster.get(&format!("{pods}/p")).await.code, 404, "no kubelet runs it");
    cluster.post(pods, &pod).await;
    let binding = json!({ "target": { "kind": "Node", "name": "n" } });
    assert_eq!(cluster.post(&format!("{pods}/p/binding"), &binding).await.code, 201);
    let stopping = cluster.delete(&format!("{pods}/p")).await.body;
    assert_eq!(stopping["metadata"]["deletionGracePeriodSeconds"], 30);
    assert_eq!(cluster.get(&format!("{pods}/p")).await.code, 200);
    cluster.delete(&format!("{pods}/p?gracePeriodSeconds=0")).await;
    assert_eq!(cluster.get(&format!("{pods}/p")).await.code, 404);
}

#[tokio::test]
async fn collections_are_deleted_by_selector() {
    let cluster = Cluster::start().await;
    for (name, label) in [("a", "x"), ("b", "x"), ("c", "y")] {
        let mut body = config_map(name, "v");
        body["metadata"]["labels"] = json!({ "l": label });
        cluster.post(CONFIG_MAPS, &body).await;
    }
    let deleted = cluster.delete(&format!("{CONFIG_MAPS}?labelSelector=l%3Dx")).await;
    assert_eq!((deleted.body["kind"].as_str().unwrap(), deleted.names()), ("ConfigMapList", vec!["a", "b"]));
    assert_eq!(cluster.get(CONFIG_MAPS).await.names(), ["c"]);
}

#[tokio::test]
async fn nothing_is_created_in_a_terminating_namespace() {
    let cluster = Cluster::start().await;
    cluster.post("/api/v1/namespaces", &json!({ "metadata": { "name": "t" } })).await;
    let maps = "/api/v1/namespaces/t/configmaps";
    cluster.post(maps, &config_map("a", "v")).await;
    let going = cluster.delete("/api/v1/namespaces/t").await;
    assert_eq!(
        (going.summary().as_str(), &going.body["status"]["phase"]),
        ("200 Namespace t", &json!("Terminating"))
    );
    let refused = cluster.post(maps, &config_map("b", "v")).await;
    assert_eq!(
        refused.summary(),
        "403 Forbidden configmaps \"b\" is forbidden: unable to create new content in namespace t because it is \
         being terminated"
    );
    assert_eq!(refused.body["details"]["causes"][0]["reason"], "NamespaceTerminating");
    assert_eq!(
        cluster.put(&format!("{maps}/a"), &config_map("a", "w")).await.code,
        200,
        "changes are allowed"
    );
    let mut empty = going.body;
    empty["spec"]["finalizers"] = json!([]);
    assert_eq!(cluster.put("/api/v1/namespaces/t/finalize", &empty).await.code, 200);
    assert_eq!(cluster.get("/api/v1/namespaces/t").await.code, 404);
}
