//! `resourceVersion` of reads: parsing it, and waiting until the store has reached it.

use std::time::Duration;

use portolan_object::Status;
use portolan_object::status::Cause;
use portolan_store::{Revision, Store};

use crate::record::Record;

/// Longest wait of a read for a revision that the store has not reached.
const REVISION_TIMEOUT: Duration = Duration::from_secs(3);

/// Waits until the store has reached the revision that a client asks for.
///
/// # Errors
/// 400 for an invalid revision, 504 when it is not reached within [`REVISION_TIMEOUT`].
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
    // Whether the wait ended by time or not, the revision decides.
    tokio::time::timeout(REVISION_TIMEOUT, reached).await.ok();
    let current = store.revision();
    if current >= wanted { Ok(()) } else { Err(too_large(wanted.0, current.0)) }
}

/// Parses `resourceVersion`; `None` for an empty text and for 0, which mean any revision.
pub(super) fn parse_revision(text: &str) -> Result<Option<Revision>, Status> {
    if matches!(text, "" | "0") {
        return Ok(None);
    }
    let refuse = |_| Status::bad_request(format!("invalid resource version: {}", invalid_revision(text)));
    text.parse().map(|revision| Some(Revision(revision))).map_err(refuse)
}

/// The error text for a revision that is not a number.
pub(crate) fn invalid_revision(text: &str) -> String {
    format!("resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax")
}

/// 504 for a revision that the store has not reached.
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
