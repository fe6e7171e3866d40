//! Paths that are not resources: health checks, discovery, OpenAPI, the version, keys of service account tokens.

use http::{HeaderMap, Method, Response, StatusCode};
use portolan_object::Status;
use portolan_store::Unavailable;
use serde_json::json;

use super::refusal::{method_not_allowed, unknown_path};
use crate::health::{self, Check, Probe};
use crate::negotiate::{Offer, Reply};
use crate::request::query::Query;
use crate::resources::Snapshot;
use crate::respond::{self, Body};
use crate::server::Server;
use crate::{discovery, openapi};

/// Answers a path that is not a resource.
///
/// # Errors
/// 404 and 405, and what the document's own module refuses.
pub(super) fn answer(
    server: &Server,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    query: &Query,
) -> Result<Response<Body>, Status> {
    // Load balancers and monitors ask with HEAD as well.
    let takes_head = health::is_probe(path) || path == "/metrics";
    if method != Method::GET && !(method == Method::HEAD && takes_head) {
        return Err(method_not_allowed());
    }
    if let Some(response) = health::answer(path, query, |probe| checks(server, probe)) {
        return Ok(response);
    }
    let snapshot = server.registry.snapshot();
    if let Some(answer) = discovery::answer(&snapshot, path, headers, query) {
        return answer;
    }
    if let Some(answer) = openapi::answer(&snapshot, path, headers, query) {
        return answer;
    }
    let reply = || Reply::negotiate(headers, query, Offer::Document);
    match path.trim_end_matches('/') {
        "/version" => Ok(respond::value(StatusCode::OK, &health::version(&server.version), reply()?)),
        "" => Ok(respond::value(StatusCode::OK, &json!({ "paths": paths(&snapshot) }), reply()?)),
        "/.well-known/openid-configuration" if let Some(issuer) = server.authentication.issuer() => {
            Ok(respond::value(StatusCode::OK, &issuer.configuration(), reply()?))
        }
        "/openid/v1/jwks" if let Some(issuer) = server.authentication.issuer() => {
            let keys = respond::full(issuer.key_set().to_string());
            Ok(respond::typed(StatusCode::OK, "application/jwk-set+json", keys))
        }
        "/metrics" if let Some(page) = &server.metrics_page => Ok(page.respond(headers).map(respond::full)),
        path => unknown_path(path).into_answer(),
    }
}

fn checks(server: &Server, probe: Probe) -> Vec<Check> {
    let mut checks = vec![Check::new("ping", true)];
    if probe != Probe::Liveness {
        checks.push(Check::new("shutdown", !server.stopping.is_cancelled()));
        checks.push(store_check(server));
    }
    checks
}

/// Reads go on without writes, so that a full disk leaves the server ready, with a note. It is not ready while only a restart
/// can help.
fn store_check(server: &Server) -> Check {
    let refusal = server.store.refusal();
    let is_healthy = !matches!(refusal, Some(Unavailable::Faulty { .. }));
    // Everybody may ask, so the note has no paths; the log has.
    let refusal = refusal.map(|cause| match cause {
        Unavailable::Full { .. } => "writes are refused because the disk is full, see the log",
        _ => "writes are refused, see the log",
    });
    let damaged = server.store.damaged_below("").len();
    let notes = [
        refusal.map(str::to_owned),
        (damaged > 0).then(|| format!("damaged objects are left out: {damaged}, see the log")),
    ];
    let notes: Vec<String> = notes.into_iter().flatten().collect();
    let note = (!notes.is_empty()).then(|| notes.join("; "));
    Check { note, ..Check::new("store", is_healthy) }
}

/// The paths that `GET /` lists.
fn paths(snapshot: &Snapshot) -> Vec<String> {
    let mut paths: Vec<String> = ["/.well-known/openid-configuration", "/api", "/api/v1", "/apis", "/apis/"]
        .into_iter()
        .map(str::to_owned)
        .collect();
    for group in snapshot.groups.iter().filter(|group| !group.name.is_empty()) {
        paths.push(format!("/apis/{}", group.name));
        paths.extend(group.versions.iter().map(|version| format!("/apis/{}/{}", group.name, version.name)));
    }
    let others =
        ["/healthz", "/healthz/ping", "/livez", "/livez/ping", "/openapi/v2", "/openapi/v3", "/openapi/v3/"];
    paths.extend(
        others
            .into_iter()
            .chain(["/openid/v1/jwks", "/readyz", "/readyz/ping", "/version"])
            .map(str::to_owned),
    );
    paths.sort();
    paths
}
