//! GET of one object.

use http::{Response, StatusCode};
use portolan_object::Status;

use super::present::Presenter;
use super::revision::{fresh_enough, invalid_revision, parse_revision};
use crate::call::Call;
use crate::damage;
use crate::negotiate::{Offer, Reply};
use crate::respond::{self, Body};

/// GET of one object.
pub(crate) async fn get(call: &Call) -> Result<Response<Body>, Status> {
    let resource = &call.resource;
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Objects)?;
    let presenter = Presenter::new(call, reply)?;
    let version = call.query.get("resourceVersion").unwrap_or_default();
    // Upstream answers 500 here and 400 for lists.
    parse_revision(version).map_err(|_| Status::new(500, "", invalid_revision(version)))?;
    fresh_enough(&call.server.store, version).await?;
    let found = damage::find(&call.server.store, &resource.key(&call.info.namespace, &call.info.name))?;
    let item = found.ok_or_else(|| resource.not_found(&call.info.name))?;
    Ok(respond::encoded(StatusCode::OK, &presenter.object(&item), reply))
}
