//! Tables, metadata only, YAML.

use serde_json::json;

use crate::cluster::{CONFIG_MAPS, Cluster, config_map};

const TABLE: (&str, &str) = ("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json");
const METADATA: (&str, &str) = ("accept", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io");
const METADATA_LIST: (&str, &str) =
    ("accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io");

#[tokio::test]
async fn tables_have_columns_and_rows() {
    let cluster = Cluster::start().await;
    cluster.post(CONFIG_MAPS, &config_map("a", "v")).await;
    let list = cluster.send("GET", CONFIG_MAPS, &[TABLE], "").await;
    assert_eq!(list.headers["content-type"], "application/json");
    assert_eq!((&list.body["kind"], &list.body["apiVersion"]), (&json!("Table"), &json!("meta.k8s.io/v1")));
    let columns: Vec<_> =
        list.body["columnDefinitions"].as_array().unwrap().iter().map(|column| &column["name"]).collect();
    assert_eq!(columns, ["Name", "Data", "Age"]);
    let row = &list.body["rows"][0];
    assert_eq!((&row["cells"][0], &row["cells"][1]), (&json!("a"), &json!(1)));
    assert_eq!(
        (&row["object"]["kind"], &row["object"]["metadata"]["name"]),
        (&json!("PartialObjectMetadata"), &json!("a"))
    );
    assert!(row["object"].get("data").is_none());

    let one = format!("{CONFIG_MAPS}/a");
    let whole = cluster.send("GET", &format!("{one}?includeObject=Object"), &[TABLE], "").await;
    assert_eq!(whole.body["rows"][0]["object"]["data"]["k"], "v");
    let nothing = cluster.send("GET", &format!("{one}?includeObject=None"), &[TABLE], "").await;
    assert_eq!(nothing.body["rows"][0]["object"], json!(null));
    let wrong = cluster.send("GET", &format!("{one}?includeObject=Foo"), &[TABLE], "").await;
    assert_eq!(wrong.code, 400);
    let missing = cluster.send("GET", &format!("{CONFIG_MAPS}/z"), &[TABLE], "").await;
    assert_eq!(missing.summary(), "404 NotFound configmaps \"z\" not found", "errors are never tables");
    let made = cluster.send("POST", CONFIG_MAPS, &[TABLE], config_map("b", "v").to_string()).await;
    assert_eq!((made.code, &made.body["kind"]), (201, &json!("Table")));
}

#[tokio::test]
async fn scales_are_tables_too() {
    let cluster = Cluster::start().await;
    let path = "/apis/apps/v1/namespaces/default/deployments";
    let deployment = json!({ "metadata": { "name": "d" }, "spec": { "replicas": 2, "selector": { "matchLabels": { "a": "b" } },
        "template": { "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [{ "name": "c", "image": "i" }] } } } });
    assert_eq!(cluster.post(path, &deployment).await.code, 201);
    let table = cluster.send("GET", &format!("{path}/d/scale"), &[TABLE], "").await.body;
    let columns: Vec<_> =
        table["columnDefinitions"].as_array().unwrap().iter().map(|column| &column["name"]).collect();
    assert_eq!(columns, ["Name", "Desired", "Available", "Age"]);
    assert_eq!(table["rows"][0]["cells"].as_array().unwrap()[..3], [json!("d"), json!(2), json!(0)]);
}

#[tokio::test]
async fn objects_are_served_as_metadata_only() {
    let cluster = Cluster::start().await;
    cluster.post(CONFIG_MAPS, &config_map("a", "v")).await;
    let one = cluster.send("GET", &format!("{CONFIG_MAPS}/a"), &[METADATA], "").await.body;
    assert_eq!(
        (&one["kind"], &one["apiVersion"]),
        (&json!("PartialObjectMetadata"), &json!("meta.k8s.io/v1"))
    );
    assert_eq!(one.as_object().unwrap().len(), 3);
    let list = cluster.send("GET", CONFIG_MAPS, &[METADATA_LIST], "").await.body;
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(list["items"][0], one);
    let wrong = cluster.send("GET", CONFIG_MAPS, &[METADATA], "").await;
    assert_eq!(
        wrong.summary(),
        "406 NotAcceptable you requested PartialObjectMetadata, but the requested object is a list (*core.ConfigMapList)"
    );
}

#[tokio::test]
async fn yaml_and_pretty_json() {
    let cluster = Cluster::start().await;
    cluster.post(CONFIG_MAPS, &config_map("a", "v")).await;
    let one = format!("{CONFIG_MAPS}/a");
    let yaml = cluster.send("GET", &one, &[("accept", "application/yaml")], "").await;
    assert_eq!(yaml.headers["content-type"], "application/yaml");
    assert!(yaml.text.contains("\nkind: ConfigMap\n"), "{}", yaml.text);
    let pretty = cluster.get(&format!("{CONFIG_MAPS}?pretty=true")).await;
    assert!(pretty.text.starts_with("{\n  \"apiVersion\": \"v1\",\n"));
    assert!(cluster.get(&one).await.text.ends_with("}\n"));
}

#[tokio::test]
async fn large_lists_are_compressed() {
    let cluster = Cluster::start().await;
    for name in ["a", "b"] {
        cluster.post(CONFIG_MAPS, &config_map(name, &"x".repeat(100_000))).await;
    }
    let gzip = [("accept-encoding", "gzip")];
    let list = cluster.send("GET", CONFIG_MAPS, &gzip, "").await;
    assert_eq!(
        (&list.headers["content-encoding"], &list.headers["vary"]),
        (&"gzip".parse().unwrap(), &"Accept-Encoding".parse().unwrap())
    );
    let one = cluster.send("GET", &format!("{CONFIG_MAPS}/a"), &gzip, "").await;
    assert!(!one.headers.contains_key("content-encoding"));
}
