//! The background task that asks the servers of APIServices for their resources (kubernetes
//! staging/src/k8s.io/kube-aggregator/pkg/controllers/status/remote).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use http::Request;
use http::header::ACCEPT;
use portolan_object::time::format_time;
use portolan_store::{Batch, Event, Query, Versioned};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout};

use super::remote::{Remote, Routes};
use super::resources;
use super::schedule::Due;
use crate::auth::{User, user};
use crate::background::{PassError, commit, repeat};
use crate::call::read_body;
use crate::kinds::admissionregistration::run_here::is_run_here;
use crate::record::{Change, Record};
use crate::respond;
use crate::server::Server;
use crate::service_endpoint::{self, NoEndpoint};
use crate::tree;

const API_SERVICES: &str = "apiregistration.k8s.io/apiservices/";
const SERVICES: &str = "core/services/";
const SLICES: &str = "discovery.k8s.io/endpointslices/";
/// Time after which APIServices that could not be read are read again.
const RETRY: Duration = Duration::from_secs(2);
/// Timeout of a probe.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Probes at the same time.
const CONCURRENT: usize = 8;

/// What is told about an APIService.
struct Outcome {
    status: &'static str,
    reason: &'static str,
    message: String,
}

/// Asks the servers until this server stops.
pub(crate) async fn run(server: Arc<Server>) {
    let stopping = server.stopping.clone();
    repeat(&stopping, RETRY, "APIServices cannot be followed", || follow(Arc::clone(&server))).await;
}

/// Asks the servers of the present APIServices again and again; ends when an APIService has changed.
async fn follow(server: Arc<Server>) -> Result<(), PassError> {
    let server = &server;
    let page = server.store.range(&Query::prefix(API_SERVICES))?;
    let mut changed = server.store.watch(API_SERVICES, page.revision)?;
    let (mut services, mut slices) =
        (server.store.watch(SERVICES, page.revision)?, server.store.watch(SLICES, page.revision)?);
    let routes = routes(server, &page.items).await?;
    drop(page);
    server.aggregator.routes.store(Arc::new(routes.clone()));
    show(server, &routes);
    let mut due: BTreeMap<&str, Due> =
        routes.keys().map(|name| (name.as_str(), Due::now(Instant::now()))).collect();
    loop {
        let now = Instant::now();
        let asked = routes.values().filter(|remote| due.get(&*remote.name).is_some_and(|due| due.at <= now));
        let probes: Vec<_> =
            asked.map(|remote| probe(Arc::clone(server), Arc::clone(remote)).boxed()).collect();
        let outcomes: Vec<_> = futures::stream::iter(probes).buffer_unordered(CONCURRENT).collect().await;
        for (remote, outcome) in &outcomes {
            if let Some(due) = due.get_mut(&*remote.name) {
                *due = due.after(outcome.status == "True", Instant::now());
            }
            tell(server, &remote.name, outcome).await?;
        }
        show(server, &routes);
        while let Some(next) = due.values().map(|due| due.at).min()
            && next > Instant::now()
        {
            let event = tokio::select! {
                event = changed.next() => {
                    if is_redefined(&*event?) {
                        return Ok(());
                    }
                    continue;
                }
                event = services.next() => event?,
                event = slices.next() => event?,
                () = sleep_until(next) => break,
            };
            for remote in routes.values().filter(|remote| is_of(&event, remote)) {
                if let Some(due) = due.get_mut(&*remote.name) {
                    *due = due.soon(Instant::now());
                }
            }
        }
        if routes.is_empty() {
            while !is_redefined(&*changed.next().await?) {}
            return Ok(());
        }
    }
}

/// The servers of the APIServices; those that are unchanged keep what is known of them.
async fn routes(server: &Arc<Server>, items: &[Versioned<Record>]) -> Result<Routes, PassError> {
    let former = server.aggregator.routes.load_full();
    let mut routes = Routes::new();
    for item in items {
        let object = item.value.value();
        if tree::present(&object, "/spec/service").is_none() {
            continue;
        }
        let name = tree::str_at(&object, "/metadata/name");
        if !is_run_here(&object) {
            let message = "This API server stores the APIService and sends it no requests".to_owned();
            tell(server, name, &Outcome { status: "Unknown", reason: "NotAsked", message }).await?;
            continue;
        }
        let known = former.get(name).filter(|known| object.get("spec") == Some(&known.spec));
        let remote =
            known.cloned().unwrap_or_else(|| Arc::new(Remote::new(&object, &server.aggregator.front_proxy)));
        routes.insert(name.to_owned(), remote);
    }
    Ok(routes)
}

/// Merges what is known of the servers into discovery.
fn show(server: &Server, routes: &Routes) {
    server.registry.set_remote(routes.values().map(|remote| remote.shown()).collect());
}

/// Whether more than the status of an APIService has changed.
fn is_redefined(event: &Event<Record>) -> bool {
    let (Some(new), Some(old)) = (&event.current, &event.previous) else { return true };
    let [new, old] = [new, old].map(|item| item.value.value());
    new.get("spec") != old.get("spec") || is_run_here(&new) != is_run_here(&old)
}

