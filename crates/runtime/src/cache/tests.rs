//! Caches against a scripted server: each request gets the next scripted answer.

use portolan_api::resources;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;
use crate::client::{Body, BoxError};

/// One answer: a status and chunks; a stream stays open when `open` is set.
struct Answer {
    code: u16,
    chunks: Vec<String>,
    open: bool,
}

/// Requests that came, and what is still to be answered.
#[derive(Clone)]
struct Script {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    requests: mpsc::UnboundedSender<String>,
}

fn client(answers: Vec<Answer>) -> (Client, mpsc::UnboundedReceiver<String>) {
    let (requests, seen) = mpsc::unbounded_channel();
    let script = Script { answers: Arc::new(Mutex::new(answers.into())), requests };
    let service = tower::service_fn(move |request: Request<Body>| {
        let script = script.clone();
        async move {
            let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
            let _ = script.requests.send(path);
            let answer = script.answers.lock().pop_front();
            let Some(answer) = answer else { return std::future::pending().await };
            Ok::<_, Infallible>(respond(answer))
        }
    });
    (Client::in_process(service), seen)
}

fn respond(answer: Answer) -> Response<Body> {
    let chunks = answer.chunks.into_iter().map(|chunk| Ok::<_, BoxError>(Frame::data(Bytes::from(chunk))));
    let chunks = futures::stream::iter(chunks);
    let body = if answer.open {
        StreamBody::new(chunks.chain(futures::stream::pending())).boxed_unsync()
    } else {
        StreamBody::new(chunks).boxed_unsync()
    };
    Response::builder().status(answer.code).body(body).expect("a valid response")
}

fn config_map(name: &str, version: u64, data: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "k": data },
        "metadata": { "namespace": "n", "name": name, "resourceVersion": version.to_string(),
            "managedFields": [{ "manager": "kubectl" }] } })
}

fn event(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({ "type": kind, "object": object }))
}

fn end_of_initial_events(version: u64) -> String {
    let annotations = json!({ "k8s.io/initial-events-end": "true" });
    let metadata = json!({ "resourceVersion": version.to_string(), "annotations": annotations });
    event("BOOKMARK", &json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata }))
}

fn list(version: u64, items: &[Value]) -> Answer {
    let body = json!({ "metadata": { "resourceVersion": version.to_string() }, "items": items });
    Answer { code: 200, chunks: vec![body.to_string()], open: false }
}

fn stream(chunks: Vec<String>, open: bool) -> Answer {
    Answer { code: 200, chunks, open }
}

fn refused() -> Answer {
    let status = portolan_object::Status::new(422, "Invalid", "sendInitialEvents is forbidden for watch");
    Answer { code: 422, chunks: vec![status.to_value().to_string()], open: false }
}

fn gone() -> String {
    event("ERROR", &portolan_object::Status::new(410, "Expired", "too old resource version").to_value())
}

struct Watched {
    cache: Cache<Object>,
    log: Arc<Mutex<Vec<String>>>,
    requests: mpsc::UnboundedReceiver<String>,
    _scope: Shutdown,
}

fn watched(answers: Vec<Answer>) -> Watched {
    let (client, requests) = client(answers);
    let scope = Shutdown::new();
    let resource = Resource::from(resources::CONFIG_MAP);
    let cache = Cache::of_objects(&client, resource)
        .index("data", |_, object| vec![object.str_at(&["data", "k"]).to_owned()])
        .start(&scope);
    let log = Arc::new(Mutex::new(Vec::new()));
    let sink = log.clone();
    cache.observe(move |change| {
        let data = |side: &Option<Arc<Object>>| match side {
            Some(object) => object.str_at(&["data", "k"]).to_owned(),
            None => "-".to_owned(),
        };
        sink.lock().push(format!("{} {}>{}", change.key.name, data(&change.old), data(&change.new)));
    });
    Watched { cache, log, requests, _scope: scope }
}

impl Watched {
    /// Waits until this many changes were announced.
    async fn changes(&self, count: usize) -> Vec<String> {
        let reached = async {
            while self.log.lock().len() < count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(120), reached).await;
        self.log.lock().clone()
    }

