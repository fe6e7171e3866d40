//! Members that refuse objects: the Work says why and what to do, and other members are not delayed.

use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use portolan_apiserver::LocalService;
use portolan_object::Object;
use portolan_runtime::Client;
use portolan_runtime::client::{Body, BoxError};
use serde_json::json;
use tower::{Service as _, service_fn};

use crate::federation::{
    BINDING, CLUSTER, CONFIG_MAP, Federation, WORK, condition, config_map, message, policy,
};

/// What a member does with a write of the ConfigMap.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// Answers with this status and reason.
    Refuses(u16, &'static str),
    /// Answers with something that is no JSON.
    Babbles,
    /// Never answers.
    Hangs,
}

/// A client of a member that has a fault with every write of ConfigMaps in `default`.
fn faulty(server: LocalService, fault: Fault) -> Client {
    Client::in_process(service_fn(move |request: Request<Body>| {
        let is_write = request.method() != Method::GET;
        let is_faulty = is_write && request.uri().path().contains("/namespaces/default/configmaps");
        let answer = (!is_faulty).then(|| server.clone().call(request));
        async move {
            if let Some(answer) = answer {
                let answer = answer.await.map_err(|never| match never {})?;
                return Ok::<_, BoxError>(answer.map(BodyExt::boxed_unsync));
            }
            let (code, body) = match fault {
                Fault::Refuses(code, reason) => {
                    let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
                        "reason": reason, "message": format!("the member says {reason}") });
                    (code, status.to_string())
                }
                Fault::Babbles => (201, "<html>".to_owned()),
                Fault::Hangs => std::future::pending().await,
            };
            let body = Full::from(body).map_err(|never| match never {}).boxed_unsync();
            Ok(Response::builder()
                .status(code)
                .header(header::CONTENT_TYPE, "application/json")
                .body(body)?)
        }
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_refuses_an_object_is_told_with_cause_and_cure() {
    let cases = [
        ("conflict", Fault::Refuses(409, "Conflict"), "look at its managedFields"),
        (
            "forbidden",
            Fault::Refuses(403, "Forbidden"),
            "`portolan cluster permissions` tells and grants what it needs",
        ),
        ("invalid", Fault::Refuses(422, "Invalid"), "change the template or the override policy"),
        ("busy", Fault::Refuses(429, "TooManyRequests"), "when the cluster allows"),
        ("broken", Fault::Refuses(500, "InternalError"), "the log of the cluster's API server has the cause"),
        ("babbling", Fault::Babbles, "the log of the cluster's API server has the cause"),
        ("lying", Fault::Refuses(404, "NotFound"), "announces the kind and does not serve it"),
    ];
    let mut set = Federation::start(&["good"]).await;
    for (name, fault, _) in cases {
        set.join_behind(name, move |server| faulty(server, fault)).await;
    }
    for (name, _, _) in cases {
        set.is_ready(name).await;
    }
    set.hub.create(config_map("app", "1")).await;
    let mut clusters: Vec<&str> = cases.iter().map(|case| case.0).collect();
    clusters.push("good");
    set.hub.create(policy("app", CONFIG_MAP, "app", &clusters)).await;

    set.member("good").when_there(CONFIG_MAP, "default/app").await;
    let work = portolan_api::names::work("ConfigMap", "app", "default");
    for (name, fault, cure) in cases {
        let key = format!("karmada-es-{name}/{work}");
        let work = set.hub.when(WORK, &key, |work| condition(work, "Applied") == "False").await;
        let text = message(&work, "Applied");
        assert!(text.ends_with(cure) || text.contains(cure), "{name}: {text}");
        if let Fault::Refuses(_, reason) = fault {
            assert!(text.contains(&format!("the member says {reason}")), "{name}: {text}");
        }
        assert!(set.member(name).get(CONFIG_MAP, "default/app").await.is_none(), "{name}");
    }
    set.hub
        .when(BINDING, "default/app-configmap", |binding| condition(binding, "FullyApplied") == "False")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_hangs_delays_no_other_and_no_deletion_there() {
    let mut set = Federation::start(&["good"]).await;
    set.join_behind("hanging", |server| faulty(server, Fault::Hangs)).await;
    set.is_ready("hanging").await;
    for index in 0..40 {
        let name = format!("app-{index}");
        set.hub.create(config_map(&name, "1")).await;
        set.hub.create(policy(&name, CONFIG_MAP, &name, &["hanging", "good"])).await;
    }
    for index in 0..40 {
        set.member("good").when_there(CONFIG_MAP, &format!("default/app-{index}")).await;
    }
    set.hub.delete(CONFIG_MAP, "default/app-0").await;
    set.member("good").when_gone(CONFIG_MAP, "default/app-0").await;
    let is_ready = |cluster: &Object| condition(cluster, "Ready") == "True";
    set.hub.when(CLUSTER, "good", is_ready).await;
}
