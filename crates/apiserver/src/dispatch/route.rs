//! The handler of a resource request.

use std::sync::Arc;

use http::{Method, Response};
use portolan_object::Status;

use super::refusal::{Refusal, method_not_allowed, no_such_path, unknown_in};
use super::subresources;
use crate::call::Call;
use crate::request::RequestInfo;
use crate::resources::{Resource, Snapshot};
use crate::respond::Body;
use crate::write::WriteTarget;
use crate::{read, watch, websocket, write};

/// The resource that a request names.
///
/// # Errors
/// 404 when it is not served or the name cannot exist, 405 for methods that no resource has.
pub(super) fn find<'s>(
    snapshot: &'s Snapshot,
    method: &Method,
    info: &RequestInfo,
) -> Result<&'s Arc<Resource>, Refusal> {
    let resource =
        snapshot.find(&info.group, &info.version, &info.resource).ok_or_else(|| unknown_in(&info.group))?;
    if info.verb.is_empty() || matches!(*method, Method::HEAD | Method::OPTIONS) {
        return Err(method_not_allowed().into());
    }
    // Keys of the store contain neither, so no object has such a name.
    if [&info.namespace, &info.name].iter().any(|name| name.contains(['/', '\0'])) {
        return Err(resource.not_found(&info.name).into());
    }
    Ok(resource)
}

/// Calls the handler of a resource request.
///
/// # Errors
/// 404 or 405 when the resource does not have that path or verb, otherwise the error of the handler.
pub(super) async fn answer(
    call: &Call,
    mut request: http::request::Parts,
    body: Body,
) -> Result<Response<Body>, Status> {
    let (resource, info) = (&call.resource, &call.info);
    if !info.subresource.is_empty() {
        if let Some(forwarder) = subresources::forwarder(call) {
            return subresources::forward_elsewhere(call, forwarder, request, body).await;
        }
        let Some(subresource) = resource.subresource(&info.subresource) else {
            // For custom resources upstream answers as if the object did not exist.
            let is_custom = resource.as_custom().is_some();
            return Err(if is_custom { resource.not_found(&info.name) } else { no_such_path() });
        };
        if !subresource.allows(info.verb) {
            return Err(method_not_allowed());
        }
        if let Some(refusal) = misplaced(resource, info) {
            return refusal.into_answer();
        }
        return subresources::answer(call, request, body).await;
    }
    if !resource.allows(info.verb) {
        if info.verb == "watch" {
            let text = format!("watch is not supported on resources of kind {:?}", resource.plural);
            return Err(Status::new(405, "MethodNotAllowed", text));
        }
        return Err(method_not_allowed());
    }
    if let Some(refusal) = misplaced(resource, info) {
        return refusal.into_answer();
    }
    let addresses_object = matches!(info.verb, "get" | "update" | "patch" | "delete");
    if addresses_object == info.is_collection() {
        return Err(method_not_allowed());
    }
    match info.verb {
        "get" => read::get(call).await,
        "list" => read::list(call).await,
        "watch" => {
            let socket = websocket::take(&call.headers, &mut request.extensions)?;
            let response = watch::watch(call)?;
            match socket {
                Some(socket) => socket.send_lines(response.into_body(), &call.server.scope),
                None => Ok(response),
            }
        }
        "create" => write::create(call, body).await,
        "update" => write::update(call, WriteTarget::Object, body).await,
        "patch" => write::patch(call, WriteTarget::Object, body).await,
        "delete" => write::delete(call, body).await,
        _ => write::delete_collection(call, body).await,
    }
}

/// Why a path has the wrong scope: namespaced objects are addressed through their namespace, others are not; a
/// namespaced collection without a namespace can only be listed and watched.
fn misplaced(resource: &Resource, info: &RequestInfo) -> Option<Refusal> {
    let is_namespace_itself = resource.is("", "namespaces");
    if is_namespace_itself || (info.namespace.is_empty() != resource.is_namespaced) {
        return None;
    }
    let spans_namespaces = resource.is_namespaced && info.is_collection();
    match spans_namespaces {
        true if matches!(info.verb, "list" | "watch") => None,
        true => Some(method_not_allowed().into()),
        false => Some(unknown_in(&resource.kind.group)),
    }
}