    fn paths(&mut self) -> Vec<String> {
        let mut paths = Vec::new();
        while let Ok(path) = self.requests.try_recv() {
            paths.push(path);
        }
        paths
    }
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_goes_over_into_the_watch() {
    let chunks = vec![
        event("ADDED", &config_map("b", 2, "1")),
        event("ADDED", &config_map("a", 1, "1")),
        end_of_initial_events(5),
        event("MODIFIED", &config_map("a", 6, "2")),
        event("DELETED", &config_map("b", 7, "1")),
    ];
    let mut watched = watched(vec![stream(chunks, true)]);
    assert!(watched.cache.synced().await);
    let mut changes = watched.changes(4).await;
    changes[..2].sort();
    assert_eq!(changes, ["a ->1", "b ->1", "a 1>2", "b 1>-"]);
    let key = ObjectKey::namespaced("n", "a");
    let object = watched.cache.get(&key).expect("a is there");
    assert_eq!(object.at(&["metadata", "managedFields"]), None, "trimmed");
    assert_eq!(watched.cache.keys_by_index("data", "2"), [key]);
    let paths = watched.paths();
    assert_eq!(paths.len(), 1);
    assert!(paths[0].contains("sendInitialEvents=true&resourceVersionMatch=NotOlderThan"), "{paths:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_without_streaming_lists_is_listed() {
    let follow = stream(vec![event("ADDED", &config_map("b", 6, "1"))], true);
    let mut watched = watched(vec![refused(), list(5, &[config_map("a", 1, "1")]), follow]);
    assert_eq!(watched.changes(2).await, ["a ->1", "b ->1"]);
    let paths = watched.paths();
    assert!(paths[1].ends_with("configmaps?limit=500"), "{paths:?}");
    assert!(paths[2].ends_with("&resourceVersion=5"), "{paths:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ignores_the_wish_for_streaming_is_listed() {
    let silent = stream(vec![event("ADDED", &config_map("a", 1, "1"))], true);
    let watched = watched(vec![silent, list(5, &[config_map("a", 1, "1")])]);
    assert!(watched.cache.synced().await);
    assert_eq!(watched.changes(1).await, ["a ->1"]);
}

#[tokio::test(start_paused = true)]
async fn an_ended_watch_resumes_after_the_last_event() {
    let first = stream(vec![end_of_initial_events(5), event("ADDED", &config_map("a", 6, "1"))], false);
    let second = stream(vec![event("MODIFIED", &config_map("a", 8, "2"))], true);
    let mut watched = watched(vec![first, second]);
    assert_eq!(watched.changes(2).await, ["a ->1", "a 1>2"]);
    assert!(watched.paths()[1].ends_with("&resourceVersion=6"));
}

#[tokio::test(start_paused = true)]
async fn expired_history_is_listed_again_and_only_differences_are_announced() {
    let first = vec![
        event("ADDED", &config_map("a", 1, "1")),
        event("ADDED", &config_map("b", 2, "1")),
        event("ADDED", &config_map("c", 3, "1")),
        end_of_initial_events(5),
        gone(),
    ];
    let second = vec![
        event("ADDED", &config_map("a", 1, "1")),
        event("ADDED", &config_map("b", 9, "2")),
        end_of_initial_events(9),
    ];
    let watched = watched(vec![stream(first, true), stream(second, true)]);
    let changes = watched.changes(5).await;
    assert_eq!(changes[3..], ["b 1>2", "c 1>-"]);
    assert_eq!(watched.cache.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn losing_contact_keeps_the_state() {
    let first = stream(vec![event("ADDED", &config_map("a", 1, "1")), end_of_initial_events(5)], false);
    let failed = || Answer { code: 503, chunks: vec!["no".to_owned()], open: false };
    let watched = watched(vec![first, failed(), failed()]);
    assert!(watched.cache.synced().await);
    let troubled = async {
        while watched.cache.trouble().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), troubled).await.expect("trouble is told");
    assert_eq!(watched.cache.len(), 1);
    assert_eq!(watched.changes(1).await, ["a ->1"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_may_come_in_pieces() {
    let whole = event("ADDED", &config_map("a", 6, "1"));
    let (head, tail) = whole.split_at(40);
    let chunks = vec![end_of_initial_events(5), head.to_owned(), tail.to_owned()];
    let watched = watched(vec![stream(chunks, true)]);
    assert_eq!(watched.changes(1).await, ["a ->1"]);
}
