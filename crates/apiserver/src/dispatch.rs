//! From a request to the handler that answers it.
//!
//! The order is fixed: who asks, may they, is there such a thing, and only then the body. Errors become replies in
//! this one place.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Request, Response, StatusCode};
use parking_lot::Mutex;
use portolan_object::Status;
use portolan_object::status::Details;
use serde_json::json;

use crate::auth::{Attributes, Decision, User, impersonation};
use crate::call::Call;
use crate::health::{self, Check, Probe};
use crate::negotiate::{Offer, Reply};
use crate::request::RequestInfo;
use crate::request::query::Query;
use crate::resources::Snapshot;
use crate::respond::{self, Body};
use crate::service::Server;
use crate::write::WriteTarget;
use crate::{discovery, kinds, openapi, read, watch, write};

/// A request that is not a watch takes at most so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers a request.
pub(crate) async fn dispatch(
    server: Arc<Server>,
    user: Result<Arc<User>, Status>,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let info = RequestInfo::parse(&parts.method, parts.uri.path(), &query);
    let on_error = Reply::for_error(&parts.headers, &query);
    let request_headers = parts.headers.clone();
    let mut warnings = Vec::new();
    let answered = match user.and_then(|user| admit(&server, user, &info, &parts.headers)) {
        Ok(user) if info.is_resource => {
            let limit = if info.verb == "watch" { None } else { Some(time_limit(&query)) };
            let request = Asked { server, user, info, query, parts };
            within(limit, request.resource(body, &mut warnings)).await
        }
        Ok(user) => Asked { server, user, info, query, parts }.path(),
        Err(status) => Err(status),
    };
    let response = answered.unwrap_or_else(|status| respond::status(&status, on_error));
    respond::finish(&request_headers, &warnings, response)
}

/// Exchanges the user for an impersonated one, and checks that the request is allowed.
fn admit(
    server: &Server,
    user: Arc<User>,
    info: &RequestInfo,
    headers: &HeaderMap,
) -> Result<Arc<User>, Status> {
    let impersonates = headers.keys().any(|name| name.as_str().starts_with("impersonate-"));
    let user = match impersonates {
        true => Arc::new(impersonation::impersonate(User::clone(&user), headers, &server.access.rules())?),
        false => user,
    };
    // Spares those who may do anything the look at the roles.
    if user.is_master() {
        return Ok(user);
    }
    let attributes = Attributes::of(&user, info);
    match server.access.rules().authorize(&attributes) {
        Decision::Allowed(_) => Ok(user),
        Decision::Denied(reason) => Err(attributes.forbidden(&reason)),
    }
}

async fn within<T>(
    limit: Option<Duration>,
    answer: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let Some(limit) = limit else { return answer.await };
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| {
        Err(Status::new(504, "Timeout", "Timeout: request did not complete within the allotted timeout"))
    })
}

/// The `timeout` of a request such as `32s`, never more than our own.
fn time_limit(query: &Query) -> Duration {
    query
        .non_empty("timeout")
        .and_then(go_duration)
        .filter(|limit| !limit.is_zero())
        .unwrap_or(PATIENCE)
        .min(PATIENCE)
}

/// A duration as Go writes it: numbers with units, such as `1m30s`.
fn go_duration(text: &str) -> Option<Duration> {
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len());
        let scale = match &rest[..unit] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            _ => return None,
        };
        total += number * scale;
        rest = &rest[unit..];
    }
    Duration::try_from_secs_f64(total).ok()
}

/// A request that may be answered.
struct Asked {
    server: Arc<Server>,
    user: Arc<User>,
    info: RequestInfo,
    query: Query,
    parts: http::request::Parts,
}

impl Asked {
    /// Answers a path that is not a resource.
    fn path(self) -> Result<Response<Body>, Status> {
        let (path, headers, query) = (self.info.path.as_str(), &self.parts.headers, &self.query);
        if self.parts.method != Method::GET {
            return Err(method_not_allowed());
        }
        if let Some(response) = health::answer(path, query, |probe| checks(&self.server, probe)) {
            return Ok(response);
        }
        let snapshot = self.server.registry.snapshot();
        if let Some(answer) = discovery::answer(&snapshot, path, headers, query) {
            return answer;
        }
        if let Some(answer) = openapi::answer(&snapshot, path, headers, query) {
            return answer;
        }
        let reply = || Reply::negotiate(headers, query, Offer::Document);
        match path.trim_end_matches('/') {
            "/version" => {
                Ok(respond::value(StatusCode::OK, &health::version(&self.server.version), reply()?))
            }
            "" => Ok(respond::value(StatusCode::OK, &json!({ "paths": paths(&snapshot) }), reply()?)),
            "/.well-known/openid-configuration" if let Some(issuer) = self.server.authentication.issuer() => {
                Ok(respond::value(StatusCode::OK, &issuer.configuration(), reply()?))
            }
            "/openid/v1/jwks" if let Some(issuer) = self.server.authentication.issuer() => {
                let keys = respond::full(issuer.key_set().to_string());
                Ok(respond::typed(StatusCode::OK, "application/jwk-set+json", keys))
            }
            path => unknown_path(path),
        }
    }

