//! Waiting for a namespace of a member that is being deleted.

use std::time::Duration;

use portolan_api::resources;
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::terminating_namespace::waits_for;
use tokio::time::Instant;

use super::account::Account;
use super::{JoinError, Notices};
use crate::missing::ignore_missing;

/// Time that a namespace controller needs to empty a namespace and to delete it, generously.
const DELETION_TIMEOUT: Duration = Duration::from_secs(60);
/// Time between two looks at a namespace that is being deleted.
const DELETION_POLL: Duration = Duration::from_millis(200);

/// Waits until a namespace takes new objects: one that an unjoin has just deleted, or that a finalizer holds, does not. Says
/// at once what is waited for, and again when that changes.
pub(super) async fn until_usable(
    account: &Account<'_>,
    namespace: &str,
    notices: &Notices,
) -> Result<(), JoinError> {
    let (start, mut told) = (Instant::now(), String::new());
    loop {
        let Some(cause) = terminating(account, namespace).await? else { return Ok(()) };
        if start.elapsed() > DELETION_TIMEOUT {
            let (cluster, namespace) = (account.cluster.to_owned(), namespace.to_owned());
            return Err(JoinError::Terminating { cluster, namespace, cause });
        }
        if cause != told {
            notices.tell(&format!(
                "waiting until namespace {namespace} is deleted in cluster {}, at most {} s: {cause}",
                account.cluster,
                DELETION_TIMEOUT.as_secs()
            ));
            told = cause;
        }
        tokio::time::sleep(DELETION_POLL).await;
    }
}

/// What the deletion of a namespace waits for; `None` if it is not being deleted.
pub(super) async fn terminating(account: &Account<'_>, namespace: &str) -> Result<Option<String>, JoinError> {
    let api = account.member.resource::<Object>(&resources::NAMESPACE.into());
    let present = ignore_missing(api.get(&ObjectKey::cluster(namespace)).await);
    Ok(present.map_err(account.failed("namespace"))?.as_ref().and_then(waits_for))
}
