//! POST of a review: answered and not stored.

use http::{Response, StatusCode};
use portolan_object::Status;
use serde_json::Value;

use super::body;
use crate::access::CoreObjects;
use crate::auth::reviews;
use crate::call::{Call, read_body};
use crate::negotiate::{BodyType, Offer, Reply};
use crate::resources::Resource;
use crate::respond::{self, Body};
use crate::tree;

/// Whether objects of a resource are answered instead of stored.
pub(super) fn is_review(resource: &Resource) -> bool {
    resource.as_custom().is_none()
        && matches!(resource.kind.group.as_str(), "authentication.k8s.io" | "authorization.k8s.io")
}

/// Answers a review.
pub(super) async fn answer(call: &Call, body: Body) -> Result<Response<Body>, Status> {
    let resource = &call.resource;
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Document)?;
    let bytes = read_body(body).await?;
    let decoded = body::object(resource, &bytes, BodyType::from_headers(&call.headers)?)?;
    if resource.plural == "tokenreviews" {
        let token = tree::str_at(&decoded.value, "/spec/token");
        call.server.authentication.prepare_token(token, call.now).await;
    }
    let answer = ask(call, decoded.value)?;
    Ok(respond::value(StatusCode::CREATED, &answer, reply))
}

fn ask(call: &Call, review: Value) -> Result<Value, Status> {
    let server = &call.server;
    let rules = || server.access.rules();
    match call.resource.plural.as_str() {
        "selfsubjectreviews" => reviews::self_subject(&call.user, call.now),
        "tokenreviews" => {
            reviews::token(review, &server.authentication, &CoreObjects(&server.store), call.now)
        }
        "selfsubjectaccessreviews" => reviews::self_subject_access(review, &call.user, &*rules()?),
        "subjectaccessreviews" => reviews::subject_access(review, &*rules()?),
        "localsubjectaccessreviews" => {
            reviews::local_subject_access(review, &call.info.namespace, &*rules()?)
        }
        "selfsubjectrulesreviews" => reviews::self_subject_rules(&review, &call.user, &*rules()?),
        other => Err(Status::internal(format!("no answer to {other} is known"))),
    }
}
