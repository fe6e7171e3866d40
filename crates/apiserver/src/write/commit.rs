//! Commits a write to the store.

use std::sync::Arc;

use portolan_net::TraceContext;
use portolan_object::Status;
use portolan_store::{Batch, CommitError, Unavailable, Versioned};

use crate::damage;
use crate::record::Record;
use crate::server::Server;

/// Why a write was not committed.
#[derive(Debug)]
pub(super) enum NotCommitted {
    /// Another write changed the key first: read again and retry.
    Conflict {
        /// The key that was changed.
        key: Arc<str>,
    },
    /// The store does not accept writes.
    Refused(Status),
}

/// Commits a batch; returns the new version of its last write, `None` after a deletion.
pub(super) async fn commit(
    server: &Server,
    batch: Batch<Record>,
) -> Result<Option<Versioned<Record>>, NotCommitted> {
    match server.store.commit(batch).await {
        Ok(mut events) => Ok(events.pop().and_then(|event| event.current)),
        Err(CommitError::Conflict { key, .. }) => Err(NotCommitted::Conflict { key }),
        Err(error) => Err(NotCommitted::Refused(refused(error))),
    }
}

/// The answer to a write that the store does not accept.
pub(super) fn refused(error: CommitError<Record>) -> Status {
    match error {
        CommitError::Conflict { key, .. } => Status::internal(format!("{key} was changed by another write")),
        CommitError::Damaged(damaged) => damage::refusal(&damaged),
        CommitError::Unavailable { source } => unavailable(&source),
    }
}

/// Deletes an object at the version of `item`.
pub(super) async fn commit_deletion(server: &Server, item: &Versioned<Record>) -> Result<(), NotCommitted> {
    if let Some(trace) = TraceContext::current() {
        // Before the deletion, so that caches in this process find it.
        trace.note_deletion(item.value.summary().uid());
    }
    commit(server, Batch::delete(Arc::clone(&item.key), item.modified)).await.map(drop)
}

/// 503 with the cause.
fn unavailable(cause: &Unavailable) -> Status {
    // The store has told it once.
    tracing::debug!(%cause, "the store refused a write");
    let mut status =
        Status::new(503, "ServiceUnavailable", format!("the store does not accept writes: {cause}"));
    status.details.get_or_insert_default().retry_after_seconds = Some(1);
    status
}
