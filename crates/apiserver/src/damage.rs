//! Stored objects that are damaged: what clients are told, and how they are deleted.
//!
//! Lists and watches leave such an object out. Requests for it answer 500 with the reason that kube-apiserver gives for an
//! object that it cannot read (KEP-3926), not 404: clients must not conclude that the object is gone. It is deleted with
//! the option that KEP-3926 adds, for which a user needs the verb `unsafe-delete-ignore-read-errors`.

use portolan_object::Status;
use portolan_store::{Batch, CommitError, DamagedValue, Store, Versioned, Write};

use crate::record::Record;

/// Reason of the answer (`StatusReasonStoreReadError` in kubernetes staging/src/k8s.io/apimachinery/pkg/apis/meta/v1).
pub(crate) const REASON: &str = "StorageReadError";

/// The stored object of a key.
///
/// # Errors
/// 500 when it is damaged.
pub(crate) fn find(store: &Store<Record>, key: &str) -> Result<Option<Versioned<Record>>, Status> {
    let found = store.get(key);
    match store.damaged(key).filter(|_| found.is_none()) {
        Some(damaged) => Err(refusal(&damaged)),
        None => Ok(found),
    }
}

/// 500 with the next step.
pub(crate) fn refusal(damaged: &DamagedValue) -> Status {
    let DamagedValue { key, revision, reason } = damaged;
    let text = format!(
        "the stored object {key} of revision {revision} is damaged: {reason}; restore it with `portolan restore`, or \
         delete it with `kubectl delete --raw 'PATH?ignoreStoreReadErrorWithClusterBreakingPotential=true'`, where PATH is \
         that of this request"
    );
    Status::new(500, REASON, text)
}

/// Deletes a damaged object. False if the key has none.
///
/// # Errors
/// The answer of the store.
pub(crate) async fn discard(store: &Store<Record>, key: &str) -> Result<bool, CommitError<Record>> {
    let Some(damaged) = store.damaged(key) else { return Ok(false) };
    tracing::warn!(key, revision = damaged.revision.0, "a damaged object is deleted");
    store.commit(Batch { guards: Vec::new(), writes: vec![Write::Delete(key.into())] }).await.map(|_| true)
}
