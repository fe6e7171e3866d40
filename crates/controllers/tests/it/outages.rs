//! Members that can be cut off, and the policy that taints them then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;
use http_body_util::BodyExt;
use portolan_apiserver::LocalService;
use portolan_runtime::Client;
use portolan_runtime::client::{Body, BoxError};
use serde_json::{Value, json};
use tower::{Service as _, service_fn};

/// Every cluster that is not ready gets a taint that evicts.
pub(crate) fn taint_policy() -> Value {
    let on = |operator: &str| json!([{ "conditionType": "Ready", "operator": operator, "statusValues": ["True"] }]);
    json!({ "apiVersion": "policy.karmada.io/v1alpha1", "kind": "ClusterTaintPolicy", "metadata": { "name": "failed" },
        "spec": { "addOnConditions": on("NotIn"), "removeOnConditions": on("In"),
            "taints": [{ "key": "failed", "effect": "NoExecute" }] } })
}

/// A client of a member that can be cut off.
pub(crate) fn cut(server: LocalService, is_cut: Arc<AtomicBool>) -> Client {
    Client::in_process(service_fn(move |request: Request<Body>| {
        let answer = (!is_cut.load(Ordering::Relaxed)).then(|| server.clone().call(request));
        async move {
            let answer = answer.ok_or("the network is unreachable")?;
            Ok::<_, BoxError>(answer.await.map_err(|never| match never {})?.map(BodyExt::boxed_unsync))
        }
    }))
}
