//! POST of a `TokenRequest` for a service account.

use http::{Response, StatusCode};
use portolan_object::{GroupVersionKind, Object, Status, builtin};
use ring::rand::SystemRandom;

use super::{body, field_validation};
use crate::access::CoreObjects;
use crate::auth::token_request::Issuance;
use crate::call::{Call, read_body};
use crate::damage;
use crate::negotiate::{BodyType, Offer, Reply};
use crate::request::options::{WriteKind, WriteOptions};
use crate::respond::{self, Body};

/// Issues a token.
pub(crate) async fn issue(call: &Call, body: Body) -> Result<Response<Body>, Status> {
    let (resource, info, server) = (&call.resource, &call.info, &call.server);
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Document)?;
    let bytes = read_body(body).await?;
    let kind = GroupVersionKind::new("authentication.k8s.io", "v1", "TokenRequest");
    let decoded = body::typed(&kind, builtin::schema(&kind), &bytes, BodyType::from_headers(&call.headers)?)?;
    let options = WriteOptions::parse(&call.query, WriteKind::Create)?;
    field_validation::check_decoded(
        "TokenRequest",
        "v1",
        call,
        options.field_validation,
        &decoded.strict_errors,
    )?;
    let found = damage::find(&server.store, &resource.key(&info.namespace, &info.name))?;
    let account = Object(resource.value(&found.ok_or_else(|| resource.not_found(&info.name))?));
    let Some(issuer) = server.authentication.issuer() else {
        return Err(Status::new(503, "ServiceUnavailable", "this server signs no service account tokens"));
    };
    let issuance = Issuance {
        issuer,
        directory: &CoreObjects(&server.store),
        now: call.now,
        random: &SystemRandom::new(),
        token_id: uuid::Uuid::new_v4().to_string(),
    };
    let (request, warnings) = issuance.issue(&account, decoded.value)?;
    warnings.into_iter().for_each(|warning| call.warn(warning));
    Ok(respond::value(StatusCode::CREATED, &request, reply))
}
