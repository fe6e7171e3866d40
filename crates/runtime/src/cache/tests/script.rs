//! A scripted API server: each request gets the next answer of the script.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use portolan_api::resources;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;
use crate::client::{Body, BoxError};

/// One answer of the server.
pub(super) enum Answer {
    /// A status and chunks of a body; the body does not end if `open` is set.
    Http { code: u16, headers: Vec<(&'static str, &'static str)>, chunks: Vec<String>, open: bool },
    /// A stream with a pause before each chunk; the body does not end.
    Slow { chunks: Vec<String>, pause: Duration },
    /// No answer: the connection is refused.
    ConnectionRefused,
}

impl Answer {
    /// Adds a header.
    pub(super) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        if let Self::Http { headers, .. } = &mut self {
            headers.push((name, value));
        }
        self
    }
}

/// Requests that came, and what is still to be answered.
#[derive(Clone)]
struct Script {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    requests: mpsc::UnboundedSender<String>,
}

pub(super) fn client(answers: Vec<Answer>) -> (Client, mpsc::UnboundedReceiver<String>) {
    let (requests, seen) = mpsc::unbounded_channel();
    let script = Script { answers: Arc::new(Mutex::new(answers.into())), requests };
    let service = tower::service_fn(move |request: Request<Body>| {
        let script = script.clone();
        async move {
            let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
            let _ = script.requests.send(path);
            let answer = script.answers.lock().pop_front();
            let Some(answer) = answer else { return std::future::pending().await };
            respond(answer)
        }
    });
    (Client::in_process(service), seen)
}

fn respond(answer: Answer) -> Result<Response<Body>, BoxError> {
    let (code, headers, chunks, open) = match answer {
        Answer::Http { code, headers, chunks, open } => (code, headers, chunks, open),
        Answer::Slow { chunks, pause } => return Ok(slow_response(chunks, pause)),
        Answer::ConnectionRefused => return Err("connection refused".into()),
    };
    let chunks = chunks.into_iter().map(|chunk| Ok::<_, BoxError>(Frame::data(Bytes::from(chunk))));
    let chunks = futures::stream::iter(chunks);
    let body = if open {
        StreamBody::new(chunks.chain(futures::stream::pending())).boxed_unsync()
    } else {
        StreamBody::new(chunks).boxed_unsync()
    };
    let mut response = Response::builder().status(code);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    Ok(response.body(body).expect("a valid response"))
}

fn slow_response(chunks: Vec<String>, pause: Duration) -> Response<Body> {
    let chunks = futures::stream::iter(chunks).then(move |chunk| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, BoxError>(Frame::data(Bytes::from(chunk)))
    });
    let body = StreamBody::new(chunks.chain(futures::stream::pending())).boxed_unsync();
    Response::new(body)
}

pub(super) fn config_map(name: &str, version: u64, data: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "k": data },
        "metadata": { "namespace": "n", "name": name, "resourceVersion": version.to_string(),
            "managedFields": [{ "manager": "kubectl" }] } })
}

pub(super) fn event(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({ "type": kind, "object": object }))
}

pub(super) fn end_of_initial_events(version: u64) -> String {
    let annotations = json!({ "k8s.io/initial-events-end": "true" });
    let metadata = json!({ "resourceVersion": version.to_string(), "annotations": annotations });
    event("BOOKMARK", &json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata }))
}

pub(super) fn list(version: u64, items: &[Value]) -> Answer {
    let body = json!({ "metadata": { "resourceVersion": version.to_string() }, "items": items });
    stream(vec![body.to_string()], false)
}

pub(super) fn stream(chunks: Vec<String>, open: bool) -> Answer {
    Answer::Http { code: 200, headers: Vec::new(), chunks, open }
}

/// A stream with a pause before each chunk, which does not end.
pub(super) fn slow_stream(chunks: Vec<String>, pause: Duration) -> Answer {
    Answer::Slow { chunks, pause }
}

/// An answer of 400 or above.
pub(super) fn failure(code: u16, reason: &str, message: &str) -> Answer {
    let chunks = vec![portolan_object::Status::new(code, reason, message).to_value().to_string()];
    Answer::Http { code, headers: Vec::new(), chunks, open: false }
}

/// The answer of a server without streaming lists.
pub(super) fn refused() -> Answer {
    failure(422, "Invalid", "sendInitialEvents is forbidden for watch")
}

/// An ERROR event.
pub(super) fn error(code: u16, reason: &str, message: &str) -> String {
    event("ERROR", &portolan_object::Status::new(code, reason, message).to_value())
}

pub(super) fn gone() -> String {
    error(410, "Expired", "too old resource version")
}

/// A cache of ConfigMaps, its changes and the requests that it sent.
pub(super) struct Watched {
    pub(super) cache: Cache<Object>,
    log: Arc<Mutex<Vec<String>>>,
    requests: mpsc::UnboundedReceiver<String>,
    _scope: Shutdown,
}

pub(super) fn watched(answers: Vec<Answer>) -> Watched {
    let (client, requests) = client(answers);
    watched_by(client, requests)
}

/// The same with a server that may be restored from a backup.
pub(super) fn watched_remote(answers: Vec<Answer>) -> Watched {
    let (client, requests) = client(answers);
    watched_by(client.into_remote(), requests)
}

fn watched_by(client: Client, requests: mpsc::UnboundedReceiver<String>) -> Watched {
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
    pub(super) async fn changes(&self, count: usize) -> Vec<String> {
        let reached = async {
            while self.log.lock().len() < count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(120), reached).await;
        self.log.lock().clone()
    }

    pub(super) fn paths(&mut self) -> Vec<String> {
        let mut paths = Vec::new();
        while let Ok(path) = self.requests.try_recv() {
            paths.push(path);
        }
        paths
    }
}
