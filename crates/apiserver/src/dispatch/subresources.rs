//! The handler of a request for a subresource: a write of some fields of the object, or an action of its own kind.

use http::{Request, Response, StatusCode};
use portolan_object::Status;

use crate::access::CoreObjects;
use crate::auth::{Attributes, Decision, Directory as _};
use crate::call::Call;
use crate::proxy::{Forwarder, KubeletTarget, PodAction};
use crate::respond::{self, Body};
use crate::write::{WriteTarget, pods, scale, token};
use crate::{read, websocket, write};

/// Answers a request for a subresource that exists and has the verb.
pub(super) async fn answer(
    call: &Call,
    request: http::request::Parts,
    body: Body,
) -> Result<Response<Body>, Status> {
    let target = match (call.resource.plural.as_str(), call.info.subresource.as_str()) {
        (_, "scale") => return scaled(call, body).await,
        (_, "status") => WriteTarget::Status,
        ("namespaces", "finalize") => WriteTarget::Finalize,
        ("certificatesigningrequests", "approval") => WriteTarget::Approval,
        ("pods", "ephemeralcontainers") => WriteTarget::EphemeralContainers,
        ("pods", "resize") => WriteTarget::Resize,
        ("pods", "binding") => return pods::bind(call, body).await,
        ("pods", "eviction") => return pods::evict(call, body).await,
        ("serviceaccounts", "token") => return token::issue(call, body).await,
        ("pods", name) if let Some(action) = PodAction::from_subresource(name) => {
            return forward(call, action, request, body).await;
        }
        _ => return Err(not_served(call)),
    };
    match call.info.verb {
        "get" => read::get(call).await,
        "update" => write::update(call, target, body).await,
        _ => write::patch(call, target, body).await,
    }
}

/// What forwards the request, if another API server answers it.
pub(super) fn forwarder(call: &Call) -> Option<&Forwarder> {
    let (kind, info) = (&call.resource.kind, &call.info);
    let forwarder = call.server.forwarder.as_ref()?;
    forwarder.answers(&kind.group, &info.resource, &info.subresource).then_some(forwarder)
}

/// Forwards a request to the API server that answers it.
pub(super) async fn forward_elsewhere(
    call: &Call,
    forwarder: &Forwarder,
    mut request: http::request::Parts,
    body: Body,
) -> Result<Response<Body>, Status> {
    request.headers.clone_from(&call.headers);
    let mut request = Request::from_parts(request, body);
    if let Some(answer) = forwarder.accept(&call.info.subresource, &call.info.name, &mut request) {
        return answer;
    }
    forwarder.forward(&call.info.name, &call.info.rest, &call.user, request).await
}

async fn scaled(call: &Call, body: Body) -> Result<Response<Body>, Status> {
    match call.info.verb {
        "get" => scale::get(call),
        "update" => scale::update(call, body).await,
        _ => scale::patch(call, body).await,
    }
}

/// Forwards a request for logs or a stream of a pod to the kubelet of its node.
async fn forward(
    call: &Call,
    action: PodAction,
    mut request: http::request::Parts,
    body: Body,
) -> Result<Response<Body>, Status> {
    let (server, info) = (&call.server, &call.info);
    if let Some(verb) = action.needs_verb().filter(|_| !call.user.is_master()) {
        let attributes = Attributes { verb, ..Attributes::from_request(&call.user, info) };
        if let Decision::Denied(reason) = server.access.rules()?.authorize(&attributes) {
            return Err(attributes.forbidden(&reason));
        }
    }
    let objects = CoreObjects(&server.store);
    let pod = objects.find("pods", &info.namespace, &info.name);
    let pod = pod.ok_or_else(|| call.resource.not_found(&info.name))?;
    let target = KubeletTarget::locate(action, &pod, &call.query, |node| objects.find("nodes", "", node))?;
    let Some(target) = target else {
        let mut response = Response::new(respond::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        return Ok(response);
    };
    let Some(kubelets) = &server.kubelets else { return Err(not_served(call)) };
    request.headers.clone_from(&call.headers);
    let socket = match action {
        PodAction::Logs => websocket::take(&call.headers, &mut request.extensions)?,
        // The kubelet answers these over the connection itself.
        PodAction::Exec | PodAction::Attach | PodAction::PortForward => None,
    };
    let response = kubelets.forward(&target, Request::from_parts(request, body)).await?;
    match socket {
        Some(socket) => socket.send_bytes(response.into_body(), &server.scope),
        None => Ok(response),
    }
}

/// 501 for a subresource that upstream has and this server does not.
fn not_served(call: &Call) -> Status {
    let text = format!("{} is not served here", call.info.resource_path());
    Status::new(StatusCode::NOT_IMPLEMENTED.as_u16(), "", text)
}
