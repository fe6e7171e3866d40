//! A corpus of requests for which the embedded API server and kube-apiserver must give the same answers.
//!
//! [`corpus`] has the cases: hand-written sequences (`sequences`), the life of one object of each kind (`lives`), and bodies
//! with one fault each (`faults`), both generated from the table in `kinds`. Cases are sent in order, so a case may depend
//! on those before it. [`normal`] takes out of an answer what differs between two runs of one server. [`listed`] reads
//! the differences that are known, with their reasons, from `docs/conformance/parity.md`.

// A table may be long.
#![allow(clippy::too_many_lines)]

mod faults;
mod kinds;
pub mod listed;
mod lives;
pub mod normal;
mod sequences;

use serde_json::{Value, json};

use crate::proxy::{Proxy, Reply, Request};

/// Namespace of all objects.
const NAMESPACE: &str = "parity";

const JSON: &str = "application/json";
const JSON_PATCH: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
const PARTIAL: &str = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
const PARTIAL_LIST: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

/// As `resourceVersion` or `uid` in a body: that of the object at the path, when the request is sent.
const CURRENT: &str = "{current}";

/// One request with its name.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it is about, unique in the corpus.
    pub name: String,
    /// What is sent.
    pub request: Request,
}

/// All cases in the order in which they are to be sent.
pub fn corpus() -> Vec<Case> {
    let mut cases: Vec<Case> = kinds::all().iter().flat_map(lives::cases).collect();
    cases.extend(sequences::all());
    cases.extend(kinds::all().iter().flat_map(faults::cases));
    cases
}

/// Sends all cases to a server, after what they need.
pub fn send(proxy: &Proxy, cases: &[Case]) -> Vec<Reply> {
    sequences::set_up(proxy);
    cases.iter().map(|case| proxy.send("", &completed(proxy, &case.request))).collect()
}

/// Writes the version and uid of the stored object into a request that asks for them.
fn completed(proxy: &Proxy, request: &Request) -> Request {
    let mut completed = request.clone();
    let text = request.body.to_string();
    if text.contains(CURRENT) {
        let path = request.path.split('?').next().unwrap_or_default().to_owned();
        let stored = proxy.send("", &read(path, JSON)).body;
        for place in ["/metadata", "/preconditions"] {
            for field in ["resourceVersion", "uid"] {
                let slot = completed.body.pointer_mut(&format!("{place}/{field}"));
                if let Some(slot) = slot.filter(|value| **value == json!(CURRENT)) {
                    *slot = stored["metadata"][field].clone();
                }
            }
        }
    }
    completed
}

fn read(path: String, accept: &'static str) -> Request {
    Request { method: "GET", path, content_type: JSON, accept, body: Value::Null }
}

fn write(method: &'static str, path: String, content_type: &'static str, body: Value) -> Request {
    Request { method, path, content_type, accept: JSON, body }
}
