//! What the controllers do not send to a member.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use portolan_apiserver::LocalService;
use portolan_object::Object;
use portolan_runtime::Client;
use portolan_runtime::client::{Body, BoxError};
use serde_json::{Value, json};
use tower::{ServiceExt as _, service_fn};

use crate::federation::{DEPLOYMENT, Federation, deployment, policy};

/// Fields of a Deployment with `omitempty` and no pointer in Go.
const OMITTED_IF_ZERO: [&str; 4] = ["paused", "minReadySeconds", "readOnly", "hostNetwork"];

fn drop_zeros(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let is_zero = |value: &Value| *value == json!(false) || *value == json!(0);
            fields.retain(|name, value| !(OMITTED_IF_ZERO.contains(&name.as_str()) && is_zero(value)));
            fields.values_mut().for_each(drop_zeros);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_zeros),
        _ => {}
    }
}

/// A client of a member that stores objects as a Kubernetes API server does, and that counts updates of the Deployment.
fn client(server: LocalService, updates: Arc<AtomicUsize>) -> Client {
    Client::in_process(service_fn(move |request: Request<Body>| {
        let (server, updates) = (server.clone(), updates.clone());
        async move {
            let (mut parts, body) = request.into_parts();
            let is_update = parts.method == Method::PUT || parts.method == Method::PATCH;
            if is_update && parts.uri.path().ends_with("/deployments/web") {
                updates.fetch_add(1, Ordering::Relaxed);
            }
            let mut bytes = body.collect().await?.to_bytes();
            if let Ok(mut object) = serde_json::from_slice(&bytes) {
                drop_zeros(&mut object);
                bytes = Bytes::from(object.to_string());
                parts.headers.remove(header::CONTENT_LENGTH);
            }
            let body = Full::new(bytes).map_err(|never| match never {}).boxed_unsync();
            server.oneshot(Request::from_parts(parts, body)).await.map_err(BoxError::from)
        }
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn zeros_that_a_member_leaves_out_are_not_written_again() {
    let mut set = Federation::start(&[]).await;
    let updates = Arc::new(AtomicUsize::new(0));
    let counted = updates.clone();
    set.join_behind("eu", |server| client(server, counted)).await;
    set.is_ready("eu").await;

    let mut template = deployment("web", 1);
    template["spec"]["paused"] = json!(false);
    template["spec"]["minReadySeconds"] = json!(0);
    let pod = &mut template["spec"]["template"]["spec"];
    pod["hostNetwork"] = json!(false);
    pod["volumes"] = json!([{ "name": "data", "emptyDir": {} }]);
    pod["containers"][0]["volumeMounts"] =
        json!([{ "name": "data", "mountPath": "/data", "readOnly": false }]);
    set.hub.create(template).await;
    set.hub.create(policy("web", DEPLOYMENT, "web", &["eu"])).await;

    let eu = set.member("eu");
    let copy = eu.when_there(DEPLOYMENT, "default/web").await;
    assert_eq!(copy.at(&["spec", "paused"]), None, "the member leaves zeros out");
    for ready in 1..=6 {
        eu.patch_status(DEPLOYMENT, "default/web", json!({ "status": { "readyReplicas": ready } })).await;
        let has_arrived =
            |template: &Object| template.at(&["status", "readyReplicas"]) == Some(&json!(ready));
        set.hub.when(DEPLOYMENT, "default/web", has_arrived).await;
    }
    assert_eq!(updates.load(Ordering::Relaxed), 0, "six status changes, no write to the member");
}
