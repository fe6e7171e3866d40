//! Requests for subresources: which of them change a part of their object, and which do something else.

use http::{Response, StatusCode};
use portolan_object::Status;

use crate::call::Call;
use crate::respond::Body;
use crate::write::{Part, pods, scale, token};
use crate::{read, write};

/// Answers a request for a subresource that exists and has the verb.
pub(crate) async fn answer(
    call: &mut Call,
    request: http::request::Parts,
    body: Body,
) -> Result<Response<Body>, Status> {
    let name = call.info.subresource.clone();
    let part = match (call.resource.plural.as_str(), name.as_str()) {
        (_, "scale") => return scaled(call, body).await,
        (_, "status") => Part::Status,
        ("namespaces", "finalize") => Part::Finalizers,
        ("certificatesigningrequests", "approval") => Part::Approval,
        ("pods", "ephemeralcontainers") => Part::EphemeralContainers,
        ("pods", "resize") => Part::Resources,
        ("pods", "binding") => return pods::bind(call, body).await,
        ("pods", "eviction") => return pods::evict(call, body).await,
        ("serviceaccounts", "token") => return token::issue(call, body).await,
        _ => {
            let _ = request;
            return Err(not_served(call));
        }
    };
    match call.info.verb {
        "get" => read::get(call).await,
        "update" => write::update(call, part, body).await,
        _ => write::patch(call, part, body).await,
    }
}

async fn scaled(call: &Call, body: Body) -> Result<Response<Body>, Status> {
    match call.info.verb {
        "get" => scale::get(call),
        "update" => scale::update(call, body).await,
        _ => scale::patch(call, body).await,
    }
}

/// A subresource whose kind is known but which this server does not have.
pub(crate) fn not_served(call: &Call) -> Status {
    let text = format!("{} is not served here", call.info.resource_path());
    Status::new(StatusCode::NOT_IMPLEMENTED.as_u16(), "", text)
}
