//! The audit log: which requests are recorded, and how much of them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use portolan_apiserver::audit::{Audit, LogSettings, Policy};
use portolan_apiserver::{ApiServer, Config};
use portolan_store::Store;
use serde_json::{Value, json};

use crate::cluster::{CONFIG_MAPS, Cluster, config_map};

const SECRETS: &str = "/api/v1/namespaces/default/secrets";
const POLICY: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, users: ['system:apiserver']}
- {level: Metadata, resources: [{resources: [secrets]}]}
- {level: RequestResponse, verbs: [create], omitManagedFields: true}
- {level: Request}
";

/// A cluster with an audit log, its file, and the folder that holds it.
async fn start() -> (Cluster, PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let settings = LogSettings { path: path.clone(), max_bytes: 1 << 20, max_backups: 1 };
    let audit = Audit::open(Policy::parse(POLICY).unwrap(), settings).unwrap();
    let config = Config { audit: Some(audit), ..Config::default() };
    (Cluster::of(ApiServer::start(config, Store::in_memory()).await.unwrap()), path, folder)
}

/// The first event that `is_wanted` accepts.
async fn event(path: &PathBuf, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let end = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let text = fs::read_to_string(path).unwrap();
        let events: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if let Some(found) = events.iter().find(|event| is_wanted(event)) {
            return found.clone();
        }
        assert!(tokio::time::Instant::now() < end, "{text}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_write_is_recorded_as_far_as_the_policy_says() {
    let (cluster, path, _folder) = start().await;
    let made =
        cluster.send("POST", CONFIG_MAPS, &[("audit-id", "mine")], config_map("a", "v").to_string()).await;
    assert_eq!((made.code, made.headers["audit-id"].to_str().unwrap()), (201, "mine"));
    let seen = event(&path, |event| event["auditID"] == "mine").await;
    assert_eq!(
        (&seen["kind"], &seen["level"], &seen["stage"], &seen["verb"]),
        (&json!("Event"), &json!("RequestResponse"), &json!("ResponseComplete"), &json!("create"))
    );
    assert_eq!(
        seen["user"],
        json!({ "username": "admin", "groups": ["system:masters", "system:authenticated"] })
    );
    assert_eq!(
        seen["objectRef"],
        json!({ "resource": "configmaps", "namespace": "default", "name": "a", "apiVersion": "v1" })
    );
    assert_eq!(seen["requestObject"]["data"], json!({ "k": "v" }));
    assert_eq!(seen["responseObject"]["metadata"]["uid"], made.body["metadata"]["uid"]);
    assert_eq!(seen["responseObject"]["metadata"].get("managedFields"), None);
    assert_eq!(seen["responseStatus"], json!({ "metadata": {}, "code": 201 }));
    assert_eq!(seen["annotations"]["authorization.k8s.io/decision"], "allow");
    assert_eq!((&seen["userAgent"], &seen["requestURI"]), (&json!("tester/1"), &json!(CONFIG_MAPS)));
}

#[tokio::test]
async fn the_content_of_secrets_is_not_recorded_at_the_level_of_metadata() {
    let (cluster, path, _folder) = start().await;
    let secret = json!({ "metadata": { "name": "s" }, "stringData": { "password": "hunter2" } });
    assert_eq!(cluster.post(SECRETS, &secret).await.code, 201);
    assert_eq!(cluster.get(&format!("{SECRETS}/s")).await.code, 200);
    let seen = event(&path, |event| event["verb"] == "get" && event["objectRef"]["name"] == "s").await;
    assert_eq!((seen.get("requestObject"), seen.get("responseObject")), (None, None));
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg=="), "{text}");
}

#[tokio::test]
async fn refusals_and_watches_are_recorded() {
    let (cluster, path, _folder) = start().await;
    let bob = cluster.as_user("bob");
    assert_eq!(bob.get(CONFIG_MAPS).await.code, 403);
    let seen = event(&path, |event| event["user"]["username"] == "bob").await;
    assert_eq!(seen["responseStatus"]["reason"], "Forbidden", "{seen}");
    assert_eq!(seen["annotations"]["authorization.k8s.io/decision"], "forbid");
    let headers = [("impersonate-user", "carol")];
    assert_eq!(cluster.send("GET", CONFIG_MAPS, &headers, "").await.code, 403);
    let seen = event(&path, |event| event["impersonatedUser"]["username"] == "carol").await;
    assert_eq!(seen["user"]["username"], "admin");
    let watch = cluster.watch(&format!("{CONFIG_MAPS}?watch=1&timeoutSeconds=100")).await;
    let is_watch = |event: &Value, stage: &str| event["verb"] == "watch" && event["stage"] == stage;
    event(&path, |event| is_watch(event, "ResponseStarted")).await;
    drop(watch);
    event(&path, |event| is_watch(event, "ResponseComplete")).await;
}

#[tokio::test]
async fn bodies_in_yaml_are_recorded_as_objects() {
    let (cluster, path, _folder) = start().await;
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {k: v}\n";
    let made = cluster.send("POST", CONFIG_MAPS, &[("content-type", "application/yaml")], yaml).await;
    assert_eq!(made.code, 201, "{}", made.text);
    let seen = event(&path, |event| event["objectRef"]["name"] == "one").await;
    assert_eq!(seen["requestObject"]["data"], json!({ "k": "v" }));
    let applied = format!("{CONFIG_MAPS}/two?fieldManager=m");
    let made = cluster
        .send("PATCH", &applied, &[crate::cluster::APPLY], yaml.replace("name: one", "name: two"))
        .await;
    assert_eq!(made.code, 201, "{}", made.text);
    let seen = event(&path, |event| event["verb"] == "patch" && event["objectRef"]["name"] == "two").await;
    assert_eq!(seen["requestObject"]["metadata"], json!({ "name": "two" }));
}

#[tokio::test]
async fn the_last_events_are_written_before_the_server_has_stopped() {
    let (cluster, path, _folder) = start().await;
    let content = "x".repeat(20_000);
    for index in 0..10 {
        cluster.post(CONFIG_MAPS, &config_map(&format!("last-{index}"), &content)).await;
    }
    cluster.server.stop(Duration::from_secs(5)).await.unwrap();
    let text = fs::read_to_string(&path).unwrap();
    for index in 0..10 {
        let wanted = format!("last-{index}");
        let written = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut completed = written.filter(|event| event["stage"] == "ResponseComplete");
        let found = completed.find(|event| event["objectRef"]["name"] == *wanted);
        assert_eq!(found.unwrap()["responseObject"]["metadata"]["name"], *wanted);
    }
}
