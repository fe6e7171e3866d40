//! EndpointSlices that an importing member refuses.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use portolan_apiserver::LocalService;
use portolan_object::Object;
use portolan_runtime::Client;
use portolan_runtime::client::{Body, BoxError};
use serde_json::{Value, json};
use tower::{Service as _, service_fn};

use crate::federation::{Federation, condition, message};

const EXPORT: &str = "multicluster.x-k8s.io/v1beta1/ServiceExport";
const IMPORT: &str = "multicluster.x-k8s.io/v1beta1/ServiceImport";
const SET: &str = "portolan.dev/v1alpha1/ClusterSet";
const SERVE: &str = "default/serve";

/// A client of a member that refuses all EndpointSlices and counts the attempts.
fn refusing(server: LocalService, attempts: Arc<AtomicUsize>) -> Client {
    Client::in_process(service_fn(move |request: Request<Body>| {
        let is_write = !request.method().is_safe();
        let is_refused = is_write && request.uri().path().contains("/endpointslices");
        let answer = (!is_refused).then(|| server.clone().call(request));
        let attempts = attempts.clone();
        async move {
            if let Some(answer) = answer {
                let answer = answer.await.map_err(|never| match never {})?;
                return Ok::<_, BoxError>(answer.map(BodyExt::boxed_unsync));
            }
            attempts.fetch_add(1, Ordering::Relaxed);
            let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 422,
                "reason": "Invalid", "message": "endpoints[0].addresses[0] is not allowed here" });
            Ok(Response::builder().status(422).body(text(status.to_string()))?)
        }
    }))
}

fn slice(name: &str, family: &str, address: &str) -> Value {
    json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": family,
        "metadata": { "namespace": "default", "name": name, "labels": { "kubernetes.io/service-name": "serve" } },
        "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }],
        "endpoints": [{ "addresses": [address], "conditions": { "ready": true } }] })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_slice_is_not_sent_again_and_again() {
    let mut set = Federation::start(&["eu"]).await;
    let writes = Arc::new(AtomicUsize::new(0));
    let counted = writes.clone();
    set.join_behind("us", |server| refusing(server, counted)).await;
    set.is_ready("us").await;
    set.hub
        .create(json!({ "apiVersion": "portolan.dev/v1alpha1", "kind": "ClusterSet", "metadata": { "name": "prod" },
            "spec": { "members": [{ "cluster": "eu" }, { "cluster": "us" }] } }))
        .await;
    set.hub.when(SET, "prod", |set| set.0["status"]["joined"] == "2/2").await;
    let eu = set.member("eu");
    eu.create(json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": "default", "name": "serve" },
        "spec": { "ports": [{ "name": "http", "port": 80 }] } }))
        .await;
    eu.create(slice("serve-1", "IPv4", "10.10.0.5")).await;
    eu.create(json!({ "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport",
        "metadata": { "namespace": "default", "name": "serve" } }))
        .await;
    let refuses = |text: &'static str| {
        move |export: &Object| {
            condition(export, "Ready") == "False" && message(export, "Ready").contains(text)
        }
    };
    eu.when(EXPORT, SERVE, refuses("cluster us: endpoints[0].addresses[0] is not allowed here")).await;
    let sent = writes.load(Ordering::Relaxed);
    // Other changes of the service do not send the slice again.
    for port in [81, 82, 83] {
        eu.patch("v1/Service", SERVE, json!({ "spec": { "ports": [{ "name": "http", "port": port }] } }))
            .await;
        set.member("us").when(IMPORT, SERVE, |import| import.0["spec"]["ports"][0]["port"] == port).await;
    }
    assert_eq!(writes.load(Ordering::Relaxed), sent);

    // What every API server refuses is not sent at all, and told as well.
    eu.create(slice("serve-2", "FQDN", "web.example.org")).await;
    eu.when(EXPORT, SERVE, refuses("EndpointSlice serve-2 has host names instead of IP addresses")).await;
}

fn text(text: String) -> Body {
    Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync()
}
