//! Bodies of create: metadata, unknown fields, types, options.

use serde_json::json;

use crate::cluster::{CONFIG_MAPS, Cluster, check, config_map};

const YAML: &[(&str, &str)] = &[("content-type", "application/yaml")];

#[tokio::test]
async fn invalid_bodies_are_refused() {
    let cluster = Cluster::start().await;
    let large = format!(r#"{{"metadata":{{"name":"{}"}}}}"#, "x".repeat(3 << 20));
    let create = |body: &'static str| body;
    let subdomain = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
        and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
        '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    let bad_name = format!(
        "422 Invalid ConfigMap \"A_b\" is invalid: metadata.name: Invalid value: \"A_b\": {subdomain}"
    );
    let strict = &format!("{CONFIG_MAPS}?fieldValidation=Strict");
    let rows = [
        ("created", "POST", CONFIG_MAPS, &[][..], create(r#"{"metadata":{"name":"a"}}"#), "201 ConfigMap a"),
        (
            "taken",
            "POST",
            CONFIG_MAPS,
            &[],
            r#"{"metadata":{"name":"a"}}"#,
            "409 AlreadyExists configmaps \"a\" already exists",
        ),
        (
            "no name",
            "POST",
            CONFIG_MAPS,
            &[],
            r#"{"metadata":{}}"#,
            "422 Invalid ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required",
        ),
        ("bad name", "POST", CONFIG_MAPS, &[], r#"{"metadata":{"name":"A_b"}}"#, &bad_name),
        (
            "version",
            "POST",
            CONFIG_MAPS,
            &[],
            r#"{"metadata":{"name":"b","resourceVersion":"5"}}"#,
            "500  resourceVersion should not be set on objects to be created",
        ),
        (
            "other namespace",
            "POST",
            CONFIG_MAPS,
            &[],
            r#"{"metadata":{"name":"b","namespace":"x"}}"#,
            "400 BadRequest the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            "missing namespace",
            "POST",
            "/api/v1/namespaces/nons/configmaps",
            &[],
            r#"{"metadata":{"name":"b"}}"#,
            "404 NotFound namespaces \"nons\" not found",
        ),
        (
            "other kind",
            "POST",
            CONFIG_MAPS,
            &[],
            r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"b"}}"#,
            "400 BadRequest Secret in version \"v1\" cannot be handled as a ConfigMap: \
             converting (v1.Secret) to (core.ConfigMap): unknown conversion",
        ),
        (
            "broken",
            "POST",
            CONFIG_MAPS,
            &[],
            r#"{"a":"#,
            "400 BadRequest the object provided is unrecognized (must be of type ConfigMap): \
             couldn't get version/kind; json parse error: unexpected end of JSON input ({\"a\":)",
        ),
        (
            "nothing",
            "POST",
            CONFIG_MAPS,
            &[],
            "",
            "400 BadRequest the object provided is unrecognized (must be of type ConfigMap): \
             couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)",
        ),
        (
            "wrong type",
            "POST",
            CONFIG_MAPS,
            &[],
            r#"{"metadata":{"name":"b"},"data":5}"#,
            "400 BadRequest ConfigMap in version \"v1\" cannot be handled as a ConfigMap: \
             json: cannot unmarshal number into Go struct field ConfigMap.data of type map[string]string",
        ),
        (
            "unknown and repeated fields",
            "POST",
            strict,
            &[],
            r#"{"metadata":{"name":"b","foo":1,"name":"b"},"bogus":1}"#,
            "400 BadRequest ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: \
             unknown field \"metadata.foo\", duplicate field \"metadata.name\", unknown field \"bogus\"",
        ),
        (
            "plain text",
            "POST",
            CONFIG_MAPS,
            &[("content-type", "text/plain")],
            "{}",
            "415 UnsupportedMediaType the body of the request was in an unknown format - accepted media types include: \
             application/json, application/yaml, application/vnd.kubernetes.protobuf",
        ),
        (
            "yaml",
            "POST",
            CONFIG_MAPS,
            YAML,
            "metadata:\n  name: from-yaml\ndata:\n  a: b\n",
            "201 ConfigMap from-yaml",
        ),
        (
            "too large",
            "POST",
            CONFIG_MAPS,
            &[],
            &large,
            "413 RequestEntityTooLarge Request entity too large: limit is 3145728",
        ),
        (
            "field validation",
            "POST",
            &format!("{CONFIG_MAPS}?fieldValidation=Foo"),
            &[],
            "{}",
            "422 Invalid CreateOptions.meta.k8s.io \"\" is invalid: fieldValidation: Unsupported value: \"Foo\": \
             supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"",
        ),
        (
            "dry run",
            "POST",
            &format!("{CONFIG_MAPS}?dryRun=foo"),
            &[],
            "{}",
            "422 Invalid CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"foo\"]: \
             supported values: \"All\"",
        ),
    ];
    check(&cluster, &rows).await;
}

#[tokio::test]
async fn the_server_owns_metadata_fields() {
    let cluster = Cluster::start().await;
    let mut sent = config_map("a", "v");
    sent["metadata"]["uid"] = json!("mine");
    sent["metadata"]["creationTimestamp"] = json!("2000-01-01T00:00:00Z");
    sent["metadata"]["deletionTimestamp"] = json!("2000-01-01T00:00:00Z");
    sent["metadata"]["generation"] = json!(7);
    let made = cluster.post(CONFIG_MAPS, &sent).await;
    let metadata = &made.body["metadata"];
    assert_eq!(metadata["uid"].as_str().unwrap().len(), 36);
    assert_eq!(metadata["namespace"], "default");
    assert!(metadata["creationTimestamp"] != "2000-01-01T00:00:00Z");
    assert!(metadata.get("deletionTimestamp").is_none() && metadata.get("generation").is_none());
    let owned = json!({ "f:data": { ".": {}, "f:k": {} } });
    assert_eq!(metadata["managedFields"][0]["fieldsV1"], owned);
    assert_eq!(metadata["managedFields"][0]["manager"], "tester");
    assert_eq!(cluster.get(&format!("{CONFIG_MAPS}/a")).await.body, made.body);
}

#[tokio::test]
async fn names_are_generated() {
    let cluster = Cluster::start().await;
    let body = json!({ "metadata": { "generateName": "cm-" } });
    let first = cluster.post(CONFIG_MAPS, &body).await.body["metadata"]["name"].clone();
    let second = cluster.post(CONFIG_MAPS, &body).await.body["metadata"]["name"].clone();
    assert_ne!(first, second);
    assert_eq!(first.as_str().unwrap().len(), "cm-".len() + 5);
}

#[tokio::test]
async fn unknown_fields_are_warnings_by_default() {
    let cluster = Cluster::start().await;
    let body = r#"{"metadata":{"name":"a","foo":1},"bogus":1,"data":{"a":"1","a":"2"}}"#;
    let answer = cluster.send("POST", CONFIG_MAPS, &[], body).await;
    let want = [
        r#"299 - "unknown field \"metadata.foo\"""#,
        r#"299 - "unknown field \"bogus\"""#,
        r#"299 - "duplicate field \"data.a\"""#,
    ];
    assert_eq!((answer.code, answer.warnings()), (201, want.to_vec()));
    assert_eq!(answer.body["data"]["a"], "2");
    assert!(answer.body.get("bogus").is_none());
    let ignored = cluster
        .send(
            "POST",
            &format!("{CONFIG_MAPS}?fieldValidation=Ignore&dryRun=All"),
            &[],
            body.replace("\"a\"", "\"b\""),
        )
        .await;
    assert_eq!((ignored.code, ignored.warnings().len()), (201, 0));
}

#[tokio::test]
async fn a_dry_run_stores_nothing() {
    let cluster = Cluster::start().await;
    let uri = format!("{CONFIG_MAPS}?dryRun=All");
    let answer = cluster.post(&uri, &config_map("a", "v")).await;
    assert_eq!(answer.code, 201);
    assert!(answer.body["metadata"]["uid"].is_string());
    assert!(answer.body["metadata"].get("resourceVersion").is_none());
    assert_eq!(cluster.get(&format!("{CONFIG_MAPS}/a")).await.code, 404);
    cluster.post(CONFIG_MAPS, &config_map("a", "v")).await;
    assert_eq!(cluster.post(&uri, &config_map("a", "v")).await.code, 409, "names are checked");
    let changed = cluster.put(&format!("{CONFIG_MAPS}/a?dryRun=All"), &config_map("a", "w")).await;
    assert_eq!(changed.body["data"]["k"], "w");
    assert_eq!(cluster.get(&format!("{CONFIG_MAPS}/a")).await.body["data"]["k"], "v");
    assert_eq!(cluster.delete(&format!("{CONFIG_MAPS}/a?dryRun=All")).await.summary(), "200 Status");
    assert_eq!(cluster.get(&format!("{CONFIG_MAPS}/a")).await.code, 200);
}

#[tokio::test]
async fn typed_clients_send_protobuf() {
    let cluster = Cluster::start().await;
    // runtime.Unknown { typeMeta { "v1", "Namespace" }, raw: Namespace { metadata { name: "ns" } } }
    let mut body = b"k8s\0".to_vec();
    body.extend_from_slice(b"\x0a\x0f\x0a\x02v1\x12\x09Namespace\x12\x06\x0a\x04\x0a\x02ns");
    let headers = [("content-type", "application/vnd.kubernetes.protobuf")];
    let answer = cluster.send("POST", "/api/v1/namespaces", &headers, body).await;
    assert_eq!(answer.summary(), "201 Namespace ns", "{}", answer.text);
    assert_eq!(answer.body["status"]["phase"], "Active");
    assert_eq!(answer.body["metadata"]["labels"]["kubernetes.io/metadata.name"], "ns");
}
