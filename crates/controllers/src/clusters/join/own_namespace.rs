//! Namespaces that joining and registering create in a member, and that go with the last object of theirs.

use std::time::Duration;

use portolan_api::{labels, resources};
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::terminating_namespace::waits_for;
use portolan_runtime::client::Selection;
use portolan_runtime::{Client, ClientError, Resource};
use tokio::time::Instant;

use super::account::Account;
use super::{JoinError, Notices};
use crate::missing::ignore_missing;

/// Time that a namespace controller needs to empty a namespace and to delete it, generously.
const DELETION_TIMEOUT: Duration = Duration::from_secs(60);
/// Time between two looks at a namespace that is being deleted.
const DELETION_POLL: Duration = Duration::from_millis(200);

/// The account that every namespace has.
pub(super) const DEFAULT_ACCOUNT: &str = "default";
/// The ConfigMap that every namespace has.
const ROOT_CA: &str = "kube-root-ca.crt";
/// Type of Secrets that are deleted with their account.
const TOKEN: &str = "kubernetes.io/service-account-token";

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

/// Whether a namespace was created by joining or registering, and has neither Secrets nor ConfigMaps of others.
pub(super) async fn is_unused(member: &Client, namespace: &str) -> Result<bool, ClientError> {
    let api = member.resource::<Object>(&resources::NAMESPACE.into());
    let found = ignore_missing(api.get(&ObjectKey::cluster(namespace)).await)?;
    if found.is_none_or(|namespace| namespace.label(labels::SYSTEM) != Some(labels::TRUE)) {
        return Ok(false);
    }
    let selection = Selection::namespace(namespace);
    let secrets = member.resource::<Object>(&resources::SECRET.into()).list(&selection).await?;
    let has_secrets = secrets.items.iter().any(|seen| seen.object.str_at(&["type"]) != TOKEN);
    let config_maps = names(member, &resources::CONFIG_MAP.into(), namespace).await?;
    Ok(!has_secrets && config_maps.iter().all(|name| name == ROOT_CA))
}

/// Names of the objects of a kind in a namespace.
pub(super) async fn names(
    member: &Client,
    resource: &Resource,
    namespace: &str,
) -> Result<Vec<String>, ClientError> {
    let listed = member.resource::<Object>(resource).list(&Selection::namespace(namespace)).await?;
    Ok(listed.items.iter().map(|seen| seen.object.name().to_owned()).collect())
}
