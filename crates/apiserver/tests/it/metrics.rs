//! `/metrics` after known requests, and the log line of a request.

use std::io;
use std::sync::{Arc, Mutex};

use portolan_apiserver::{ApiServer, Config};
use portolan_net::telemetry::{Build, Metrics};
use portolan_store::Store;
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use crate::cluster::{CONFIG_MAPS, Cluster, config_map};

async fn reported() -> Cluster {
    let metrics = Some(Metrics::new(Build { version: "1", role: "server" }));
    Cluster::of(ApiServer::start(Config { metrics, ..Config::default() }, Store::in_memory()).await.unwrap())
}

/// The value of a series, named as in the text.
async fn value(cluster: &Cluster, series: &str) -> Option<f64> {
    let text = cluster.get("/metrics").await.text;
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok())
}

fn request(verb: &str, resource: &str, scope: &str, code: u16) -> String {
    format!(
        "apiserver_request_total{{verb=\"{verb}\",group=\"\",version=\"v1\",resource=\"{resource}\",subresource=\"\",\
         scope=\"{scope}\",code=\"{code}\"}}"
    )
}

#[tokio::test]
async fn requests_watches_and_commits_are_counted() {
    let cluster = reported().await;
    let before = value(&cluster, "portolan_store_writes_total").await.unwrap();
    let mut events = cluster.watch(&format!("{CONFIG_MAPS}?watch=true&resourceVersion=0")).await;
    cluster.post(CONFIG_MAPS, &config_map("a", "1")).await;
    cluster.post(CONFIG_MAPS, &config_map("a", "1")).await;
    cluster.get(CONFIG_MAPS).await;
    cluster.get(&format!("{CONFIG_MAPS}/missing")).await;
    cluster.as_user("alice").get(CONFIG_MAPS).await;
    assert_eq!(events.summary().await, "ADDED a(1)");
    let counts = [
        // One is the server's own, from its start.
        (request("POST", "configmaps", "namespace", 201), 2.0),
        (request("POST", "configmaps", "namespace", 409), 1.0),
        (request("LIST", "configmaps", "namespace", 200), 1.0),
        // One is the server's own, from its start.
        (request("GET", "configmaps", "resource", 404), 2.0),
        (request("WATCH", "configmaps", "namespace", 200), 1.0),
        ("portolan_store_writes_total".to_owned(), before + 1.0),
        ("portolan_store_conflicts_total".to_owned(), 0.0),
    ];
    for (series, count) in counts {
        assert_eq!(value(&cluster, &series).await, Some(count), "{series}");
    }
    let forbidden = "apiserver_request_total{verb=\"LIST\",group=\"\",version=\"\",resource=\"\"";
    let text = cluster.get("/metrics").await.text;
    assert!(text.lines().any(|line| line.starts_with(forbidden) && line.contains("code=\"403\"")), "{text}");
    let watches = "apiserver_longrunning_requests{verb=\"WATCH\",group=\"\",version=\"v1\",resource=\"configmaps\",\
                   scope=\"namespace\"}";
    assert_eq!(value(&cluster, watches).await, Some(1.0));
    let sent = "apiserver_watch_events_total{group=\"\",version=\"v1\",resource=\"configmaps\"}";
    assert_eq!(value(&cluster, sent).await, Some(1.0));
    drop(events);
    assert_eq!(value(&cluster, watches).await, Some(0.0));
    let in_flight = "apiserver_current_inflight_requests{request_kind=\"readOnly\"}";
    assert_eq!(value(&cluster, in_flight).await, Some(1.0), "the scrape itself");
}

#[tokio::test]
async fn only_who_may_get_the_path_reads_the_metrics() {
    let cluster = reported().await;
    assert_eq!(cluster.as_user("alice").get("/metrics").await.code, 403);
    assert_eq!(Cluster::start().await.get("/metrics").await.code, 404, "a server that is not reported");
}

#[tokio::test]
async fn names_that_clients_choose_add_no_series() {
    let cluster = reported().await;
    let request_unknown = async || {
        for number in 0..20 {
            cluster.get(&format!("/apis/group{number}.example.com/v1/things")).await;
            cluster.get(&format!("/path/{number}")).await;
            cluster.get(&format!("/api/v1/namespaces/default/pods/a/part{number}")).await;
            cluster.get(&format!("{CONFIG_MAPS}/name{number}")).await;
        }
        cluster.get("/metrics").await.text.lines().filter(|line| line.starts_with("apiserver_")).count()
    };
    // The first scrape is a request with a series of its own.
    request_unknown().await;
    let first = request_unknown().await;
    let second = request_unknown().await;
    assert_eq!(first, second);
    assert!(first < 400, "{first} lines");
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Buffer {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_request_is_one_log_line_without_secrets() {
    let buffer = Buffer::default();
    // For the whole process: other tests write to it as well, and the names below are only used here.
    tracing_subscriber::fmt().json().with_max_level(tracing::Level::DEBUG).with_writer(buffer.clone()).init();
    let cluster = Cluster::start().await;
    let secret = json!({ "metadata": { "name": "logged" }, "stringData": { "password": "hunter2" } });
    let headers = [("content-type", "application/json"), ("authorization", "Bearer abc.def.ghi")];
    let path = "/api/v1/namespaces/default/secrets";
    assert_eq!(cluster.send("POST", path, &headers, secret.to_string()).await.code, 201);
    assert_eq!(cluster.get(&format!("{path}/logged")).await.code, 200);
    let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
    assert!(!text.contains("hunter2") && !text.contains("abc.def"), "{text}");
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let line = lines.find(|line| line["fields"]["name"] == "logged").expect("a line");
    let fields = &line["fields"];
    assert_eq!(line["level"], "DEBUG");
    assert_eq!(fields["message"], "request answered");
    for (field, want) in [
        ("verb", json!("get")),
        ("resource", json!("secrets")),
        ("namespace", json!("default")),
        ("user", json!("admin")),
        ("code", json!(200)),
    ] {
        assert_eq!(fields[field], want, "{field}");
    }
    assert!(fields["duration_ms"].is_u64());
}
