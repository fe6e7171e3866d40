//! PUT: preconditions, no-ops, generation, subresources.

use serde_json::json;

use crate::cluster::{CONFIG_MAPS, Cluster, MERGE, check, config_map};

#[tokio::test]
async fn preconditions() {
    let cluster = Cluster::start().await;
    cluster.post(CONFIG_MAPS, &config_map("a", "v")).await;
    let one = &format!("{CONFIG_MAPS}/a");
    let lease = "/apis/coordination.k8s.io/v1/namespaces/default/leases/l";
    let rows = [
        (
            "stale",
            "PUT",
            &**one,
            &[][..],
            r#"{"metadata":{"name":"a","resourceVersion":"1"}}"#,
            "409 Conflict Operation cannot be fulfilled on configmaps \"a\": the object has been modified; \
             please apply your changes to the latest version and try again",
        ),
        ("no version", "PUT", one, &[], r#"{"metadata":{"name":"a"},"data":{"k":"w"}}"#, "200 ConfigMap a"),
        (
            "no number",
            "PUT",
            one,
            &[],
            r#"{"metadata":{"name":"a","resourceVersion":"abc"}}"#,
            "500  strconv.ParseUint: parsing \"abc\": invalid syntax",
        ),
        (
            "other name",
            "PUT",
            one,
            &[],
            r#"{"metadata":{"name":"b1"}}"#,
            "400 BadRequest the name of the object (b1) does not match the name on the URL (a)",
        ),
        (
            "no name",
            "PUT",
            one,
            &[],
            r#"{"metadata":{}}"#,
            "400 BadRequest the name of the object (a based on URL) was undeterminable: name must be provided",
        ),
        (
            "missing",
            "PUT",
            &format!("{CONFIG_MAPS}/z"),
            &[],
            r#"{"metadata":{"name":"z"}}"#,
            "404 NotFound configmaps \"z\" not found",
        ),
        (
            "deletionTimestamp cannot be set",
            "PUT",
            one,
            &[],
            r#"{"metadata":{"name":"a","deletionTimestamp":"2020-01-01T00:00:00Z"}}"#,
            "422 Invalid ConfigMap \"a\" is invalid: metadata.deletionTimestamp: \
             Invalid value: \"2020-01-01T00:00:00Z\": field is immutable",
        ),
        (
            "a lease is created by PUT",
            "PUT",
            lease,
            &[],
            r#"{"metadata":{"name":"l"},"spec":{"holderIdentity":"a"}}"#,
            "201 Lease l",
        ),
        (
            "and changed only with a version",
            "PUT",
            lease,
            &[],
            r#"{"metadata":{"name":"l"},"spec":{}}"#,
            "422 Invalid leases.coordination.k8s.io \"l\" is invalid: metadata.resourceVersion: Invalid value: 0: \
             must be specified for an update",
        ),
    ];
    check(&cluster, &rows).await;
}

#[tokio::test]
async fn an_update_without_a_change_keeps_the_version() {
    let cluster = Cluster::start().await;
    let made = cluster.post(CONFIG_MAPS, &config_map("a", "v")).await;
    let one = format!("{CONFIG_MAPS}/a");
    assert_eq!(cluster.put(&one, &config_map("a", "v")).await.version(), made.version());
    assert_eq!(cluster.put(&one, &made.body).await.version(), made.version());
    assert_eq!(cluster.patch(&one, MERGE, &json!({ "data": { "k": "v" } })).await.version(), made.version());
    assert_ne!(cluster.put(&one, &config_map("a", "w")).await.version(), made.version());
}

#[tokio::test]
async fn concurrent_updates_of_one_version_conflict() {
    let cluster = Cluster::start().await;
    let made = cluster.post(CONFIG_MAPS, &config_map("a", "v")).await.body;
    let one = format!("{CONFIG_MAPS}/a");
    let writes = (0..8).map(|number| {
        let mut body = made.clone();
        body["data"]["k"] = json!(number.to_string());
        let (cluster, one) = (&cluster, &one);
        async move { cluster.put(one, &body).await.code }
    });
    let mut codes = futures::future::join_all(writes).await;
    codes.sort_unstable();
    assert_eq!(codes, [200, 409, 409, 409, 409, 409, 409, 409]);
}

#[tokio::test]
async fn status_and_spec_are_written_separately() {
    let cluster = Cluster::start().await;
    let path = "/apis/apps/v1/namespaces/default/deployments";
    let deployment = json!({ "metadata": { "name": "d" }, "status": { "replicas": 5 }, "spec": {
        "selector": { "matchLabels": { "a": "b" } },
        "template": { "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [{ "name": "c", "image": "i" }] } } } });
    let made = cluster.post(path, &deployment).await;
    assert_eq!((&made.body["status"], &made.body["metadata"]["generation"]), (&json!({}), &json!(1)));
    let one = format!("{path}/d");
    let both = json!({ "metadata": { "labels": { "x": "y" } }, "spec": { "replicas": 3 }, "status": { "replicas": 2 } });
    let status = cluster.patch(&format!("{one}/status"), MERGE, &both).await;
    assert_eq!(status.body["status"]["replicas"], 2);
    assert_eq!(
        (&status.body["spec"]["replicas"], &status.body["metadata"]["generation"]),
        (&json!(1), &json!(1))
    );
    assert!(status.body["metadata"].get("labels").is_none());
    let spec =
        cluster.patch(&one, MERGE, &json!({ "spec": { "replicas": 3 }, "status": { "replicas": 9 } })).await;
    assert_eq!(spec.body["status"]["replicas"], 2);
    assert_eq!(
        (&spec.body["spec"]["replicas"], &spec.body["metadata"]["generation"]),
        (&json!(3), &json!(2))
    );

    let scale = cluster.get(&format!("{one}/scale")).await.body;
    assert_eq!(scale["spec"], json!({ "replicas": 3 }));
    assert_eq!(scale["status"], json!({ "replicas": 2, "selector": "a=b" }));
    let scaled = cluster.patch(&format!("{one}/scale"), MERGE, &json!({ "spec": { "replicas": 4 } })).await;
    assert_eq!((&scaled.body["kind"], &scaled.body["spec"]["replicas"]), (&json!("Scale"), &json!(4)));
    let after = cluster.get(&one).await.body;
    assert_eq!((&after["spec"]["replicas"], &after["metadata"]["generation"]), (&json!(4), &json!(3)));
    let entries = after["metadata"]["managedFields"].as_array().unwrap();
    assert!(entries.iter().any(|entry| entry["subresource"] == "scale"));
}

#[tokio::test]
async fn services_get_addresses_and_keep_them() {
    let cluster = Cluster::start().await;
    let path = "/api/v1/namespaces/default/services";
    let service = json!({ "metadata": { "name": "s" }, "spec": { "ports": [{ "port": 80 }] } });
    let made = cluster.post(path, &service).await.body;
    let address = made["spec"]["clusterIP"].as_str().unwrap();
    assert!(address.starts_with("10.96."), "{address}");
    let replaced = cluster.put(&format!("{path}/s"), &service).await.body;
    assert_eq!(replaced["spec"]["clusterIP"], address);
    let mut other = service.clone();
    other["metadata"]["name"] = json!("t");
    other["spec"]["clusterIP"] = json!(address);
    assert_eq!(cluster.post(path, &other).await.code, 422, "taken");
    assert_eq!(cluster.delete(&format!("{path}/s")).await.summary(), "200 Service s");
    assert_eq!(cluster.post(path, &other).await.code, 201, "free again");
}

/// What Go's `omitempty` leaves out is neither stored nor owned, and sending it again changes nothing.
#[tokio::test]
async fn zeros_are_left_out_as_go_leaves_them_out() {
    let cluster = Cluster::start().await;
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let container = json!({
        "name": "c", "image": "i", "stdin": false, "args": [], "securityContext": { "privileged": false },
    });
    let spec = json!({
        "replicas": 0, "paused": false, "minReadySeconds": 0,
        "selector": { "matchLabels": { "a": "b" } },
        "template": {
            "metadata": { "labels": { "a": "b" }, "annotations": {} },
            "spec": { "hostNetwork": false, "containers": [container] },
        },
    });
    let sent =
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "d" }, "spec": spec });
    let created = cluster.post(&format!("{deployments}?fieldManager=m"), &sent).await;
    assert_eq!(created.summary(), "201 Deployment d");
    let stored = &created.body["spec"];
    assert_eq!(stored["replicas"], 0, "a pointer to a zero stays");
    for missing in
        ["/paused", "/minReadySeconds", "/template/metadata/annotations", "/template/spec/hostNetwork"]
    {
        assert_eq!(stored.pointer(missing), None, "{missing}");
    }
    let container = &stored["template"]["spec"]["containers"][0];
    assert_eq!((container.get("stdin"), container.get("args")), (None, None));
    assert_eq!(container["securityContext"]["privileged"], false);
    let owned = &created.body["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"];
    assert!(owned["f:replicas"].is_object());
    assert_eq!((owned.get("f:paused"), owned.get("f:minReadySeconds")), (None, None));

    let one = &format!("{deployments}/d");
    let again = cluster.put(&format!("{one}?fieldManager=m"), &sent).await;
    assert_eq!(again.version(), created.version(), "the same body once more");
    let patch = json!({ "spec": { "paused": false, "minReadySeconds": 0 } });
    let patched = cluster.patch(one, MERGE, &patch).await;
    assert_eq!((patched.code, patched.version()), (200, created.version()), "a patch with zeros");
}
