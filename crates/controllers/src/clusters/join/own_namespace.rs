//! Namespaces that joining and registering create in a member, and that go with the last object of theirs.

use portolan_api::{labels, resources};
use portolan_object::{Object, ObjectKey};
use portolan_runtime::client::Selection;
use portolan_runtime::{Client, ClientError, Resource};

use crate::missing::ignore_missing;

/// The account that every namespace has.
pub(super) const DEFAULT_ACCOUNT: &str = "default";
/// The ConfigMap that every namespace has.
const ROOT_CA: &str = "kube-root-ca.crt";
/// Type of Secrets that are deleted with their account.
const TOKEN: &str = "kubernetes.io/service-account-token";

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
