//! Reading one object, and waiting for a state that is fresh enough.

use std::time::Duration;

use http::{Response, StatusCode};
use portolan_object::Status;
use portolan_object::status::Cause;
use portolan_store::{Revision, Store};

use super::present::Presenter;
use crate::call::Call;
use crate::negotiate::{Offer, Reply};
use crate::record::Record;
use crate::respond::{self, Body};

/// How long a read waits for a revision that is not there yet.
const PATIENCE: Duration = Duration::from_secs(3);

/// GET of one object.
pub(crate) async fn get(call: &Call) -> Result<Response<Body>, Status> {
    let resource = &call.resource;
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Objects)?;
    let presenter = Presenter::new(call, reply)?;
    let version = call.query.get("resourceVersion").unwrap_or_default();
    // Upstream has no code of its own for this on a single object.
    parse_revision(version).map_err(|_| Status::new(500, "", invalid_revision(version)))?;
    fresh_enough(&call.server.store, version).await?;
    let item = call
        .server
        .store
        .get(&resource.key(&call.info.namespace, &call.info.name))
        .ok_or_else(|| resource.not_found(&call.info.name))?;
    Ok(respond::encoded(StatusCode::OK, &presenter.object(&item), reply))
}

/// Waits until the store has reached a revision that the client has seen elsewhere.
///
/// # Errors
/// 400 for what is no revision, 504 when it is not reached in time.
pub(crate) async fn fresh_enough(store: &Store<Record>, resource_version: &str) -> Result<(), Status> {
    let Some(wanted) = parse_revision(resource_version)? else { return Ok(()) };
    if store.revision() >= wanted {
        return Ok(());
    }
    let mut watch = store.watch("", store.revision()).map_err(Status::internal)?;
    let reached = async {
        while store.revision() < wanted {
            if watch.next().await.is_err() {
                break;
            }
        }
    };
    // Ending early is checked below.
    let _ = tokio::time::timeout(PATIENCE, reached).await;
    let current = store.revision();
    if current >= wanted { Ok(()) } else { Err(too_large(wanted.0, current.0)) }
}

/// A revision that was asked for; `None` for unset and for 0, which mean any.
pub(super) fn parse_revision(text: &str) -> Result<Option<Revision>, Status> {
    if matches!(text, "" | "0") {
        return Ok(None);
    }
    let refuse = |_| Status::bad_request(format!("invalid resource version: {}", invalid_revision(text)));
    text.parse().map(|revision| Some(Revision(revision))).map_err(refuse)
}

/// What is wrong with a revision that is no number.
pub(crate) fn invalid_revision(text: &str) -> String {
    format!("resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax")
}

/// 504 for a revision of the future.
pub(super) fn too_large(asked: u64, current: u64) -> Status {
    let text = format!("Timeout: Too large resource version: {asked}, current: {current}");
    let mut status = Status::new(504, "Timeout", text);
    let details = status.details.get_or_insert_default();
    details.retry_after_seconds = Some(1);
    details.causes.push(Cause {
        reason: "ResourceVersionTooLarge".to_owned(),
        message: "Too large resource version".to_owned(),
        field: String::new(),
    });
    status
}
