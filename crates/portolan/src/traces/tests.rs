//! A collector on loopback sees how a write to the control plane becomes a write to a member.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use portolan_controlplane::StateDirectory;
use portolan_net::{Clock, Shutdown, TraceContext};
use portolan_object::{Object, ObjectKey};
use portolan_playground::config::Config;
use portolan_playground::federation::{Options, Playground};
use portolan_runtime::Resource;
use serde_json::{Value, json};
use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;

use super::Exporter;
use crate::collector_endpoint::parse_endpoint;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CLIENT_SPAN: &str = "b7ad6b7169203331";

/// An exported span.
#[derive(Debug, Clone, Default)]
struct Span {
    trace: String,
    id: String,
    parent: String,
    name: String,
    attributes: HashMap<String, String>,
}

impl Span {
    fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map(String::as_str).unwrap_or_default()
    }

    /// The name, and the attributes that tell spans of one name apart.
    fn title(&self) -> String {
        let names = ["controller", "verb", "resource"];
        let values = names.iter().map(|name| self.attribute(name)).filter(|value| !value.is_empty());
        std::iter::once(&*self.name).chain(values).collect::<Vec<_>>().join(" ")
    }
}

/// The fields of a protobuf message that have a length: number and content.
fn fields(mut message: &[u8]) -> Vec<(u64, &[u8])> {
    fn varint(message: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (byte, rest) = message.split_first().expect("a whole message");
            *message = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let length = match tag & 7 {
            0 => {
                varint(&mut message);
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut message)).expect("a length"),
            5 => 4,
            kind => panic!("wire type {kind}"),
        };
        let (content, rest) = message.split_at(length);
        message = rest;
        if tag & 7 == 2 {
            found.push((tag >> 3, content));
        }
    }
    found
}

/// The spans of an ExportTraceServiceRequest (opentelemetry/proto/trace/v1/trace.proto).
fn spans(request: &[u8]) -> Vec<Span> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let within = |messages: Vec<(u64, &'_ [u8])>, number: u64| -> Vec<Vec<u8>> {
        let of_number = messages.into_iter().filter(|(found, _)| *found == number);
        of_number.map(|(_, content)| content.to_vec()).collect()
    };
    let mut found = Vec::new();
    let resources = within(fields(request), 1);
    let scopes = resources.iter().flat_map(|resource| within(fields(resource), 2)).collect::<Vec<_>>();
    for message in scopes.iter().flat_map(|scope| within(fields(scope), 2)) {
        let mut span = Span::default();
        for (number, content) in fields(&message) {
            match number {
                1 => span.trace = hex(content),
                2 => span.id = hex(content),
                4 => span.parent = hex(content),
                5 => span.name = text(content),
                9 => {
                    let attribute = fields(content);
                    let key = attribute.iter().find(|(number, _)| *number == 1).map(|(_, key)| text(key));
                    let value = attribute.iter().find(|(number, _)| *number == 2);
                    let value =
                        value.and_then(|(_, value)| fields(value).first().map(|(_, value)| text(value)));
                    span.attributes.insert(key.unwrap_or_default(), value.unwrap_or_default());
                }
                _ => {}
            }
        }
        found.push(span);
    }
    found
}

/// Accepts batches of spans until the process ends.
struct Collector {
    url: String,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let received: Arc<Mutex<Vec<Span>>> = Arc::default();
        let collected = received.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (path, body) = Self::receive(&connection.expect("a connection"));
                assert_eq!(path, "/v1/traces");
                collected.lock().expect("not poisoned").extend(spans(&body));
            }
        });
        Self { url, spans: received }
    }

    /// Reads a request and answers it.
    fn receive(mut connection: &TcpStream) -> (String, Vec<u8>) {
        let mut reader = BufReader::new(connection);
        let (mut path, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a line");
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("post ") {
                rest.split(' ').next().unwrap_or_default().clone_into(&mut path);
            } else if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            } else if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a body");
        connection
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .expect("answered");
        (path, body)
    }

    fn spans(&self) -> Vec<Span> {
        self.spans.lock().expect("not poisoned").clone()
    }
}