    /// Answers a request for a resource.
    async fn resource(self, body: Body, warnings: &mut Vec<String>) -> Result<Response<Body>, Status> {
        let Self { server, user, info, query, parts } = self;
        let snapshot = server.registry.snapshot();
        let Some(resource) = snapshot.find(&info.group, &info.version, &info.resource).cloned() else {
            return unknown_in(&info.group);
        };
        if info.verb.is_empty() || matches!(parts.method, Method::HEAD | Method::OPTIONS) {
            return Err(method_not_allowed());
        }
        // Neither can be part of a key, and nothing of that name exists.
        if [&info.namespace, &info.name].iter().any(|part| part.contains(['/', '\0'])) {
            return Err(resource.not_found(&info.name));
        }
        if let Some(warning) = resource.as_custom().and_then(|version| version.deprecation.clone()) {
            warnings.push(warning);
        }
        let now = server.clock.now();
        let mut call = Call {
            server,
            user,
            info,
            query,
            headers: parts.headers.clone(),
            snapshot,
            resource,
            now,
            warnings: Mutex::default(),
        };
        let answer = route(&mut call, parts, body).await;
        warnings.append(&mut call.warnings.lock());
        answer
    }
}

/// Finds the handler of a resource request.
async fn route(call: &mut Call, parts: http::request::Parts, body: Body) -> Result<Response<Body>, Status> {
    let (resource, info) = (Arc::clone(&call.resource), call.info.clone());
    if !info.subresource.is_empty() {
        let Some(part) = resource.part(&info.subresource) else {
            // What a custom resource does not have is looked for below the object, as upstream does.
            let is_custom = resource.as_custom().is_some();
            return Err(if is_custom { resource.not_found(&info.name) } else { no_such_path() });
        };
        if !part.allows(info.verb) {
            return Err(method_not_allowed());
        }
        if let Some(refusal) = misplaced(call) {
            return refusal;
        }
        return crate::parts::answer(call, parts, body).await;
    }
    if !resource.allows(info.verb) {
        if info.verb == "watch" {
            let text = format!("watch is not supported on resources of kind {:?}", resource.plural);
            return Err(Status::new(405, "MethodNotAllowed", text));
        }
        return Err(method_not_allowed());
    }
    if let Some(refusal) = misplaced(call) {
        return refusal;
    }
    let is_of_one = matches!(info.verb, "get" | "update" | "patch" | "delete");
    if is_of_one == info.is_collection() {
        return Err(method_not_allowed());
    }
    match info.verb {
        "get" => read::get(call).await,
        "list" => read::list(call).await,
        "watch" => watch::watch(call),
        "create" => write::create(call, body).await,
        "update" => write::update(call, WriteTarget::Object, body).await,
        "patch" => write::patch(call, WriteTarget::Object, body).await,
        "delete" => write::delete(call, body).await,
        _ => write::delete_collection(call, body).await,
    }
}

/// What answers a path in the wrong place: namespaced objects are addressed through their namespace, others never are;
/// all namespaces can only be read.
fn misplaced(call: &Call) -> Option<Result<Response<Body>, Status>> {
    let (resource, info) = (&call.resource, &call.info);
    let is_namespace_itself = resource.is("", "namespaces");
    if is_namespace_itself || (info.namespace.is_empty() != resource.is_namespaced) {
        return None;
    }
    let reads_all = resource.is_namespaced && info.is_collection() && matches!(info.verb, "list" | "watch");
    match (reads_all, resource.is_namespaced && info.is_collection()) {
        (true, _) => None,
        (false, true) => Some(Err(method_not_allowed())),
        (false, false) => Some(unknown_in(&resource.kind.group)),
    }
}

fn checks(server: &Server, probe: Probe) -> Vec<Check> {
    let mut checks = vec![Check { name: "ping", is_well: true }];
    if probe != Probe::Life {
        checks.push(Check { name: "shutdown", is_well: !server.stopping.is_cancelled() });
    }
    checks
}

/// 405 for a method that a path does not have.
pub(crate) fn method_not_allowed() -> Status {
    let text = "the server does not allow this method on the requested resource";
    let mut status = Status::new(405, "MethodNotAllowed", text);
    status.details = Some(Box::new(Details::default()));
    status
}

/// 404 for a path below a known group version.
fn no_such_path() -> Status {
    let mut status = Status::new(404, "NotFound", "the server could not find the requested resource");
    status.details = Some(Box::new(Details::default()));
    status
}

/// 404 for a path below a group: with a status where the group is built in, else as plain text, even if there are
/// custom resources of that group.
fn unknown_in(group: &str) -> Result<Response<Body>, Status> {
    if group.is_empty() || kinds::group(group).is_some() { Err(no_such_path()) } else { Ok(page_not_found()) }
}

fn unknown_path(path: &str) -> Result<Response<Body>, Status> {
    let mut parts = path.trim_start_matches('/').split('/');
    match (parts.next(), parts.next()) {
        (Some("api"), _) => Err(no_such_path()),
        (Some("apis"), Some(group)) if !group.is_empty() => unknown_in(group),
        _ => Ok(page_not_found()),
    }
}

fn page_not_found() -> Response<Body> {
    respond::text(StatusCode::NOT_FOUND, "404 page not found\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_writes_them() {
        let cases =
            [("32s", Some(32_000)), ("1m30s", Some(90_000)), ("1.5h", Some(5_400_000)), ("250ms", Some(250))];
        for (text, want) in cases {
            assert_eq!(go_duration(text), want.map(Duration::from_millis), "{text}");
        }
        for text in ["abc", "5", "5x"] {
            assert_eq!(go_duration(text), None, "{text}");
        }
    }
}