/// Whether a changed Service or EndpointSlice is in the namespace of the Service of a server.
fn is_of(event: &Event<Record>, remote: &Remote) -> bool {
    event.key.split('/').nth(2) == Some(remote.service.0.as_str())
}

async fn probe(server: Arc<Server>, remote: Arc<Remote>) -> (Arc<Remote>, Outcome) {
    let answered = match served_here(&server, &remote).and_then(|()| endpoint(&server, &remote)) {
        Ok(()) => ask(&server, &remote).await.map_err(|problem| {
            let path = format!("https://{}:{}{}", remote.host(), remote.port, path(&remote));
            let message = format!("failing or missing response from {path}: {problem}");
            Outcome { status: "False", reason: "FailedDiscoveryCheck", message }
        }),
        Err(outcome) => Err(outcome),
    };
    let outcome = match answered {
        Ok(resources) => {
            remote.set(Ok(resources));
            Outcome { status: "True", reason: "Passed", message: "all checks passed".to_owned() }
        }
        Err(outcome) => {
            remote.set(Err(outcome.message.clone()));
            outcome
        }
    };
    (remote, outcome)
}

/// Checks that this server does not answer the group version itself.
fn served_here(server: &Server, remote: &Remote) -> Result<(), Outcome> {
    let (group, version) = remote.group_version();
    if !server.registry.snapshot().serves(group, version) {
        return Ok(());
    }
    let message = format!(
        "this API server answers {group}/{version} itself, with CustomResourceDefinitions: delete them first, or use another \
         version"
    );
    Err(Outcome { status: "False", reason: "ServedHere", message })
}

/// Checks that the Service has an endpoint.
fn endpoint(server: &Server, remote: &Remote) -> Result<(), Outcome> {
    let (namespace, name) = &remote.service;
    let found = service_endpoint::find(&server.store, namespace, name, remote.port);
    let Err(error) = found else { return Ok(()) };
    let of = format!("service/{name} in {namespace:?}");
    let (reason, message) = match error {
        NoEndpoint::NoService(_) => ("ServiceNotFound", format!("{of} is not present")),
        NoEndpoint::NoPort { port, .. } => {
            ("ServicePortError", format!("{of} is not listening on port {port}"))
        }
        NoEndpoint::NoSlices(_) => ("EndpointsNotFound", format!("cannot find endpointslices for {of}")),
        NoEndpoint::NoneReady { port_name, .. } => (
            "MissingEndpoints",
            format!("endpointslices for {of} have no addresses with port name {port_name:?}"),
        ),
        NoEndpoint::Unread(error) => {
            ("EndpointsAccessError", format!("{of} cannot be checked due to: {error}"))
        }
    };
    Err(Outcome { status: "False", reason, message })
}

fn path(remote: &Remote) -> String {
    format!("/apis/{}/{}", remote.group, remote.version)
}

/// Asks a server for its resources.
async fn ask(server: &Server, remote: &Remote) -> Result<Value, String> {
    let request = Request::get(path(remote)).header(ACCEPT, "application/json").body(respond::empty());
    let request = request.map_err(|error| error.to_string())?;
    let user = User::new("system:kube-aggregator", [user::MASTERS]);
    let answered = async {
        let answer = server.aggregator.ask(remote, &user, request).await.map_err(|status| status.message)?;
        if !answer.status().is_success() {
            return Err(format!("bad status: {}", answer.status().as_u16()));
        }
        read_body(answer.into_body()).await.map_err(|status| status.message)
    };
    let bytes = timeout(TIMEOUT, answered).await.map_err(|_| "no answer in time".to_owned())??;
    let document: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    resources::read(&document, &remote.group, &remote.version)
}

/// Writes the condition `Available` of an APIService if it is another one.
async fn tell(server: &Server, name: &str, outcome: &Outcome) -> Result<(), PassError> {
    let snapshot = server.registry.snapshot();
    let Some(resource) = snapshot.find("apiregistration.k8s.io", "v1", "apiservices") else { return Ok(()) };
    let Some(item) = server.store.get(&resource.key("", name)) else { return Ok(()) };
    let mut object = item.value.value();
    let Outcome { status, reason, message } = outcome;
    let conditions = tree::list(&object, "/status/conditions");
    let held = conditions.iter().find(|condition| condition["type"] == "Available");
    if held.is_some_and(|held| {
        held["status"] == *status && held["reason"] == *reason && held["message"] == *message
    }) {
        return Ok(());
    }
    let since = held.filter(|held| held["status"] == *status).map(|held| held["lastTransitionTime"].clone());
    let since = since.unwrap_or_else(|| json!(format_time(server.clock.now())));
    let condition = json!({ "type": "Available", "status": status, "reason": reason, "message": message,
        "lastTransitionTime": since });
    let others = conditions.iter().filter(|condition| condition["type"] != "Available").cloned();
    let conditions: Vec<Value> = others.chain([condition]).collect();
    object["status"] = json!({ "conditions": conditions });
    let record = resource.encode(Change::Modified, &object);
    commit(server, Batch::update(item.key, item.modified, record)).await
}