fn object(value: Value) -> Object {
    serde_json::from_value(value).expect("an object")
}

/// Creates a policy for a ConfigMap; then, within a trace, the ConfigMap; and waits until a member has it.
async fn propagate_within_trace(playground: &Playground) {
    let policies =
        Resource::namespaced("policy.karmada.io", "v1alpha1", "PropagationPolicy", "propagationpolicies");
    let policy = object(json!({
        "apiVersion": "policy.karmada.io/v1alpha1", "kind": "PropagationPolicy",
        "metadata": {"name": "traced", "namespace": "default"},
        "spec": {
            "resourceSelectors": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "traced"}],
            "placement": {"clusterAffinity": {"clusterNames": ["member1"]}},
        },
    }));
    playground.hub.resource(&policies).create(&policy).await.expect("a policy");
    let config_maps = Resource::namespaced("", "v1", "ConfigMap", "configmaps");
    let config_map = object(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "traced", "namespace": "default"},
        "data": {"key": "value"},
    }));
    let traceparent = format!("00-{TRACE}-{CLIENT_SPAN}-01");
    let headers = HeaderMap::from_iter([(
        http::HeaderName::from_static("traceparent"),
        HeaderValue::from_str(&traceparent).expect("a value"),
    )]);
    let client_span = tracing::debug_span!("client");
    TraceContext::from_headers(&headers).expect("valid").set_parent_of(&client_span);
    let hub = playground.hub.resource(&config_maps);
    hub.create(&config_map).instrument(client_span).await.expect("a ConfigMap");
    let member = playground.member("member1").await.expect("a member");
    let member = member.resource::<Object>(&config_maps);
    let key = ObjectKey::namespaced("default", "traced");
    let arrived = async {
        while member.get(&key).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), arrived).await.expect("the member has the ConfigMap");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_from_the_write_to_the_control_plane_to_the_write_to_the_member() {
    let collector = Collector::start();
    let exporter = Exporter::start(&parse_endpoint(&collector.url).expect("a URL"), "test").expect("started");
    let subscriber = tracing_subscriber::registry().with(exporter.layer());
    tracing::subscriber::set_global_default(subscriber).expect("the only subscriber of this process");

    let (directory, scope) = (tempfile::tempdir().expect("a directory"), Shutdown::new());
    let state = StateDirectory::open(directory.path()).expect("a state directory");
    let config = Config::default().complete().expect("valid");
    let options = Options::new(Clock::system());
    let playground = Playground::start(&config, &state, &options, &scope).await.expect("started");
    playground.ready().await.expect("ready");
    propagate_within_trace(&playground).await;
    playground.stop(&scope, Duration::from_secs(5)).await;
    tokio::task::spawn_blocking(|| exporter.stop()).await.expect("stopped");

    let spans = collector.spans();
    let paths = paths(&spans);
    let member_write =
        paths.iter().find(|path| path.ends_with("> reconcile works > request create configmaps"));
    let member_write = member_write.unwrap_or_else(|| panic!("no write to the member in {paths:#?}"));
    assert!(member_write.starts_with("client > request create configmaps > "), "{member_write}");
    for pass in ["> reconcile templates >", "> reconcile bindings >"] {
        assert!(member_write.contains(pass), "{member_write}");
    }
}

/// The spans of the trace from the client to each request.
fn paths(spans: &[Span]) -> Vec<String> {
    let in_trace = spans.iter().filter(|span| span.trace == TRACE);
    let in_trace: HashMap<&str, &Span> = in_trace.map(|span| (&*span.id, span)).collect();
    let path_to = |request: &Span| {
        let mut path = vec![request.title()];
        let mut parent = &request.parent;
        while let Some(span) = in_trace.get(&**parent) {
            path.push(span.title());
            parent = &span.parent;
        }
        path.reverse();
        path.join(" > ")
    };
    in_trace.values().filter(|span| span.name == "request").map(|request| path_to(request)).collect()
}
