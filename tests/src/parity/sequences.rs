//! Hand-written cases: what the generated ones do not reach.

mod custom;
mod discovery;
mod options;
mod ownership;
mod questions;

use serde_json::{Value, json};

use super::{CURRENT, Case, JSON, MERGE, NAMESPACE, read, write};
use crate::eventually;
use crate::proxy::{Proxy, Request};

const CONFIG_MAPS: &str = "/api/v1/namespaces/parity/configmaps";
const PODS: &str = "/api/v1/namespaces/parity/pods";
const WIDGETS: &str = "/apis/parity.example.org/v1/namespaces/parity/widgets";

/// All sequences.
pub(super) fn all() -> Vec<Case> {
    let mut cases = options::cases();
    cases.extend(ownership::cases());
    cases.extend(custom::cases());
    cases.extend(questions::cases());
    cases.extend(discovery::cases());
    cases
}

/// Creates the namespace and the custom kind of the cases, and waits until both can be used.
///
/// # Panics
/// When a server does not serve them within the deadline.
pub(super) fn set_up(proxy: &Proxy) {
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } });
    let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default" } });
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    for (path, object) in [
        ("/api/v1/namespaces", namespace),
        ("/api/v1/namespaces/parity/serviceaccounts", account),
        (definitions, custom::definition()),
    ] {
        let request = write("POST", path.to_owned(), JSON, object);
        eventually(path, || {
            let reply = proxy.send("", &request);
            if matches!(reply.code, 201 | 409) {
                Ok(())
            } else {
                Err(format!("{} {}", reply.code, reply.body))
            }
        });
    }
    let widget =
        json!({ "apiVersion": "parity.example.org/v1", "kind": "Widget", "metadata": { "name": "first" } });
    let request = write("POST", format!("{WIDGETS}?dryRun=All"), JSON, widget);
    eventually("the custom kind", || {
        let reply = proxy.send("", &request);
        if reply.code == 201 { Ok(()) } else { Err(format!("{} {}", reply.code, reply.body)) }
    });
}

/// Names the requests of one sequence.
fn sequence(name: &str, requests: Vec<(&str, Request)>) -> Vec<Case> {
    requests.into_iter().map(|(step, request)| Case { name: format!("{name}: {step}"), request }).collect()
}

fn get(path: impl Into<String>) -> Request {
    read(path.into(), JSON)
}

fn post(path: impl Into<String>, body: Value) -> Request {
    write("POST", path.into(), JSON, body)
}

fn put(path: impl Into<String>, body: Value) -> Request {
    write("PUT", path.into(), JSON, body)
}

fn merge(path: impl Into<String>, body: Value) -> Request {
    write("PATCH", path.into(), MERGE, body)
}

fn delete(path: impl Into<String>, body: Value) -> Request {
    write("DELETE", path.into(), JSON, body)
}

fn config_map(name: &str, labels: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "labels": labels }, "data": { "k": name } })
}
